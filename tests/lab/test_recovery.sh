#!/bin/bash
# test_recovery.sh - whatever happens to a collective, it comes back by itself and has lost nothing: every script in recovery/.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"
# shellcheck source=tests/lab/together.sh
. tests/lab/together.sh

together tests/lab/recovery/*.sh
