# Completion of collective for bash.
# shellcheck shell=bash

_collective() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local commands='admin root init invite invites uninvite approve join status expel leave rotate
		endpoint doctor link unlink why netcheck route events ping up down agent config backup restore version help'
	local options='--config --state --run --json --passphrase-file
		--name --endpoint --supernet --subnet --tag --route --expires --approve --watch --no-start --qr --force --for --help --version'
	local keys='site.name site.lan interfaces.implementation
		interfaces.backbone.name interfaces.backbone.port interfaces.backbone.mtu
		interfaces.links.name interfaces.links.port interfaces.links.mtu
		links.with links.when links.publish_addresses isolate limits.sites log.level log.redact'
	local words=() word i

	# The command's own words: neither options nor their arguments.
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--config | --state | --run | --passphrase-file | --name | --endpoint | --supernet | --subnet | --tag | --route | --expires | --for) i=$((i + 1)) ;;
		-*) ;;
		*) words+=("$word") ;;
		esac
	done

	COMPREPLY=()
	case $previous in
	--state | --run)
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		return
		;;
	--config | --passphrase-file)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	esac
	case $current in
	-*)
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
		return
		;;
	esac
	case "${words[*]}" in
	'' | help) mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current") ;;
	config | 'help config') mapfile -t COMPREPLY < <(compgen -W 'check example keys' -- "$current") ;;
	admin | 'help admin') mapfile -t COMPREPLY < <(compgen -W 'offer add remove' -- "$current") ;;
	root | 'help root') mapfile -t COMPREPLY < <(compgen -W 'export import remove' -- "$current") ;;
	endpoint | route | 'help endpoint' | 'help route') mapfile -t COMPREPLY < <(compgen -W 'add remove' -- "$current") ;;
	'config keys') mapfile -t COMPREPLY < <(compgen -W "$keys" -- "$current") ;;
	'config check' | backup | restore | 'root export' | 'root import') mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
	esac
}

complete -F _collective collective
