#!/bin/bash
# documents.sh - what is written about the program agrees with the program.
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tools/common.sh
. tools/common.sh

# The programs, by name; the functions below take one of these names.
declare -A program=([collective]=$BUILD/gcc/agent/collective [collective-sim]=$BUILD/gcc/simulator/collective-sim)
declare -A manual=([collective]=docs/collective.8.scd [collective-sim]=docs/collective-sim.1.scd)
pages=(collective.8 collective.yaml.5 collective-sim.1)
export COLLECTIVE_SCENARIOS=$PWD/simulator/scenarios

page_renders() {
	local page=$BUILD/gcc/docs/$1
	[ -s "$page" ] || { echo "$page was not built"; return 1; }
	groff -man -Tutf8 -ww -z "$page" >"$work/groff" 2>&1
	# Long literal lines are the terminal's business.
	! grep -vE "can't break line|cannot (adjust|break) line" "$work/groff" | grep .
}

# docs/why.md has an explanation for every pair of tests/lab/pairs.txt, in its order, and each says how that pair ends.
explains_pairs() {
	diff <(grep -v '^#' tests/lab/pairs.txt | awk '{ print $1 " and " $2 ": " $3 }') \
		<(awk '/^## / { pair = substr($0, 4) }
			/^> (Packets|A direct link)/ { print pair ": yes" }
			/^> Everything goes by the hub/ { print pair ": no" }' docs/why.md)
}

# docs/conformance.md is what the table of rows and the simulator say now, and the three agree.
conformance_page_is_current() {
	tests/conformance/page.sh >"$work/conformance" || return 1
	diff docs/conformance.md "$work/conformance" || return 1
	! grep -F '| NO |' docs/conformance.md
}

# docs/measurements.md and its figures are what is made of what was measured.
measurements_page_is_current() {
	mkdir "$work/docs" && cp -r docs/measurements "$work/docs/" &&
		python3 tests/bench/compare.py write docs/measurements/measurements.json "$work/docs" || return
	diff docs/measurements.md "$work/docs/measurements.md" && diff -r docs/measurements "$work/docs/measurements"
}

# The commands that a program has, a line each.
commands() {
	"${program[$1]}" --help | sed -n '/^Commands:/,/^$/{/^  /p}' | sed -E 's/^  //; s/  .*//; s/ [[A-Z].*//; s/ +$//'
}

# The options that a program has. What asks for help need not stand in it.
options() {
	local command
	{
		echo --help
		"${program[$1]}" --help
		while read -r command; do
			# shellcheck disable=SC2086
			"${program[$1]}" help $command
		done < <(commands "$1")
	} | grep -oE '(^|[ [])--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u
}

# What a completion offers of the program's own names beside commands and options.
keys() {
	[ "$1" != collective ] || "${program[$1]}" config keys
}

page_names_all() {
	local name bad=0
	while read -r name; do
		grep -qE "^\*$name\*( |\$)" "${manual[$1]}" || { echo "not in the manual: $name"; bad=1; }
	done < <(commands "$1")
	while read -r name; do
		grep -qE "^(\*-.\*, )?\*$name\*" "${manual[$1]}" || { echo "not in the manual: $name"; bad=1; }
	done < <(options "$1")
	return $bad
}

# What the manual names as a command or an option is one.
page_names_no_more() {
	local name bad=0
	while read -r name; do
		commands "$1" | grep -qxF -- "$name" || { echo "the manual has a command \"$name\""; bad=1; }
	done < <(sed -n '/^# COMMANDS/,/^# OPTIONS/{s/^\*\([a-z ]*\)\*.*/\1/p}' "${manual[$1]}")
	while read -r name; do
		options "$1" | grep -qxF -- "$name" || { echo "the manual has an option $name"; bad=1; }
	done < <(sed -n '/^# SYNOPSIS/,/^# DESCRIPTION/p; /^# OPTIONS/,/^# [^O]/p' "${manual[$1]}" | grep -oE -- '\*--[a-z-]+\*' | tr -d '*')
	return $bad
}

completion_names_all() {
	local name word bad=0
	while read -r name; do
		for word in $name; do
			grep -qE "(^|[^a-z-])$word([^a-z-]|\$)" "$2" || { echo "$2 lacks $word"; bad=1; }
		done
	done < <(commands "$1")
	while read -r name; do
		grep -qE -- "(--|-l )${name#--}([^a-z-]|\$)" "$2" || { echo "$2 lacks $name"; bad=1; }
	done < <(options "$1")
	while read -r name; do
		grep -qF -- "$name" "$2" || { echo "$2 lacks the key $name"; bad=1; }
	done < <(keys "$1")
	return $bad
}

# Options and keys that a completion offers are ones.
completion_names_no_more() {
	local name bad=0
	while read -r name; do
		options "$1" | grep -qxF -- "$name" || { echo "$2 offers $name"; bad=1; }
	done < <(sed -nE 's/^complete .* -l ([a-z-]+).*/--\1/p' "$2"; grep -vE '^complete' "$2" | grep -oE -- '--[a-z][a-z-]+')
	while read -r name; do
		keys "$1" | grep -qxF -- "$name" || { echo "$2 offers the key $name"; bad=1; }
	done < <(grep -oE '\b(site|interfaces|links|limits|log)\.[a-z_.]+' "$2")
	return $bad
}

completion_parses() {
	case $1 in
	*.bash) bash -n "$1" ;;
	# Fish looks at the words of "complete" only when it runs it.
	*.fish) fish -n "$1" && ! HOME=$work fish --no-config -c "source $1" 2>&1 | grep . ;;
	*) zsh -n "$1" ;;
	esac
}

