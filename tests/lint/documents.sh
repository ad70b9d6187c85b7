#!/bin/bash
# documents.sh - what is written about the program agrees with the program.
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tools/common.sh
. tools/common.sh

program=$BUILD/gcc/agent/collective
pages=(collective.8 collective.yaml.5)
completions=(packaging/completions/collective.bash packaging/completions/_collective packaging/completions/collective.fish)

page_renders() {
	local page=$BUILD/gcc/docs/$1
	[ -s "$page" ] || { echo "$page was not built"; return 1; }
	groff -man -Tutf8 -ww -z "$page" >"$work/groff" 2>&1
	# Long literal lines are the terminal's business.
	! grep -vE "can't break line|cannot (adjust|break) line" "$work/groff" | grep .
}

# The commands that the program has, a line each.
commands() {
	"$program" help | sed -n '/^Commands:/,/^$/{/^  /p}' | sed -E 's/^  //; s/  .*//; s/ [[A-Z].*//; s/ +$//'
}

options() {
	local command
	{
		"$program" help
		while read -r command; do
			# shellcheck disable=SC2086
			"$program" help $command
		done < <(commands)
	} | grep -oE '^ +(-[a-zA-Z], )?--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u
}

page_names_all() {
	local name bad=0
	while read -r name; do
		grep -qE "^\*$name\*( |\$)" docs/collective.8.scd || { echo "not in the manual: $name"; bad=1; }
	done < <(commands)
	while read -r name; do
		grep -qE "^(\*-.\*, )?\*$name\*" docs/collective.8.scd || { echo "not in the manual: $name"; bad=1; }
	done < <(options)
	return $bad
}

# What the manual names as a command or an option is one.
page_names_no_more() {
	local name bad=0
	while read -r name; do
		commands | grep -qxF -- "$name" || { echo "the manual has a command \"$name\""; bad=1; }
	done < <(sed -n '/^# COMMANDS/,/^# OPTIONS/{s/^\*\([a-z ]*\)\*.*/\1/p}' docs/collective.8.scd)
	while read -r name; do
		options | grep -qxF -- "$name" || { echo "the manual has an option $name"; bad=1; }
	done < <(sed -n '/^# OPTIONS/,/^# ENVIRONMENT/{s/^\(\*-.\*, \)*\*\(--[a-z-]*\)\*.*/\2/p}' docs/collective.8.scd)
	return $bad
}

completion_names_all() {
	local name word bad=0
	while read -r name; do
		for word in $name; do
			grep -qE "(^|[^a-z-])$word([^a-z-]|\$)" "$1" || { echo "$1 lacks $word"; bad=1; }
		done
	done < <(commands)
	while read -r name; do
		grep -qE -- "(^|[^a-z])${name#--}([^a-z-]|\$)" "$1" || { echo "$1 lacks $name"; bad=1; }
	done < <(options)
	while read -r name; do
		grep -qF -- "$name" "$1" || { echo "$1 lacks the key $name"; bad=1; }
	done < <("$program" config keys)
	return $bad
}

# Options and keys that a completion offers are ones.
completion_names_no_more() {
	local name bad=0
	while read -r name; do
		options | grep -qxF -- "$name" || { echo "$1 offers $name"; bad=1; }
	done < <(sed -nE 's/^complete .* -l ([a-z-]+).*/--\1/p' "$1"; grep -vE '^complete' "$1" | grep -oE -- '--[a-z][a-z-]+')
	while read -r name; do
		"$program" config keys | grep -qxF -- "$name" || { echo "$1 offers the key $name"; bad=1; }
	done < <(grep -oE '\b(site|interfaces|links|limits|log)\.[a-z_.]+' "$1")
	return $bad
}

completion_parses() {
	case $1 in
	*.bash) bash -n "$1" ;;
	*.fish) fish -n "$1" ;;
	*) zsh -n "$1" ;;
	esac
}

# What bash would offer after these words.
offers() {
	local wanted=$1
	shift
	bash -c '
		. packaging/completions/collective.bash
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		_collective
		printf "%s\n" "${COMPREPLY[@]}"' - "$@" >"$work/offers" 2>&1
	grep -qx -- "$wanted" "$work/offers" || { cat "$work/offers"; return 1; }
}

# Relative links in Markdown lead to files; so do paths in back-quotes that begin with a folder of ours.
links_exist() {
	local file target bad=0
	# shellcheck disable=SC2016 # the back-quotes are the ones in the text
	while read -r file; do
		while read -r target; do
			[ -e "$(dirname "$file")/${target%%#*}" ] || { echo "$file: $target is not there"; bad=1; }
		done < <(grep -oE '\]\([^)#][^)]*\)' "$file" | sed 's/^](//; s/)$//' | grep -vE '^[a-z]+:')
		while read -r target; do
			case $target in build/*) continue ;; esac
			[ -e "$target" ] || { echo "$file: \`$target\` is not there"; bad=1; }
		done < <(grep -oE '`(\.ci|agent|base|config|docs|gossip|nat|packaging|simulator|site|store|tests|tools)/[A-Za-z0-9_./-]*`' "$file" | tr -d '`')
	done < <(project_files '*.md')
	return $bad
}

# Commands that the README shows exist.
readme_commands_exist() {
	local words command bad=0
	while read -r words; do
		command=${words%% *}
		[ -x "$command" ] || { echo "README.md: $command cannot be run"; bad=1; }
	done < <(grep -oE '^ +(sudo )?tools/[a-z-]+.*' README.md | sed -E 's/^ +(sudo )?//')
	return $bad
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for page in "${pages[@]}"; do
	check "$page renders without a warning" page_renders "$page"
done
check "the manual names every command and option" page_names_all
check "the manual names no other" page_names_no_more
for file in "${completions[@]}"; do
	check "$file names every command, option and key" completion_names_all "$file"
	check "$file names no other option or key" completion_names_no_more "$file"
	check "$file can be read by its shell" completion_parses "$file"
done
check "bash completes the first word" offers backup collective b
check "bash completes the second word" offers check collective config c
check "bash completes an option" offers --json collective config check --j
check "bash completes a configuration key" offers links.when collective config keys links.w
check "links and paths in Markdown exist" links_exist
check "the README's commands exist" readme_commands_exist
finish
