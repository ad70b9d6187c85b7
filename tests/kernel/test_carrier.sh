#!/bin/bash
# test_carrier.sh - the carrier's tests once more, on the kernel's WireGuard.
set -u
cd "${SOURCE:?}" || exit 1
export IMPLEMENTATION=kernel
# shellcheck source=tests/lab/test_carrier.sh
. tests/lab/test_carrier.sh
