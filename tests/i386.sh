#!/bin/bash
# i386.sh - on a machine of 32 bits it builds without a warning, every unit test passes, with the sanitizers as well, and
# the simulator sees what it sees in 64 bits, event by event.
#
# All of that in a Debian of its own in BUILD/i386, which has its programs run by this machine's kernel; the architectures
# of this machine's packages stay as they are. The 64-bit side is BUILD/release.
# Status 77: it cannot be tried here; the last line says why.
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/roots.sh
. tests/roots.sh
# shellcheck source=tools/common.sh
. tools/common.sh

folder=${BUILD:?}/i386
root=$folder/root
least=950 # cases of the unit tests, in each build
heavy=' thousand_sites_cold_start a_week_switched_off ' # minutes each, with their own seeds

there() { in_root "$root" linux32 "$@"; }

# The project as it stands, and nothing that was built of it.
make_place() {
	rm -rf "$folder/source"
	mkdir -p "$folder/source" "$root/source" && copy_project "$folder/source" || return
	mount --bind "$folder/source" "$root/source" && mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" &&
		mount -t tmpfs -o mode=1777 tmp "$root/tmp"
}

has_32_bits() { there python3 -c 'import struct; assert struct.calcsize("P") == 4, struct.calcsize("P")'; }

# is_built NAME OPTION...
is_built() {
	there meson setup "/source/build/$1" /source "${@:2}" >"$folder/$1.log" 2>&1 &&
		there ninja -j 2 -C "/source/build/$1" >>"$folder/$1.log" 2>&1 && return
	grep -E 'error|ERROR|FAILED' "$folder/$1.log" | head -n 30
	return 1
}

programs_have_32_bits() {
	local program
	for program in agent/collective simulator/collective-sim; do
		readelf -h "$folder/source/build/plain/$program" | grep -q 'Class: *ELF32' || { echo "$program"; return 1; }
	done
}

# unit NAME - the cases of all unit tests of that build.
unit() {
	there meson test -C "/source/build/$1" --no-rebuild --suite unit --num-processes 2 --timeout-multiplier 5 \
		>"$folder/$1.unit.log" 2>&1
	python3 tools/tap-of-meson "i386 $1" "$folder/source/build/$1/meson-logs/testlog.json" >"$folder/$1.tap" ||
		echo "not ok - i386 $1: no result of the unit tests" >>"$folder/$1.tap"
	relay <"$folder/$1.tap"
	check "i386 $1: $least cases at least" ran_enough "$folder/$1.tap"
}

ran_enough() { [ "$(grep -c '^ok' "$1")" -ge "$least" ] || { grep -c '^ok' "$1"; return 1; }; }

hashes_there() {
	there env COLLECTIVE_SCENARIOS=/source/simulator/scenarios \
		/source/build/plain/simulator/collective-sim run "$1" --seeds "1..$2" --jobs 1 --json
}
hashes_here() {
	COLLECTIVE_SCENARIOS=simulator/scenarios "$BUILD/release/simulator/collective-sim" run "$1" --seeds "1..$2" --jobs 1 --json
}

# sees_the_same SCENARIO SEEDS
sees_the_same() {
	local side
	hashes_there "$1" "$2" >"$work/there.json" 2>"$work/there.err" &
	hashes_here "$1" "$2" >"$work/here.json" 2>"$work/here.err"
	wait $!
	for side in here there; do
		grep -oE '"(scenario|seed|hash)":[^,]*' "$work/$side.json" | paste -sd '  \n' >"$work/$side"
		[ "$(wc -l <"$work/$side")" -eq "$2" ] || { echo "$side: not $2 runs"; cat "$work/$side.err"; return 1; }
	done
	diff "$work/here" "$work/there"
}

inside() {
	local name seeds packages
	mapfile -t packages < <(packages_of build test)
	root_make "$folder" i386 "${packages[@]}" || {
		echo "no i386 root can be made here: the log is $folder/root.log"
		return 77
	}
	make_place || { echo "the root of $folder cannot be furnished"; return 1; }
	has_32_bits || { echo 'programs of 32 bits do not run here'; return 77; }
	say 'the builds'
	check "it builds in 32 bits without a warning" is_built plain
	check "it builds in 32 bits with the sanitizers" is_built san -Db_sanitize=address,undefined
	check "what was built has 32 bits" programs_have_32_bits
	say 'the unit tests'
	unit plain
	say 'the unit tests with the sanitizers'
	unit san
	say 'the scenarios'
	for name in simulator/scenarios/*.yaml; do
		name=$(basename "$name" .yaml)
		seeds=3
		[[ $heavy != *" $name "* ]] || seeds=1
		check "$name: 32 bits see what 64 see, event by event, $seeds seeds" sees_the_same "$name" "$seeds"
	done
	say 'done'
	finish
}

lacks() { roots_lack; }
# What is compared has to be built of the same files.
prepare() { build_in release gcc --buildtype=release || { echo "the release build failed: $BUILD/release.log"; return 1; }; }
root_main 5400 tests/i386.sh "$@"
