#!/bin/bash
# test_carrier.sh - agents on real networks: every script in carrier/, each in a world of its own, all at once.
#
# IMPLEMENTATION says which WireGuard they run on: userspace, unless told otherwise. Most of the time each of them
# waits; what they print comes in one piece.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"

names=()
for script in tests/lab/carrier/*.sh; do
	name=$(basename "$script" .sh)
	# Emulated, everything takes its time: there only those run that WireGuard is part of.
	case ${IMPLEMENTATION:-userspace}:$name in
	kernel:there | kernel:tunnels | kernel:life | userspace:*) names+=("$name") ;;
	esac
done

work=$(mktemp -d /tmp/carrier.XXXXXX)
# shellcheck disable=SC2317 # by the trap
end() {
	local ids
	ids=$(jobs -pr)
	# shellcheck disable=SC2086 # one word each
	[ -z "$ids" ] || kill -TERM $ids 2>/dev/null
	wait
	rm -rf "$work"
}
trap end EXIT
trap 'exit 143' HUP INT TERM

for name in "${names[@]}"; do
	{
		status=0
		"tests/lab/carrier/$name.sh" >"$work/$name.tap" 2>"$work/$name.err" </dev/null &
		trap 'kill -TERM $!' TERM
		wait $! || status=$?
		echo "$status" >"$work/$name.status"
	} &
done
wait

bad=0
total=0
for name in "${names[@]}"; do
	status=$(cat "$work/$name.status")
	if [ "$status" -eq 77 ]; then
		tail -n 1 "$work/$name.err" >&2
		exit 77
	fi
	grep -v '^1\.\.' "$work/$name.tap" | sed -E "s/^(not ok|ok) [0-9]+ -/\\1 - $name:/"
	sed 's/^/# /' "$work/$name.err"
	ran=$(grep -cE '^(not )?ok\b' "$work/$name.tap")
	if [ "$(sed -n 's/^1\.\.//p' "$work/$name.tap")" != "$ran" ]; then
		echo "not ok - $name ended with status $status"
		ran=$((ran + 1)) status=1
	fi
	total=$((total + ran))
	[ "$status" -eq 0 ] || bad=1
done
echo "1..$total"
exit "$bad"
