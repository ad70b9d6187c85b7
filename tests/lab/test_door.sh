#!/bin/bash
# test_door.sh - both rooms behind agent/wireguard.h as far as they are here, the ground that they stand on, what other
# packet filters do, and what goes past them on their ports: as root and as the unit's user.
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
door rules rules
door 'rules, as the user' rules user
door ruleset ruleset
door 'ruleset, as the user' ruleset user
door userspace door userspace
door 'userspace, as the user' door userspace user
door tap tap userspace
door 'tap, as the user' tap userspace user
if unshare --net ip link add name wg0 type wireguard 2>/dev/null; then
	door kernel door kernel
	door 'kernel, as the user' door kernel user
	door 'tap, kernel' tap kernel
	door 'tap, kernel, as the user' tap kernel user
else
	door 'kernel' door no-kernel
fi
door_finish
