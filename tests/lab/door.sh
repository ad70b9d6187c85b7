# door.sh - runs the tests of the doors to the system, each in namespaces of its own: sourced, never run.
# shellcheck shell=bash
#
#   door NAME PROGRAM ARGUMENT...    prints the cases of a program, their names behind NAME
#   door_finish                      the plan, and the exit status

: "${BUILD:?}"
door_count=0
door_failed=0

# door_lacks - says what is missing here. Succeeds when something is.
door_lacks() {
	local tool
	[ "$(id -u)" -eq 0 ] || { echo 'needs root'; return; }
	for tool in ip unshare sysctl ping wireguard-go; do
		command -v "$tool" >/dev/null || { echo "needs $tool, see tools/packages"; return; }
	done
	[ -c /dev/net/tun ] || { echo 'needs /dev/net/tun'; return; }
	unshare --net --mount ip link add name a type veth peer name b 2>/dev/null || { echo 'needs namespaces and veth of the kernel'; return; }
	return 1
}

# A process that is left behind, or stopped, ends with the namespace of processes. Its first process
# is a shell, since some signals mean nothing to the first. /dev/net/tun is as udev makes it: for everybody.
door() {
	local name=$1 status=0 output
	shift
	# shellcheck disable=SC2016 # the inner shell's
	output=$(CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 5 130 unshare --pid --fork --kill-child --mount-proc \
		sh -c 'mount -t tmpfs -o mode=755 net /dev/net && mknod -m 666 /dev/net/tun c 10 200 && "$@"; exit $?' sh "$BUILD/gcc/tests/$1" "${@:2}" 2>&1 </dev/null) || status=$?
	output=$(sed -E -e "s/^(ok|not ok) [0-9]+ - /\1 - $name: /" -e '/^(1\.\.|# (not )?ok - )/d' <<<"$output")
	printf '%s\n' "$output"
	door_count=$((door_count + $(grep -cE '^(not )?ok\b' <<<"$output")))
	if [ "$status" -ne 0 ]; then
		door_failed=$((door_failed + 1))
		# Whoever ends early, or without a case that failed, has failed as well.
		grep -qE '^not ok\b' <<<"$output" || { printf 'not ok - %s ended with status %d\n' "$name" "$status"; door_count=$((door_count + 1)); }
	fi
}

door_finish() {
	printf '1..%d\n' "$door_count"
	[ "$door_failed" -eq 0 ]
}
