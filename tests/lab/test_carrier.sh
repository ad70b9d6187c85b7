#!/bin/bash
# test_carrier.sh - agents on real networks: every script in carrier/.
#
# IMPLEMENTATION says which WireGuard they run on: userspace, unless told otherwise.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"
# shellcheck source=tests/lab/together.sh
. tests/lab/together.sh

scripts=()
for script in tests/lab/carrier/*.sh; do
	# Emulated, everything takes its time: there only those run that WireGuard is part of.
	case ${IMPLEMENTATION:-userspace}:$(basename "$script" .sh) in
	kernel:there | kernel:tunnels | kernel:life | userspace:*) scripts+=("$script") ;;
	esac
done
together "${scripts[@]}"
