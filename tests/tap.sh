# tap.sh - a few words for tests in shell: sourced, never run.
# shellcheck shell=bash

tap_count=0
tap_failed=0

# check NAME COMMAND [ARGUMENT]... - one case: passes when the command succeeds. What it printed is
# shown when it fails.
check() {
	local name=$1 output
	shift
	tap_count=$((tap_count + 1))
	if output=$("$@" 2>&1); then
		printf 'ok %d - %s\n' "$tap_count" "$name"
	else
		tap_failed=$((tap_failed + 1))
		printf 'not ok %d - %s\n' "$tap_count" "$name"
		if [ -n "$output" ]; then
			printf '%s\n' "$output" | head -60 | sed 's/^/# /'
		fi
	fi
}

# skip NAME REASON - one case that cannot be tried here.
skip() {
	tap_count=$((tap_count + 1))
	printf 'ok %d - %s # SKIP %s\n' "$tap_count" "$1" "$2"
}

# finish - the plan, and the exit status.
finish() {
	printf '1..%d\n' "$tap_count"
	[ "$tap_failed" -eq 0 ]
}
