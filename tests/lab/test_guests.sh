#!/bin/bash
# test_guests.sh - bad guests, outside and inside, at the door and at home: every script in guests/.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"
# shellcheck source=tests/lab/together.sh
. tests/lab/together.sh

together tests/lab/guests/*.sh
