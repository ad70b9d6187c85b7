#!/bin/bash
# style.sh - form: clang-format, clang-tidy, shellcheck, licence lines, white space.
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tools/common.sh
. tools/common.sh

mapfile -t sources < <(project_files '*.c' '*.h')
mapfile -t scripts < <(project_files '*.sh' '*.bash' 'tools/*' '.ci/*' 'docs/render' 'packaging/debian/*' | xargs grep -lE '^#!.*\b(ba)?sh$|shellcheck shell=')

formatted() {
	clang-format-14 --dry-run -Werror "${sources[@]}"
}

# Tidy takes long: what the newest commit or the work tree changed, and a sixth in rotation.
tidy_files() {
	local number file i=0
	number=$(git -c safe.directory="$PWD" rev-list --count HEAD 2>/dev/null || echo 0)
	{
		git -c safe.directory="$PWD" diff --name-only HEAD~1 2>/dev/null
		git -c safe.directory="$PWD" diff --name-only HEAD 2>/dev/null
		for file in "${sources[@]}"; do
			i=$((i + 1))
			[ $((i % 6)) -ne $((number % 6)) ] || echo "$file"
		done
	} | grep '\.c$' | sort -u | while read -r file; do
		[ -f "$file" ] && echo "$file"
	done
}

tidy() {
	# The fuzz harnesses are no part of that build; the unit tests are.
	tidy_files | grep -v '^tests/fuzz/' |
		xargs -r -P 2 -n 1 clang-tidy-14 -p "$BUILD/clang" --quiet 2>"$work/tidy.err" || {
		tail -5 "$work/tidy.err"
		return 1
	}
}

scripts_are_clean() {
	shellcheck -x "${scripts[@]}"
}

licence_lines() {
	local file bad=0
	for file in "${sources[@]}"; do
		[ "$(head -n 1 "$file")" = '/* SPDX-License-Identifier: MIT */' ] ||
			{ echo "$file: the first line is not the licence's"; bad=1; }
	done
	return $bad
}

header_guards() {
	local file bad=0
	for file in "${sources[@]}"; do
		case $file in
		*.h) grep -q '^#pragma once$' "$file" || { echo "$file: no #pragma once"; bad=1; } ;;
		esac
	done
	return $bad
}

white_space() {
	! project_files '*' | grep -vE '^tests/(golden|fuzz/corpus|mutants)/' | xargs grep -nIE '[[:blank:]]+$'
}

no_left_over_words() {
	! grep -nE '\b(TODO|FIXME|XXX|HACK)\b' "${sources[@]}"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
check "clang-format" formatted
check "clang-tidy on what changed and a rotating sixth" tidy
check "shellcheck" scripts_are_clean
check "every source begins with its licence" licence_lines
check "every header is included once" header_guards
check "no white space at line ends" white_space
check "no left-over words" no_left_over_words
finish
