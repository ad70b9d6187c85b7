#!/bin/bash
# test_pairs.sh - every two types of sites meet as pairs.txt says: by a prober, and then their agents.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"

work=$(mktemp -d /tmp/test-pairs.XXXXXX) || exit 1
trap 'jobs -pr | xargs -r kill -TERM 2>/dev/null; wait; rm -rf "$work"' EXIT
trap 'exit 143' HUP INT TERM

bad=0 total=0
for kind in punch agents; do
	status=0
	tests/lab/pairs.sh "$kind" >"$work/tap" </dev/null &
	wait $! || status=$?
	[ "$status" -ne 77 ] || exit 77
	grep -v '^1\.\.' "$work/tap" | sed -E "s/^(not ok|ok) [0-9]+ -/\\1 - $kind:/"
	ran=$(grep -cE '^(not )?ok\b' "$work/tap")
	if [ "$(sed -n 's/^1\.\.//p' "$work/tap")" != "$ran" ]; then
		echo "not ok - $kind ended with status $status"
		ran=$((ran + 1)) status=1
	fi
	total=$((total + ran))
	[ "$status" -eq 0 ] || bad=1
done
echo "1..$total"
exit "$bad"
