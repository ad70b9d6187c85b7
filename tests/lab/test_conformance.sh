#!/bin/bash
# test_conformance.sh - routers and wireguard-go do what the simulator's models do, row by row of tests/conformance/rows.txt;
# CONFORMANCE=long: also the rows that take long.
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/conformance/lane.sh
. tests/conformance/lane.sh

if lack=$(world_lacks || routers_lack); then
	echo "$lack" >&2
	exit 77
fi
conformance_lane lab "${CONFORMANCE:-short}"
finish
