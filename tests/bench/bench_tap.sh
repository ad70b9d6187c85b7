#!/bin/bash
# bench_tap.sh - what the tap costs other traffic.
#
#   tools/bench tap             with this machine's kernel
#   tools/bench tap --kernel    with Debian's, in a virtual machine
set -u
: "${SOURCE:?}" "${BUILD:?}"
cd "$SOURCE" || exit 1

if [ "${1:-}" = --kernel ]; then
	exec tests/kernel/boot.sh --timeout 600 "$SOURCE/tests/bench/bench_tap.sh"
fi
"$BUILD/gcc/tests/bench_tap" || exit
echo 'ok 1 - measured'
echo '1..1'
