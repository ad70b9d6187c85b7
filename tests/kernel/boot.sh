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
limit=600 # no machine takes so long; a slow one that others use may take long
if [ "${1:-}" = --timeout ]; then
	limit=$2
	shift 2
fi

cannot() {
	printf '%s\n' "$*"
	exit 77
}

PATH=$PATH:/usr/sbin:/sbin
[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || cannot "the machine is an amd64 one, with Debian's files"
for tool in qemu-system-x86_64 apt-get cpio modprobe xz; do
	[ -n "$(type -P "$tool")" ] || cannot "$tool is missing: tools/packages names the package"
done
image=$("$SOURCE/tests/kernel/image.sh") || {
	status=$?
	[ "$status" -eq 77 ] || echo "not ok - the virtual machine cannot be made"
	exit "$status"
}

ulimit -c 0
work=$(mktemp -d)
machine=
# qemu ends by the signal that "timeout" passes on.
stop() {
	[ -z "$machine" ] || kill "$machine" 2>/dev/null
	wait
}
trap 'stop; rm -rf "$work"' EXIT

# start ACCELERATOR - what the guest answers comes into $work/out. Without multidevs=remap, files of
# the host's /proc, /sys and /dev look like one another. An oops ends the machine, so no verdict comes.
start() {
	rm -rf "$work/out"
	mkdir "$work/out"
	printf 'export %s=%q\n' SOURCE "$SOURCE" BUILD "$BUILD" >"$work/out/environment"
	realpath "${scripts[@]}" >"$work/out/scripts"
	timeout -k 5 "$limit" qemu-system-x86_64 -accel "$1" -cpu max -smp 2 -m 2048 \
		-display none -monitor none -serial "file:$work/console" -no-reboot -nic none \
		-kernel "$image"/boot/vmlinuz-* -initrd "$image/initrd" \
		-append 'console=ttyS0 quiet panic=-1 oops=panic' \
		-virtfs local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap \
		-virtfs local,path="$work/out",mount_tag=out,security_model=none \
		>"$work/qemu" 2>&1 </dev/null &
	machine=$!
}

# A /dev/kvm may be there and not do: only a machine that came up proves it. Emulation always does.
start_fast() {
	local i
	[ -w /dev/kvm ] || return 1
	start kvm
	for ((i = 0; i < 50; i++)); do
		[ ! -e "$work/out/kernel" ] || return 0
		kill -0 "$machine" 2>/dev/null || break
		sleep 0.2
	done
	stop
	return 1
}

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
accelerator=kvm
start_fast 2>/dev/null || { # where bash would tell how the machine died
	accelerator=tcg
	start tcg
}
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
	printf '# the console is in %s\n' "$BUILD/kernel/console.log"
fi
exit "$bad"
