#!/bin/bash
# test_try.sh - what tools/try shows to whoever comes: the two gamers go from the hub to a link of their own, and lose little when that dies.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"
# shellcheck source=tests/tap.sh
. tests/tap.sh

work=$(mktemp -d)
said=$work/said
trap 'tools/try stop >/dev/null 2>&1; rm -rf "$work"' EXIT

begins() { tools/try >"$said" 2>&1 || { cat "$said"; return 1; }; }
# in_order WORDS... - each is in a line behind that of the one before.
in_order() {
	local line=0 found words
	for words in "$@"; do
		found=$(awk -v from="$line" -v words="$words" 'NR > from && index($0, words) { print NR; exit }' "$said")
		[ -n "$found" ] || { printf 'no line with "%s" behind line %d\n' "$words" "$line"; cat "$said"; return 1; }
		line=$found
	done
}
shows_all() { in_order 'collective init' 'invite ann' 'invite bob' 'invite cam' 'ping 10.100.2.1' ' 0% packet loss' 'collective status' 'collective why bob' 'Packets to bob go directly.'; }
goes_direct() { in_order 'bob is reached by "hub"' 'bob is reached by "direct"'; }
breaks() {
	local lost
	tools/try break >"$said" 2>&1 || { cat "$said"; return 1; }
	in_order 'second  0: direct' '<- the direct way dies' ': hub' '<- and is there again' ': direct' 'Packets to bob go directly.' || return
	lost=$(sed -n 's/^[0-9]* pings, \([0-9]*\) without an answer.*/\1/p' "$said")
	# Ten a second: 2.5 s at most.
	if [ "${lost:-0}" -lt 1 ] || [ "$lost" -gt 25 ]; then
		cat "$said"
		return 1
	fi
}
does_a_command() { tools/try as cam collective status >"$said" 2>&1 && in_order '10.100.3.1      self'; }
stops() { tools/try stop >"$said" 2>&1 && in_order 'All of it is gone.' && [ ! -e build/try ]; }

check "a hub and three friends are there" begins
check "each step is shown" shows_all
check "before one's eyes the path goes from the hub to a link" goes_direct
check "a command on one of them" does_a_command
check "break shows how the direct way dies, and what is lost" breaks
check "stop takes all of it away" stops
finish
