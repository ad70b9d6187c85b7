#!/bin/bash
# guest.sh - the first process behind init.sh: runs the scripts of /run/out/scripts, one after the
# other. What the Nth prints goes to /run/out/N.tap, its exit status to /run/out/N.status.
#
# It does not judge: boot.sh does, on the host. Should this process end early, the kernel panics and
# the machine stops.
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
# shellcheck source=/dev/null # written by boot.sh: SOURCE and BUILD
. /run/out/environment
cd "$SOURCE" || exit 1
ip link set lo up

# Emulated, one CPU must not change code that the other one runs: qemu may lose the change, and the kernel dies of it
# (of twenty boots one did). Code is changed where the kernel turns one of its switches: at its start, and for the first
# or behind the last chain, tunnel over UDP, or socket with timestamps. So this process has one of each, and not before
# that the second CPU comes.
holds_switches() {
	local family hook
	ip link set lo up
	for family in ip ip6; do
		echo "table $family held {"
		for hook in prerouting input forward output postrouting; do
			echo "chain $hook { type filter hook $hook priority 0; ct state new counter; }"
		done
		for hook in prerouting input output postrouting; do
			echo "chain nat-$hook { type nat hook $hook priority 0; }"
		done
		echo '}'
	done | nft -f -
	ip link add held type wireguard && ip link set held up
	# What is turned once, by whoever is first.
	conntrack -L >&2
	{ : </dev/tcp/127.0.0.1/9; echo >/dev/udp/127.0.0.1/9; } 2>/dev/null
	ping -q -c 1 127.0.0.1 >&2 && echo held
	exec ping -q -i 86400 127.0.0.1 >&2
}
export -f holds_switches
read -r held < <(unshare --net bash -c holds_switches 2>/dev/console)
[ "$held" = held ] || exit 1
echo 1 >/sys/devices/system/cpu/cpu1/online || exit 1

number=0
while read -r script <&3; do
	number=$((number + 1))
	status=0
	"$script" >"/run/out/$number.tap" 2>&1 </dev/null || status=$?
	echo "$status" >"/run/out/$number.status"
	echo "${script##*/}: status $status"
done 3</run/out/scripts
# Off, whatever the host has as its init.
echo o >/proc/sysrq-trigger
sleep 60
