#!/bin/bash
# fixed.sh - chaos that is the same in every run.
set -u
cd "${SOURCE:?}" || exit 1

CHAOS_SEED=1
# shellcheck source=tests/lab/chaos/run.sh
. tests/lab/chaos/run.sh
