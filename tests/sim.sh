#!/bin/bash
# sim.sh - every scenario holds, in virtual time, and every build of the program sees the same.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"
# shellcheck source=tests/tap.sh
. tests/tap.sh

export COLLECTIVE_SCENARIOS=simulator/scenarios
heavy=(thousand_sites_cold_start a_week_switched_off) # for one build, with their own seeds
slow=(member_names_a_victim links_in_all_weather whoever_can_meet_does hub_lies_about_the_path flood_from_one_member liars_change_nothing members_come_and_go) # with fewer seeds

sim() { "$BUILD/$1/simulator/collective-sim" "${@:2}"; }

is_heavy() { [[ " ${heavy[*]} " == *" $1 "* ]]; }
is_slow() { [[ " ${slow[*]} " == *" $1 "* ]]; }

holds() { sim release run "$1" "${@:2}" --out "$work/$1.yaml" >"$work/$1.log" 2>&1 || { cat "$work/$1.log"; return 1; }; }

holds_sanitized() {
	sim clang-san run "$1" --seeds "1..$2" --jobs 2 --out "$work/$1.yaml" >"$work/$1.log" 2>&1 || { cat "$work/$1.log"; return 1; }
}

held() { [ "$(cat "$work/$1.status")" = 0 ] || { cat "$work/$1.log"; return 1; }; }

hashes() {
	local name
	for name in "${names[@]}"; do
		is_heavy "$name" || is_slow "$name" || sim "$1" run "$name" --seed 4 --json | grep -oE '"(scenario|seed|hash)":[^,]*' | paste -sd' '
	done
}

sees_the_same() {
	[ -s "$work/$1" ] && diff "$work/release" "$work/$1"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mapfile -t names < <(find simulator/scenarios -name '*.yaml' | sed 's|.*/||; s/\.yaml$//' | sort)
# Such a run is one process for a minute: the other core does the rest meanwhile.
heavy_jobs=()
for name in "${heavy[@]}"; do
	{ holds "$name" --jobs 1 >/dev/null; echo $? >"$work/$name.status"; } &
	heavy_jobs+=($!)
done
for name in "${names[@]}"; do
	if is_heavy "$name"; then
		continue
	elif is_slow "$name"; then
		check "$name, 12 seeds" holds "$name" --seeds 1..12 --jobs 2
		check "$name, with sanitizers" holds_sanitized "$name" 1
	else
		check "$name, 30 seeds" holds "$name" --seeds 1..30 --jobs 2
		check "$name, with sanitizers" holds_sanitized "$name" 3
	fi
done
# Two builds at a time: each looks at one scenario after the other.
builds=(gcc clang gcc-san clang-san)
hashes release >"$work/release"
for pair in 'gcc clang' 'gcc-san clang-san'; do
	pair_jobs=()
	for build in $pair; do
		hashes "$build" >"$work/$build" &
		pair_jobs+=($!)
	done
	wait "${pair_jobs[@]}"
done
for build in "${builds[@]}"; do
	check "$build sees what the release build sees, event by event" sees_the_same "$build"
done
wait "${heavy_jobs[@]}"
for name in "${heavy[@]}"; do
	check "$name" held "$name"
done
finish
