#!/bin/bash
# layering.sh - folders use only what stands above them, and the pure ones take nothing impure.
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tools/common.sh
. tools/common.sh

pure=(base gossip nat site)

# Headers that a folder includes from the others are those that layers.txt grants it.
includes_of() {
	local folder=$1 allowed file name bad=0
	allowed=" $folder $(sed -n "s/^$folder://p" tests/lint/layers.txt) "
	while IFS=: read -r file name; do
		case $allowed in
		*" ${name%%/*} "*) ;;
		*)
			echo "$file includes $name"
			bad=1
			;;
		esac
	done < <(project_files "$folder/*.c" "$folder/*.h" |
		xargs -r grep -HoE '^#include "[^"]+"' | sed 's/#include "//; s/"$//')
	return $bad
}

# Every folder with code has a row.
every_folder_has_a_row() {
	local folder bad=0
	for folder in $(project_files '*.c' '*.h' | sed 's|/.*||' | sort -u); do
		grep -q "^$folder:" tests/lint/layers.txt || { echo "$folder/ has no row"; bad=1; }
	done
	return $bad
}

libraries_of() {
	local folder=$1 header bad=0
	local -A forbidden=(
		[base]='event|libmnl|natpmp|yaml|sqlite3|unistd|sys/|time\.h|stdlib|fcntl|netinet|arpa'
		[gossip]='event|libmnl|natpmp|yaml|sqlite3|unistd|sys/|time\.h|stdlib|fcntl|netinet|arpa'
		[nat]='event|libmnl|natpmp|yaml|sqlite3|unistd|sys/|time\.h|stdlib|fcntl|netinet|arpa'
		[site]='event|libmnl|natpmp|yaml|sqlite3|unistd|sys/|time\.h|stdlib|fcntl|netinet|arpa'
		[simulator]='event|libmnl|natpmp|yaml|sqlite3|sys/socket|netinet|arpa'
		[config]='event|libmnl|natpmp|sqlite3|sys/socket|sys/time|netinet'
		[store]='event|libmnl|natpmp|yaml|sys/socket|netinet'
	)
	while read -r header; do
		echo "$folder/ includes <$header>"
		bad=1
	done < <(project_files "$folder/*.c" "$folder/*.h" | xargs -r grep -hoE '^#include <[^>]+>' |
		sed 's/#include <//; s/>$//' | sort -u | grep -E "^(${forbidden[$folder]})")
	return $bad
}

# What a pure library takes from outside itself and the pure ones is on the list.
symbols_of() {
	local library=$BUILD/gcc/$1/lib$1.a bad=0 symbol
	[ -f "$library" ] || { echo "$library is not there"; return 1; }
	for symbol in $(nm -u "$library" 2>/dev/null | awk '$1 == "U" { print $2 }' | sort -u); do
		grep -qx "$symbol" "$work/defined" || grep -qx "$symbol" tests/lint/pure-symbols.txt ||
			{ echo "lib$1 takes $symbol"; bad=1; }
	done
	return $bad
}

# No file-scope variable: any number of sites lives in one process.
no_variables_in() {
	! objdump -t "$BUILD/gcc/$1/lib$1.a" 2>/dev/null |
		grep -E '\bO \.(t?data|t?bss)(\.|\s)' | grep -v '\.data\.rel\.ro' | awk '{ print $NF }' | grep .
}

# The virtual world has the virtual clock and the seed's chance only; its commands may show progress.
world_is_virtual() {
	! nm -u "$BUILD/gcc/simulator/libsimulator.a" 2>/dev/null | awk '$1 == "U" { print $2 }' |
		grep -xE 'clock|clock_gettime|gettimeofday|time|s?rand(om)?|randombytes_(buf|random|uniform)|getrandom|getenv'
}

# What a program was linked from, by ninja's account.
archives_of() {
	ninja -C "$BUILD/gcc" -t inputs "$1" 2>/dev/null | grep -E "^(base|gossip|nat|site)/lib(base|gossip|nat|site)\.a$" | sort
}

# The functions of the pure libraries, with their sizes, as they stand in a program.
functions_in() {
	nm -S --defined-only "$BUILD/gcc/$1" | awk 'NF == 4 && tolower($3) == "t" { print $4, $2 }' | sort |
		join - "$work/pure"
}

# People run what was proven: both programs take the pure libraries, whole, from the same files.
programs_share_the_pure_libraries() {
	local folder
	for folder in "${pure[@]}"; do
		nm --defined-only "$BUILD/gcc/$folder/lib$folder.a" 2>/dev/null | awk 'NF == 3 && $2 == "T" { print $3 }'
	done | sort -u >"$work/pure"
	archives_of agent/collective >"$work/archives"
	[ "$(wc -l <"$work/archives")" -eq "${#pure[@]}" ] || { echo "collective is linked from:"; cat "$work/archives"; return 1; }
	diff "$work/archives" <(archives_of simulator/collective-sim) || return 1
	functions_in agent/collective >"$work/functions"
	[ "$(wc -l <"$work/functions")" -eq "$(wc -l <"$work/pure")" ] ||
		{ echo "collective lacks some of them"; join -v 2 <(cut -d" " -f1 "$work/functions") "$work/pure"; return 1; }
	join -v 1 <(functions_in simulator/collective-sim) "$work/functions" | grep . && return 1
	join <(functions_in simulator/collective-sim) "$work/functions" | awk '$2 != $3 { print; bad = 1 } END { exit bad }'
}

# The checks themselves can fail: a library that breaks every rule is caught.
check_bites() {
	mkdir -p "$work/gcc/base" || return 1
	cat >"$work/bad.c" <<'C'
#include <time.h>
int counter;
long bad(void) { return clock() + ++counter; }
C
	gcc -c -o "$work/bad.o" "$work/bad.c" && ar rc "$work/gcc/base/libbase.a" "$work/bad.o" || return 1
	if BUILD=$work symbols_of base; then echo "a clock was not noticed"; return 1; fi
	if BUILD=$work no_variables_in base; then echo "a variable was not noticed"; return 1; fi
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for folder in "${pure[@]}"; do
	nm --defined-only "$BUILD/gcc/$folder/lib$folder.a" 2>/dev/null | awk 'NF == 3 { print $3 }'
done >"$work/defined"

check "every folder with code has a row in layers.txt" every_folder_has_a_row
mapfile -t folders < <(sed -n 's/^\([a-z]*\):.*/\1/p' tests/lint/layers.txt)
for folder in "${folders[@]}"; do
	check "$folder/ includes what it may" includes_of "$folder"
done
for folder in base gossip nat site config store simulator; do
	check "$folder/ uses no library that is not its own" libraries_of "$folder"
done
for folder in "${pure[@]}"; do
	check "lib$folder takes nothing impure" symbols_of "$folder"
	check "lib$folder has no variable at file scope" no_variables_in "$folder"
done
check "the virtual world reads no clock and draws no chance" world_is_virtual
check "collective and collective-sim have the same brain" programs_share_the_pure_libraries
check "the layering checks bite" check_bites
finish
