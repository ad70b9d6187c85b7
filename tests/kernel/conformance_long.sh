#!/bin/bash
# conformance_long.sh - test_conformance.sh with the rows that take long: for tests/long.sh.
set -u
cd "${SOURCE:?}" || exit 1
export CONFORMANCE=long
exec tests/kernel/test_conformance.sh
