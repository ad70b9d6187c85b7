#!/bin/bash
# long.sh - what takes hours, as TAP; how far it is, is said on standard error. `tools/test long` installs what it needs,
# builds, and runs it.
#
#   tests/long.sh [PART]...       fuzz, unit, valgrind, i386, systemd, pairs, seeds, chaos, conformance; all of them where none
#                                 is named
#   tests/long.sh --write         what was found by each of them last becomes docs/measurements/long.json, and part of
#                                 docs/measurements.md
#
# Each part leaves BUILD/long/PART.tap. Where all is committed, a part that came to its end in this very state is not begun
# anew, whatever it found: who was interrupted goes on, within `seeds` with the scenario that was interrupted. Who wants it
# again removes the file.
#
#   LONG_FUZZ       seconds of each parser (60)
#   LONG_ATTEMPTS   attempts of each pair (20)
#   LONG_SEEDS      of each scenario (2000; the heavy ones have a hundredth)
#   LONG_CHAOS      minutes of faults, two of each seed (30)
#   LONG_ROUNDS     of all rows of conformance, in the lab and in the virtual machine (5)
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"
# shellcheck source=tests/tap.sh
. tests/tap.sh

all=(fuzz unit valgrind i386 systemd pairs seeds chaos conformance)
fuzzed=${LONG_FUZZ:-60}
attempts=${LONG_ATTEMPTS:-20}
seeds=${LONG_SEEDS:-2000}
minutes=${LONG_CHAOS:-30}
rounds=${LONG_ROUNDS:-5}
heavy=' thousand_sites_cold_start a_week_switched_off '
declare -A words=(
	[fuzz]="every parser, $fuzzed s each, hostile members of the whole program among them"
	[unit]='the unit tests, with 2,000 kills, 5,000 damages and 100,000 histories'
	[valgrind]='the unit tests under valgrind'
	[i386]='built for 32 bits; the unit tests, plain and with sanitizers; what the simulator sees, beside 64 bits'
	[systemd]='the package installed, upgraded, killed, rebooted and removed under a real systemd'
	[pairs]="36 pairs of routers and 55 with those that let in what is theirs: real agents, $attempts first attempts each"
	[seeds]="every scenario of the simulator, $seeds seeds each; those of a thousand sites and of a week $((seeds / 100 + 1))"
	[chaos]="$minutes minutes of faults of every kind among real agents, and a quarter of the seeds again on slow lines"
	[conformance]="every row of docs/conformance.md, $rounds times in each lane"
)

# Two at a time: each has one thread.
fuzz() {
	local target targets
	mapfile -t targets < <(find tests/fuzz -name 'fuzz_*.c' | sed 's|.*/fuzz_||; s/\.c$//' | sort)
	# shellcheck disable=SC2016 # the inner shell's
	printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} sh -c 'tools/fuzz {} "$1" >"$2/fuzz-{}.log" 2>&1; echo $? >"$2/fuzz-{}.status"' sh "$fuzzed" "$folder"
	for target in "${targets[@]}"; do check "fuzz $target" finds_nothing "$target"; done
}
finds_nothing() { [ "$(cat "$folder/fuzz-$1.status")" = 0 ] || { tail -n 20 "$folder/fuzz-$1.log"; return 1; }; }

# with_meson NAME OPTION... - the unit tests as gcc built them.
with_meson() {
	local logs=$BUILD/gcc/meson-logs
	rm -f "$logs"/testlog*.json
	meson test -C "$BUILD/gcc" --no-rebuild --suite unit "${@:2}" >"$folder/$1.log" 2>&1
	# With a wrapper its name is another one.
	python3 tools/tap-of-meson "$1" "$logs"/testlog*.json || echo "not ok - no result of $1: $folder/$1.log"
}
unit() { STORE_KILLS=2000 STORE_DAMAGES=5000 LEDGER_HISTORIES=100000 with_meson long --timeout-multiplier 20; }
valgrind() {
	BACKUP_REST_MS=300 with_meson valgrind --timeout-multiplier 50 \
		--wrap 'valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite'
}

