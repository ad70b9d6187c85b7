#!/bin/bash
# test_chaos.sh - whatever happens to real agents, in whatever order, all is well once it is over: two seeds, one of them the
# commit's; with CHAOS_SEED=N that one, see chaos/run.sh.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"
# shellcheck source=tests/lab/together.sh
. tests/lab/together.sh

[ -z "${CHAOS_SEED:-}" ] || exec tests/lab/chaos/run.sh
together tests/lab/chaos/fixed.sh tests/lab/chaos/drawn.sh
