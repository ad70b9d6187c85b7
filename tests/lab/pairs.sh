#!/bin/bash
# pairs.sh - every two types of sites, each in a world of its own, four at a time: whether they meet as a table says.
#
#   tests/lab/pairs.sh punch [TYPE TYPE]    by a prober, without agents; what was sent is in $BUILD/lab/punch
#   tests/lab/pairs.sh agents [TYPE TYPE]   agents, by their first attempt; what they say of it is in $BUILD/lab/why
#
#
#   PAIRS_TABLE   which pairs (tests/lab/pairs.txt; tests/lab/doubles.txt are those with routers that let in what is theirs)
#
# With two types that pair alone: two types, meets, how, and further words until the last, the time it took.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/collective.sh
. tests/lab/collective.sh

at_once=4
seconds_each=60
table=${PAIRS_TABLE:-tests/lab/pairs.txt}

# Both have a verdict: a link, or an attempt that failed.
is_settled() { knows_without_words "$1" "'$2' in s and s['$2']['link']['reason'] in ('direct', 'not_met', 'no_handshake')"; }
# Who meets does so by the first attempt. Who does not may try again at once, where it was learned meanwhile what routers do.
is_first() { knows_without_words "$1" "s['$2']['link']['attempts'] == 1"; }
is_direct() { knows_without_words "$1" "s['$2']['path'] == 'direct'"; }

try_agents() {
	local begun meets=no why=$BUILD/lab/why/$1-$2.txt
	mkdir -p "$BUILD/lab/why" || exit 1
	world_begin
	world_public hub 198.51.100.1
	world_stands ann "$1" 2
	world_stands bob "$2" 3
	settle hub ann bob
	at hub init --name home --endpoint 198.51.100.1 >"$world_dir/words" 2>&1 || { cat "$world_dir/words" >&2; exit 1; }
	for site in ann bob; do
		at hub invite "$site" --tag gaming 2>"$world_dir/words" | at "$site" join - >"$world_dir/words" 2>&1 || { cat "$world_dir/words" >&2; exit 1; }
	done
	begun=$(moment)
	if ! world_wait 20 is_settled ann bob || ! world_wait 20 is_settled bob ann; then
		{ at ann why bob; at bob why ann; } >&2
		exit 1
	fi
	if is_direct ann bob && is_direct bob ann && reaches ann "$(address_of bob)"; then
		meets=later
		if is_first ann bob && is_first bob ann; then meets=yes; fi
	fi
	{ at ann why bob; at bob why ann; } >"$why"
	echo "$1 $2 $meets - $((($(moment) - begun) / 1000)) ms"
	[ -z "${PAIR_SHOWS:-}" ] || cat "$why" "$world_dir"/*/agent.log >&2
}

try_punch() {
	local begun=${EPOCHREALTIME/./}
	mkdir -p "$BUILD/lab/punch" || exit 1
	world_begin
	world_stands ann "$1" 2
	world_stands bob "$2" 3
	result=$(python3 tests/lab/punch.py 4 "/run/netns/$world-inet" "/run/netns/$world-ann" "/run/netns/$world-bob" \
		"$BUILD/lab/punch/$1-$2.txt") || exit 1
	echo "$1 $2 $result $(((${EPOCHREALTIME/./} - begun) / 1000)) ms"
}

kind=${1:?}
if [ $# -eq 3 ]; then
	"try_$kind" "$2" "$3"
	exit
fi

end() {
	local id
	for id in "${!running[@]}"; do
		kill -TERM "$id" 2>/dev/null
	done
	wait
	rm -rf "$work"
}

# Waits until one of them has ended.
one_ends() {
	local id
	wait -n -p id "${!running[@]}"
	unset "running[$id]"
}

is_expected() {
	local a b meets how tried
	read -r a b meets how tried <"$work/$1-$2" || { cat "$work/$1-$2.err"; return 1; }
	if [ "$kind" = agents ]; then
		[ "$meets" = "$3" ] || { echo "$a and $b: $meets, not $3"; cat "$BUILD/lab/why/$1-$2.txt"; return 1; }
		return
	fi
	[ "$meets $how" = "$3 $4" ] || { echo "$a and $b: $meets, $how ($tried), not $3, $4"; cat "$BUILD/lab/punch/$1-$2.txt"; return 1; }
}

# Every type is there with itself and with every other, once; with those of pairs.txt alone where that is another table.
is_whole() {
	local types n known=0
	mapfile -t types < <(printf '%s\n' "${pairs[@]}" | awk '{ print $1; print $2 }' | sort -u)
	n=${#types[@]}
	[ "$table" = tests/lab/pairs.txt ] || known=$(grep -vc '^#' tests/lab/pairs.txt)
	[ "${#pairs[@]}" -eq $((n * (n + 1) / 2 - known)) ] || { echo "${#pairs[@]} pairs of $n types"; return 1; }
	[ "$(printf '%s\n' "${pairs[@]}" | awk '{ print $1 < $2 ? $1 " " $2 : $2 " " $1 }' | sort | uniq -d)" = '' ]
}

if lack=$(world_lacks || routers_lack); then
	echo "$lack" >&2
	exit 77
fi
declare -A running=()
work=$(mktemp -d /tmp/pairs.XXXXXX) || exit 1
trap end EXIT
trap 'exit 143' HUP INT TERM
mapfile -t pairs < <(grep -v '^#' "$table")
begun=$SECONDS
for pair in "${pairs[@]}"; do
	[ "${#running[@]}" -lt "$at_once" ] || one_ends
	read -r a b _ <<<"$pair"
	timeout -k 10 "$seconds_each" "$0" "$kind" "$a" "$b" >"$work/$a-$b" 2>"$work/$a-$b.err" </dev/null &
	running[$!]=$a-$b
done
while [ "${#running[@]}" -gt 0 ]; do
	one_ends
done
for pair in "${pairs[@]}"; do
	read -r a b _ <<<"$pair"
	sed 's/^/# /' "$work/$a-$b"
done | column -t
check "every pair of types is in the table, once" is_whole
for pair in "${pairs[@]}"; do
	read -r a b meets how <<<"$pair"
	check "$a and $b: $([ "$meets" = no ] && echo 'do not meet' || echo "meet, $how")" is_expected "$a" "$b" "$meets" "$how"
done
echo "# ${#pairs[@]} pairs in $((SECONDS - begun)) s"
finish
