#!/bin/bash
# lab.sh - every test_*.sh of the lab, two at a time, each within its time.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"

at_once=2
# The longest begin first.
longest=(recovery chaos carrier links neighbours guests people pairs)

# timeout makes a process group of its own: what ends this script has to be passed on.
declare -A running=()
end() {
	local id
	for id in "${!running[@]}"; do
		kill -TERM "$id" 2>/dev/null
	done
	wait
	rm -rf "$work"
}
work=$(mktemp -d)
trap end EXIT
trap 'exit 143' HUP INT TERM

# tell NAME STATUS - what a script printed, as a whole.
tell() {
	local name=$1 status=$2 out=$work/$1.out err=$work/$1.err
	grep -v '^1\.\.' "$out"
	case $status in
	77) printf 'ok - %s # SKIP %s\n' "$name" "$(tail -n 1 "$err")" ;;
	*)
		# Whoever fails without a word, or ends before its plan, has failed as well.
		if ! grep -q '^1\.\.' "$out" || { [ "$status" -ne 0 ] && ! grep -q '^not ok' "$out"; }; then
			printf 'not ok - %s ended with status %d\n' "$name" "$status"
			grep -vE '^(ok|not ok|1\.\.)' "$out" | tail -n 12 | sed 's/^#* */# /'
		fi
		sed 's/^/# /' "$err"
		;;
	esac
}

# Waits until one of them has ended.
one_ends() {
	local id status=0
	wait -n -p id "${!running[@]}" || status=$?
	tell "${running[$id]}" "$status"
	unset "running[$id]"
}

names=("${longest[@]}")
for script in tests/lab/test_*.sh; do
	name=${script#tests/lab/test_}
	name=${name%.sh}
	[[ " ${longest[*]} " == *" $name "* ]] || names+=("$name")
done
for name in "${names[@]}"; do
	[ "${#running[@]}" -lt "$at_once" ] || one_ends
	timeout -k 20 200 "tests/lab/test_$name.sh" >"$work/$name.out" 2>"$work/$name.err" </dev/null &
	running[$!]=$name
done
while [ "${#running[@]}" -gt 0 ]; do
	one_ends
done
