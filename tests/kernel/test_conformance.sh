#!/bin/bash
# test_conformance.sh - the kernel's WireGuard does what the simulator's models do, row by row of tests/conformance/rows.txt;
# over lines with delay wireguard-go, too. CONFORMANCE=long: also the rows that take long.
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/conformance/lane.sh
. tests/conformance/lane.sh

conformance_lane kernel "${CONFORMANCE:-short}"
finish
