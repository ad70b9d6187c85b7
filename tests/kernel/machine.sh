# machine.sh - the virtual machine: sourced by those who boot it, never run.
# shellcheck shell=bash
#
#   machine_image                      puts the folder of the kernel and its RAM disk into $image; 77 where there is none
#   machine_start ACCELERATOR ROOT OUT WORK [OPTION]...
#                                      in the background, its process in $machine; $limit seconds at most. Of the files
#                                      below ROOT all can be read; what is in OUT it finds in /run/out. WORK gets the
#                                      console and qemu's words. An option is one of qemu's
#   machine_start_fast ROOT OUT WORK [OPTION]...
#                                      by KVM where that does, else emulated; which of them is in $accelerator
#   machine_stop                       if it runs
#
# What is in OUT before: "environment", which init.sh reads.

PATH=$PATH:/usr/sbin:/sbin
machine=
accelerator=

machine_image() {
	local tool status=0
	[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || { echo "the machine is an amd64 one, with Debian's files"; return 77; }
	for tool in qemu-system-x86_64 apt-get cpio modprobe xz; do
		[ -n "$(type -P "$tool")" ] || { echo "$tool is missing: tools/packages names the package"; return 77; }
	done
	image=$("${SOURCE:?}/tests/kernel/image.sh") || status=$?
	[ "$status" -eq 0 ] || [ "$status" -eq 77 ] || echo "not ok - the virtual machine cannot be made"
	return "$status"
}

# Without multidevs=remap, files of the host's /proc, /sys and /dev look like one another. An oops ends the machine, so no
# verdict comes. Where qemu 7.2 emulates cmpxchg16b among several CPUs it gets the flags wrong at times, and the kernel dies
# of a double fault; without it, the kernel does by other means. Why it begins with one CPU: see guest.sh.
machine_start() {
	local root=$2 out=$3 work=$4 accel=$1
	shift 4
	rm -f "$out/kernel"
	timeout -k 5 "${limit:?}" qemu-system-x86_64 -accel "$accel" -cpu max,-cx16 -smp 2 -m 2048 \
		-display none -monitor none -serial "file:$work/console" -no-reboot -nic none \
		-kernel "$image"/boot/vmlinuz-* -initrd "$image/initrd" \
		-append 'console=ttyS0 quiet panic=-1 oops=panic maxcpus=1' \
		-virtfs local,path="$root",mount_tag=root,security_model=none,readonly=on,multidevs=remap \
		-virtfs local,path="$out",mount_tag=out,security_model=none "$@" \
		>"$work/qemu" 2>&1 </dev/null &
	machine=$!
}

# qemu ends by the signal that "timeout" passes on.
machine_stop() {
	[ -z "$machine" ] || kill "$machine" 2>/dev/null
	wait
	machine=
}

# A /dev/kvm may be there and not do: only a machine that came up proves it. Emulation always does.
machine_start_fast() {
	local i
	accelerator=kvm
	if [ -w /dev/kvm ]; then
		machine_start kvm "$@"
		for ((i = 0; i < 50; i++)); do
			[ ! -e "$2/kernel" ] || return 0
			kill -0 "$machine" 2>/dev/null || break
			sleep 0.2
		done
		machine_stop
	fi
	# shellcheck disable=SC2034 # for those who tell
	accelerator=tcg
	machine_start tcg "$@"
}
