#!/bin/bash
# test_links.sh - direct links under traffic, through whatever happens to them: every script in links/.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"
# shellcheck source=tests/lab/together.sh
. tests/lab/together.sh

together tests/lab/links/*.sh
