# Completion of collective-sim for bash.
# shellcheck shell=bash

_collective_sim() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local commands='list run replay shrink sweep version help'
	local options='--seed --seeds --jobs --trace --out --without --sites --json --help --version'
	local words=() word i

	# The command's own words: neither options nor their arguments.
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--seed | --seeds | --jobs | --trace | --out | --without | --sites) i=$((i + 1)) ;;
		-*) ;;
		*) words+=("$word") ;;
		esac
	done

	COMPREPLY=()
	case $previous in
	--out)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	--trace)
		mapfile -t COMPREPLY < <(compgen -f -W '-' -- "$current")
		return
		;;
	--without)
		mapfile -t COMPREPLY < <(compgen -W "$(printf 'P%d ' {1..13} 15)" -- "$current")
		return
		;;
	--seed | --seeds | --jobs | --sites) return ;;
	esac
	case $current in
	-*)
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
		return
		;;
	esac
	case "${words[*]}" in
	'' | help) mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current") ;;
	run)
		mapfile -t COMPREPLY < <(
			compgen -W "$("${COMP_WORDS[0]}" list 2>/dev/null | cut -d ' ' -f 1)" -- "$current"
			compgen -f -- "$current"
		)
		;;
	replay | shrink) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
	esac
}

complete -F _collective_sim collective-sim
