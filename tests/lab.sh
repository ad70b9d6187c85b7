#!/bin/bash
# lab.sh - every test_*.sh of the lab, one after the other, each within its time.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"

# timeout makes a process group of its own: what ends this script has to be passed on.
running=
end() {
	[ -z "$running" ] || kill -TERM "$running" 2>/dev/null
	wait
	rm -rf "$work"
}
work=$(mktemp -d)
trap end EXIT
trap 'exit 143' HUP INT TERM

for script in tests/lab/test_*.sh; do
	name=$(basename "$script" .sh)
	timeout -k 20 150 "$script" >"$work/out" 2>"$work/err" </dev/null &
	running=$!
	wait "$running"
	status=$?
	running=
	grep -v '^1\.\.' "$work/out"
	case $status in
	77) printf 'ok - %s # SKIP %s\n' "$name" "$(tail -n 1 "$work/err")" ;;
	*)
		# Whoever fails without a word, or ends before its plan, has failed as well.
		if ! grep -q '^1\.\.' "$work/out" || { [ "$status" -ne 0 ] && ! grep -q '^not ok' "$work/out"; }; then
			printf 'not ok - %s ended with status %d\n' "$name" "$status"
		fi
		sed 's/^/# /' "$work/err"
		;;
	esac
done
