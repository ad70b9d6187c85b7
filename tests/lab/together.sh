# together.sh - scripts that each make a world of their own, all at once: sourced, never run.
# shellcheck shell=bash
#
# Most of the time each of them waits; what they print comes in one piece.

# together SCRIPT... - ends with 77 where one of them cannot be tried here.
together() {
	local script name work status ran bad=0 total=0
	work=$(mktemp -d /tmp/together.XXXXXX)
	# shellcheck disable=SC2064 # this one
	trap "together_end $work" EXIT
	trap 'exit 143' HUP INT TERM
	for script in "$@"; do
		name=$(basename "$script" .sh)
		{
			status=0
			"$script" >"$work/$name.tap" 2>"$work/$name.err" </dev/null &
			trap 'kill -TERM $!' TERM
			wait $! || status=$?
			echo "$status" >"$work/$name.status"
		} &
	done
	wait
	for script in "$@"; do
		name=$(basename "$script" .sh)
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
}

together_end() {
	local ids
	ids=$(jobs -pr)
	# shellcheck disable=SC2086 # one word each
	[ -z "$ids" ] || kill -TERM $ids 2>/dev/null
	wait
	rm -rf "$1"
}