# Each pair has one attempt a round; what a round says of it is one line.
pairs() {
	local round table name
	for ((round = 1; round <= attempts; round++)); do
		for table in pairs doubles; do
			PAIRS_TABLE=tests/lab/$table.txt tests/lab/pairs.sh agents >"$work/round" 2>&1
			grep -E '^(not )?ok\b' "$work/round" | sed -E "s/^(not ok|ok) [0-9]+ - (.*)/\\1\\t$table: \\2/" >>"$work/pairs"
			awk '/^not ok/ { shown = 1 } /^(ok|# [0-9]+ pairs|1\.\.)/ { shown = 0 } shown' "$work/round" >>"$work/pairs.words"
		done
	done
	[ -s "$work/pairs" ] || { check "pairs of routers" false; return; }
	cut -f 2 "$work/pairs" | sort -u >"$work/pairs.names"
	while IFS= read -r name; do
		check "$name, $attempts times" holds_each_time "$name"
	done <"$work/pairs.names"
}

holds_each_time() {
	local good
	good=$(grep -cxF "ok	$1" "$work/pairs")
	[ "$good" -eq "$attempts" ] || { echo "$good of $attempts"; head -40 "$work/pairs.words"; return 1; }
}

# once WORDS COMMAND... - what held in this very state before the part was interrupted holds still.
once() {
	local begun=$SECONDS
	[ -z "$state" ] || ! grep -qxE "$state [0-9]+ $1" "$held" || return 0
	"${@:2}" || return
	echo "$state $((SECONDS - begun)) $1" >>"$held"
}

holds() {
	COLLECTIVE_SCENARIOS=simulator/scenarios "$BUILD/release/simulator/collective-sim" run "$1" --seeds "1..$2" --jobs 2 \
		--out "$folder/$1.failure.yaml" >"$work/log" 2>&1 || { tail -n 5 "$work/log"; return 1; }
}

seeds() {
	local file name count
	for file in simulator/scenarios/*.yaml; do
		name=$(basename "$file" .yaml)
		count=$seeds
		[[ $heavy != *" $name "* ]] || count=$((seeds / 100 + 1))
		check "$name, $count seeds" once "$name $count" holds "$name" "$count"
	done
}

survives() {
	CHAOS_SEED=$1 CHAOS_SECONDS=120 CHAOS_PATIENCE=600 tests/lab/test_chaos.sh >"$folder/chaos-$1.tap" 2>&1 </dev/null || {
		grep -A 4 '^not ok' "$folder/chaos-$1.tap"
		return 1
	}
}

# The machine's environment is its own: what a run is to be stands in a script.
survives_slowly() {
	local script=$folder/chaos-kernel.sh out=$folder/chaos-kernel-$1.tap
	cat >"$script" <<-EOF
		#!/bin/bash
		export IMPLEMENTATION=kernel CHAOS_SEED=$1 CHAOS_SECONDS=120 CHAOS_PATIENCE=600
		exec $SOURCE/tests/lab/chaos/run.sh
	EOF
	chmod 755 "$script"
	if ! tests/kernel/boot.sh --timeout 1800 "$script" >"$out" 2>&1 </dev/null || ! grep -q '^ok' "$out"; then
		grep -A 4 '^not ok' "$out"
		tail -n 3 "$out"
		return 1
	fi
}

chaos() {
	local seed
	for ((seed = 1; seed <= (minutes + 1) / 2; seed++)); do
		check "chaos of seed $seed" survives "$seed"
		[ $((seed % 4)) -ne 1 ] || check "chaos of seed $seed, slow lines, the kernel's WireGuard" survives_slowly "$seed"
	done
}

# What each lane says of a row in a round is one line.
conformance() {
	local round name
	for ((round = 1; round <= rounds; round++)); do
		{
			CONFORMANCE=long tests/lab/test_conformance.sh
			tests/kernel/boot.sh --timeout 1800 tests/kernel/conformance_long.sh
		} >"$work/round" 2>&1 </dev/null
		grep -E '^(not )?ok\b' "$work/round" | sed -E 's/^(not ok|ok) [0-9]+ - (.*)/\1\t\2/' >>"$work/rows"
		grep '^#' "$work/round" >>"$work/rows.words"
	done
	[ -s "$work/rows" ] || { check "rows of conformance" false; return; }
	cut -f 2 "$work/rows" | sort -u >"$work/rows.names"
	check "as many rows as the table has for both lanes" has_all_rows
	while IFS= read -r name; do
		check "$name, $rounds times" keeps_to_table "$name"
	done <"$work/rows.names"
}

# Rows without delay once for each WireGuard, those with delay twice in the virtual machine.
has_all_rows() {
	local wanted
	wanted=$(($(grep -cvE '^(#|$)' tests/conformance/rows.txt) * 2))
	[ "$(grep -cE '^(kernel|userspace), ' "$work/rows.names")" -eq "$wanted" ] || { wc -l "$work/rows.names"; tail -40 "$work/round"; return 1; }
}

# Two initiations that crossed may do so again, or miss each other on a busy machine: of these the measurements have medians.
# Every other row has one outcome.
keeps_to_table() {
	local good least=$rounds
	case $1 in *', cross-'*) least=$((rounds / 2 + 1)) ;; esac
	good=$(grep -cxF "ok	$1" "$work/rows")
	[ "$good" -ge "$least" ] || { echo "$good of $rounds"; grep -F "$(sed 's/^[a-z]*, //; s/:.*//' <<<"$1")" "$work/rows.words"; return 1; }
}

