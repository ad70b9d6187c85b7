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

# relay - the cases of another run, on standard input, become ours. Its plan stays behind.
relay() {
	local line
	while IFS= read -r line; do
		if [[ $line =~ ^(ok|not\ ok)(\ [0-9]+)?(\ -)?\ (.*) ]]; then
			tap_count=$((tap_count + 1))
			[ "${BASH_REMATCH[1]}" = ok ] || tap_failed=$((tap_failed + 1))
			printf '%s %d - %s\n' "${BASH_REMATCH[1]}" "$tap_count" "${BASH_REMATCH[4]}"
		elif [[ $line != 1..* ]]; then
			printf '%s\n' "$line"
		fi
	done
}

# gives STATUS [TEXT-ON-STDOUT [TEXT-ON-STDERR]] -- ARGUMENT... ; a text may be a part. Runs $program,
# whose answers stay in $work/out and $work/err.
# shellcheck disable=SC2154 # both are the caller's
gives() {
	local wanted=$1 out='' err='' status=0
	shift
	if [ "$1" != -- ]; then out=$1; shift; fi
	if [ "$1" != -- ]; then err=$1; shift; fi
	shift
	"$program" "$@" >"$work/out" 2>"$work/err" </dev/null || status=$?
	if [ "$status" -ne "$wanted" ]; then
		echo "status $status, not $wanted"
		cat "$work/out" "$work/err"
		return 1
	fi
	if [ -n "$out" ] && ! grep -qF -- "$out" "$work/out"; then
		echo "not on standard output: $out"
		cat "$work/out"
		return 1
	fi
	if [ -n "$err" ] && ! grep -qF -- "$err" "$work/err"; then
		echo "not on standard error: $err"
		cat "$work/err"
		return 1
	fi
	# What fails says so on standard error; what is done does not complain.
	[ "$status" -eq 0 ] || [ -s "$work/err" ] || { echo "failed without a word"; return 1; }
}

# finish - the plan, and the exit status.
finish() {
	printf '1..%d\n' "$tap_count"
	[ "$tap_failed" -eq 0 ]
}
