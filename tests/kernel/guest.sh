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