# alone PART - a script, whose cases become ours; how far it is, is seen in its file meanwhile. One that cannot be tried
# here says so, and one that ends before its plan has failed.
alone() {
	local status=0 out=$folder/$1.script.tap
	"tests/$1.sh" >"$out" 2>&1 </dev/null || status=$?
	if [ "$status" -eq 77 ]; then
		skip "$1" "$(tail -n 1 "$out")"
		return
	fi
	relay <"$out"
	check "$1 comes to its end" ended "$status" "$out"
}
ended() {
	if ! grep -q '^1\.\.' "$2" || [ "$1" -ne $(($(grep -c '^not ok' "$2") > 0)) ]; then
		echo "status $1"
		tail -n 5 "$2"
		return 1
	fi
}

i386() { alone i386; }
systemd() { alone systemd; }

# The state that is tried: nothing where something of it is not committed.
state() {
	local git=(git -c "safe.directory=$PWD")
	[ -z "$("${git[@]}" status --porcelain 2>&1)" ] && "${git[@]}" rev-parse HEAD
}

tries() {
	local out=$folder/$1.tap begun=$SECONDS when kept
	if [ -n "$state" ] && [ "$(sed -n "s/^# state: //p" "$out" 2>/dev/null)" = "$state" ] && grep -qxF "# words: ${words[$1]}" "$out"; then
		echo "$1: was done in this state, $(sed -n 's/^# when: //p' "$out") UTC" >&2
	else
		when=$(date -u '+%Y-%m-%d %H:%M')
		echo "$1: ${words[$1]}; since $when UTC" >&2
		held=$folder/$1.held
		touch "$held"
		kept=$(awk -v state="$state" '$1 == state { sum += $2 } END { print sum + 0 }' "$held")
		# In a process group of its own, which ends with this script.
		set -m
		("$1") >"$out.new" 2>&1 </dev/null &
		running=$!
		set +m
		wait "$running"
		running=
		printf '# %s\n' "words: ${words[$1]}" "when: $when" "seconds: $((kept + SECONDS - begun))" "state: $state" >>"$out.new"
		mv "$out.new" "$out"
		rm "$held"
		echo "$1: $(grep '^ok' "$out" | grep -vc '# SKIP') passed, $(grep -c '^not ok' "$out") failed, $(grep -c '^ok.*# SKIP' "$out") skipped, $((SECONDS - begun)) s" >&2
	fi
	relay <"$out"
}

folder=$BUILD/long
if [ "${1:-}" = --write ]; then
	python3 tests/bench/long.py "$folder" docs/measurements/long.json "${all[@]}" &&
		exec python3 tests/bench/compare.py write docs/measurements/measurements.json docs
	exit
fi
for part in "$@"; do
	[ -n "${words[$part]:-}" ] || { echo "there is no part \"$part\"; these are: ${all[*]}" >&2; exit 2; }
done
[ $# -gt 0 ] || set -- "${all[@]}"
mkdir -p "$folder" && work=$(mktemp -d) || exit 1
running=
end() {
	[ -z "$running" ] || { kill -TERM -- "-$running" && wait "$running"; } 2>/dev/null
	rm -rf "$work"
}
trap end EXIT
trap 'exit 143' HUP INT TERM
state=$(state)
for part in "$@"; do tries "$part"; done
finish
