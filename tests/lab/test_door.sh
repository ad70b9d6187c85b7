#!/bin/bash
# test_door.sh - both rooms behind agent/wireguard.h as far as they are here, and the ground that they stand on: as root
# and as the unit's user.
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/lab/door.sh
. tests/lab/door.sh

if lack=$(door_lacks); then
	echo "$lack" >&2
	exit 77
fi
door ground ground
door 'ground, as the user' ground user
door userspace door userspace
door 'userspace, as the user' door userspace user
if unshare --net ip link add name wg0 type wireguard 2>/dev/null; then
	door kernel door kernel
	door 'kernel, as the user' door kernel user
else
	door 'kernel' door no-kernel
fi
door_finish
