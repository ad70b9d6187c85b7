#!/bin/bash
# boot.sh - runs scripts as root on a kernel of their own: a virtual machine over the files of this
# one, with kernel WireGuard, netem and nftables, and without a way out.
#
#   SOURCE=... BUILD=... boot.sh [--timeout SECONDS] SCRIPT...
#
# The scripts print TAP, and find SOURCE and BUILD where the host has them. All files of the host can
# be read; what is written stays in the machine's memory. They run one after the other and clean up
# behind themselves. Status 77: it cannot be tried here; the last line says why.
set -u -o pipefail
: "${SOURCE:?}" "${BUILD:?}"
limit=900 # no machine takes so long; a slow one that others use may take long
if [ "${1:-}" = --timeout ]; then
	limit=$2
	shift 2
fi

# shellcheck source=tests/kernel/machine.sh
. "$SOURCE/tests/kernel/machine.sh"
machine_image || exit

ulimit -c 0
work=$(mktemp -d)
trap 'machine_stop; rm -rf "$work"' EXIT
mkdir "$work/out"
printf 'export %s=%q\n' SOURCE "$SOURCE" BUILD "$BUILD" >"$work/out/environment"

# verdict NUMBER SCRIPT - what it printed, and a line more where that is not the whole of it.
verdict() {
	local name=${2##*/} tap=$work/out/$1.tap status plan ran
	[ ! -e "$tap" ] || awk 1 "$tap" # which ends the last line, too, if it was cut off
	status=$(cat "$work/out/$1.status" 2>/dev/null)
	case $status in
	'')
		printf 'not ok - %s: no verdict; %s\n' "$name" "$how_it_ended"
		return 1
		;;
	77) printf 'ok - %s # SKIP %s\n' "$name" "$(tail -n 1 "$tap")" ;;
	0)
		plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$tap")
		ran=$(grep -cE '^(not )?ok\b' "$tap")
		[ "$plan" = "$ran" ] || {
			printf 'not ok - %s: planned %s, ran %s\n' "$name" "${plan:-nothing}" "$ran"
			return 1
		}
		;;
	*)
		grep -qE '^not ok\b' "$tap" || printf 'not ok - %s: status %s\n' "$name" "$status"
		return 1
		;;
	esac
}

scripts=("$@")
started=$SECONDS
rm -f "$BUILD/kernel/console.log"
realpath "${scripts[@]}" >"$work/out/scripts"
machine_start_fast / "$work/out" "$work" 2>/dev/null # where bash would tell how one died
how_it_ended='the machine stopped'
wait "$machine"
[ $? -ne 124 ] || how_it_ended="the machine was stopped after $limit s"
machine=

bad=0
for ((i = 0; i < $#; i++)); do
	verdict $((i + 1)) "${scripts[i]}" || bad=1
done
printf '# kernel %s, %s, %d s\n' "$(cat "$work/out/kernel" 2>/dev/null)" "$accelerator" $((SECONDS - started))
if [ "$bad" -ne 0 ]; then
	cat "$work/qemu" "$work/console" | tr -d '\r' >"$BUILD/kernel/console.log"
	# Whoever only sees this much sees what the kernel died of.
	sed -n '/PANIC\|Oops\|BUG:\|Kernel panic/,$p' "$BUILD/kernel/console.log" | head -n 24 | sed 's/^/# /'
	printf '# the console is in %s\n' "$BUILD/kernel/console.log"
fi
exit "$bad"