# What bash would offer after these words, of which the first is the program.
offers() {
	local wanted=$1
	shift
	PATH=$(dirname "${program[$1]}"):$PATH bash -c '
		. "packaging/completions/$1.bash"
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		"_${1//-/_}"
		printf "%s\n" "${COMPREPLY[@]}"' - "$@" >"$work/offers" 2>&1
	grep -qx -- "$wanted" "$work/offers" || { cat "$work/offers"; return 1; }
}

# The names that simulator/ knows: what a scenario may say. The word in front is the head of the table in docs/scenarios.md.
scenario_names() {
	case $1 in
	key) sed -n '/ words keys = /,/;$/p' simulator/scenario.c | grep -oE '"[a-z_]+"' | tr -d '"' ;;
	kind) sed -nE 's/^\t\[PLAN_[A-Z_]+\] = "(.*)",/\1/p' simulator/plan.c ;;
	router) sed -n '/router_kinds\[\] = {/,/^};/p' simulator/scenario.c | sed -nE 's/.*\.name = "([a-z-]+)".*/\1/p' ;;
	mischief) sed -nE 's/^\t\[MISCHIEF_[A-Z]+\] = "(.*)",/\1/p' simulator/scenario.c | grep -vx none ;;
	property) sed -nE 's/^\t\[PROPERTY_[A-Z_]+\] = "(P[0-9]+)",/\1/p' simulator/scenario.c ;;
	esac | sort -u
}

# The names in the first column of all tables of docs/scenarios.md with this head.
scenario_names_explained() {
	# shellcheck disable=SC2016 # the back-quotes are the ones in the text
	awk -F '|' -v head=" $1 " '/^\|/ { if (!table) on = $2 == head; table = 1; if (on) print $2; next } { table = 0 }' docs/scenarios.md |
		sed -nE 's/^ `(.*)` $/\1/p' | sort -u
}

scenario_page_agrees() {
	scenario_names "$1" >"$work/known"
	scenario_names_explained "$1" >"$work/explained"
	[ -s "$work/known" ] || { echo "no $1 was found in simulator/"; return 1; }
	comm -23 "$work/known" "$work/explained" | sed 's/^/docs\/scenarios.md does not explain /' >"$work/differ"
	comm -13 "$work/known" "$work/explained" | sed 's/$/ is explained in docs\/scenarios.md, and nowhere read/' >>"$work/differ"
	! grep . "$work/differ"
}

# The manual lists the same properties.
manual_names_properties() {
	scenario_names property >"$work/known"
	sed -nE '/^# PROPERTIES/,/^# ENVIRONMENT/s/^\|  \*(P[0-9]+)\*$/\1/p' "${manual[collective-sim]}" | sort >"$work/explained"
	diff "$work/known" "$work/explained"
}

# What docs/scenarios.md shows as a scenario is one: each block that begins with a claim.
scenario_examples_are_read() {
	mkdir -p "$work/examples"
	awk -v to="$work/examples/" '
		/^    claim: / { file = to "example-" ++count ".yaml" }
		!/^    / { file = "" }
		file { print substr($0, 5) >file }' docs/scenarios.md
	[ -e "$work/examples/example-1.yaml" ] || { echo "no example was found"; return 1; }
	COLLECTIVE_SCENARIOS=$work/examples "${program[collective-sim]}" list
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
for name in collective collective-sim; do
	check "the manual of $name names every command and option" page_names_all "$name"
	check "the manual of $name names no other" page_names_no_more "$name"
	for file in "packaging/completions/$name.bash" "packaging/completions/_$name" "packaging/completions/$name.fish"; do
		check "$file names every command, option and key" completion_names_all "$name" "$file"
		check "$file names no other option or key" completion_names_no_more "$name" "$file"
		check "$file can be read by its shell" completion_parses "$file"
	done
done
check "bash completes the first word" offers backup collective b
check "bash completes the second word" offers check collective config c
check "bash completes an option" offers --json collective config check --j
check "bash completes a configuration key" offers links.when collective config keys links.w
check "bash completes a command of the simulator" offers shrink collective-sim sh
check "bash completes an option of the simulator" offers --seeds collective-sim run --se
check "bash completes a scenario" offers same_key_twice collective-sim run sa
check "bash completes a scenario behind an option" offers same_key_twice collective-sim run --jobs 2 sa
check "bash completes a command behind help" offers replay collective-sim help re
check "bash completes a property" offers P12 collective-sim run same_key_twice --without P1
for name in key kind router mischief property; do
	check "docs/scenarios.md explains every $name of a scenario, and no other" scenario_page_agrees "$name"
done
check "the manual lists every property, and no other" manual_names_properties
check "the examples in docs/scenarios.md are scenarios" scenario_examples_are_read
check "links and paths in Markdown exist" links_exist
check "docs/why.md explains every pair of routers" explains_pairs
check "docs/conformance.md is current, and nothing in it differs" conformance_page_is_current
check "docs/measurements.md and its figures are made of what was measured" measurements_page_is_current
check "the README's commands exist" readme_commands_exist
finish
