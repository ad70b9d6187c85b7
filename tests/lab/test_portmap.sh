#!/bin/bash
# test_portmap.sh - ways in through home routers, as miniupnpd gives and refuses them: as root and as the unit's user.
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/lab/door.sh
. tests/lab/door.sh

if lack=$(door_lacks); then
	echo "$lack" >&2
	exit 77
fi
command -v miniupnpd >/dev/null || { echo 'needs miniupnpd, see tools/packages' >&2; exit 77; }
door portmap portmap
door 'portmap, as the user' portmap user
door_finish
