#!/bin/bash
# test_neighbours.sh - sites on machines that other programs manage as well: every script in neighbours/.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"
# shellcheck source=tests/lab/together.sh
. tests/lab/together.sh

together tests/lab/neighbours/*.sh
