#!/bin/bash
# test_door.sh - both rooms behind agent/wireguard.h, the ground that they stand on, and what goes past them on their
# ports: as root and as the unit's user.
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/lab/door.sh
. tests/lab/door.sh

if lack=$(door_lacks); then
	echo "$lack" >&2
	exit 77
fi
door 'ground, as the user' ground user
door kernel door kernel
door 'kernel, as the user' door kernel user
door userspace door userspace few
door 'tap, as the user' tap kernel user
door_finish
