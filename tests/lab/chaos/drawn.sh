#!/bin/bash
# drawn.sh - chaos that is another one with every commit.
set -u
cd "${SOURCE:?}" || exit 1

# Whoever has no commits gets one more that is always the same.
CHAOS_SEED=$(git -c safe.directory="$PWD" rev-parse HEAD 2>/dev/null | cut -c 1-15)
CHAOS_SEED=$((16#${CHAOS_SEED:-2}))
# shellcheck source=tests/lab/chaos/run.sh
. tests/lab/chaos/run.sh
