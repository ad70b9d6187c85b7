#!/bin/bash
# test_sim.sh - the simulator as a person or a script meets it. SIM names it.
set -u
# shellcheck source=tests/tap.sh
. "${SOURCE:?}/tests/tap.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
program=${SIM:?}
export COLLECTIVE_SCENARIOS=$work/scenarios
mkdir "$work/scenarios" "$work/here"
cd "$work/here" || exit 1

# A claim that holds, one that does not, and one whose runs never end.
cat >"$work/scenarios/quiet.yaml" <<'EOF'
claim: Nothing happens.
sites: 3
seeds: 3
duration: 20s
settle: 10s
properties: [P2, P4]
EOF
cat >"$work/scenarios/deaf.yaml" <<'EOF'
claim: Nobody "hears" anything, \ and all agree.
sites: 4
seeds: 2
acquainted: false
duration: 3m
heal: 90s
settle: 30s
line: {delay: 20ms, loss: 100%}
routers: [home, symmetric]
events:
  - {at: 30s, do: crash, site: 2, for: 1500ms}
  - {at: 31s, do: reboot, site: 3}
faults: {kill: 3, wall: 2}
EOF
cat >"$work/scenarios/endless.yaml" <<'EOF'
claim: It comes to an end.
sites: 30
duration: 1000d
crypto: stub
properties: [P2]
EOF

# Each line of the program's answer is JSON; of the list of them this Python expression is true.
json_holds() {
	local expression=$1
	shift
	"$program" "$@" 2>/dev/null |
		python3 -c "import json, sys; d = [json.loads(line) for line in sys.stdin]; sys.exit(not ($expression))"
}

check "no command: the overview, on standard error" gives 2 '' 'Commands:' --
check "help: the overview, with the environment" gives 0 'COLLECTIVE_SCENARIOS' -- help
check "help: the exit status" gives 0 'The exit status is 0' -- --help
check "help of a command, with its options" gives 0 '--without P1[,P2]' -- help run
check "help says what a default is" gives 0 '(default 1)' -- run --help
check "help of nothing known" gives 2 '' 'did you mean "replay"?' -- help repaly
check "version as an option" gives 0 'collective-sim 0.' -- --version
check "version as a command" gives 0 'collective-sim 0.' -- version
check "a mistyped command suggests the nearest" gives 2 '' 'there is no command "shirnk": did you mean "shrink"?' -- shirnk x
check "a command unlike any other" gives 2 '' '"collective-sim help" lists them' -- qqqqqqqqqq
check "control characters in a word are not echoed" gives 2 '' 'there is no command "\x1b[2J"' -- $'\e[2J'
check "a mistyped option suggests the nearest" gives 2 '' 'there is no option "--sede": did you mean "--seed"?' -- run quiet --sede 1
check "a beginning of an option is not taken" gives 2 '' 'there is no option "--tra"' -- run quiet --tra x
check "an option without its argument" gives 2 '' '--seed needs an argument' -- run quiet --seed
check "an argument for an option that takes none" gives 2 '' '--json takes no argument' -- run quiet --json=1
check "an option that the command does not take" gives 2 '' '"replay" takes no --jobs' -- replay x --jobs 2
check "too few words" gives 2 '' 'usage: collective-sim run SCENARIO' -- run
check "too many words" gives 2 '' 'usage: collective-sim list' -- list x
check "a seed that is none" gives 2 '' '--seed "-1": what belongs here is one number' -- run quiet --seed -1
check "a range as one seed" gives 2 '' '--seed "1..2": what belongs here is one number' -- run quiet --seed 1..2
check "seeds in the wrong order" gives 2 '' '--seeds "5..1": what belongs here is two numbers' -- run quiet --seeds 5..1
check "too many seeds" gives 2 '' 'for at most 10000000 seeds' -- run quiet --seeds 0..10000000
check "all the seeds there are" gives 2 '' 'for at most 10000000 seeds' -- run quiet --seeds 0..18446744073709551615
check "the last seed there is" gives 0 'quiet: 2 of 2 seeds held' -- run quiet --seeds 18446744073709551614..18446744073709551615
check "both kinds of seeds" gives 2 '' 'either --seed or --seeds' -- run quiet --seed 1 --seeds 1..2
check "no jobs" gives 2 '' '--jobs "0": what belongs here is a number from 1 to 64' -- run quiet --jobs 0
check "jobs that are no number" gives 2 '' '--jobs "2x"' -- run quiet --jobs 2x
check "no such property" gives 2 '' '--without "P16": what belongs here is names from P1 to P15' -- run quiet --without P16
check "a property too little" gives 2 '' '--without "P1,"' -- run quiet --without P1,
check "a property that cannot be left out" gives 2 '' 'P14 cannot be left out' -- run quiet --without P14
check "a sweep of one site" gives 2 '' '--sites "1": what belongs here is a number from 2' -- sweep --sites 1
check "a sweep with too many seeds" gives 2 '' 'a sweep takes at most 1000 seeds' -- sweep --seeds 1..1001
check "a mistyped scenario suggests the nearest" gives 2 '' 'there is no scenario "quite": did you mean "quiet"?' -- run quite
check "a scenario unlike any other" gives 2 '' '"collective-sim list" shows them' -- run qqqqqqqqqq
check "a file that is not there" gives 2 '' 'no.yaml: No such file or directory' -- run no.yaml
no_directory() { COLLECTIVE_SCENARIOS=$work/none gives 2 '' 'names another directory' -- "$@"; }
check "a directory that is not there" no_directory list
check "a scenario in a directory that is not there" no_directory run quiet

check "list: aligned, one and many" gives 0 'quiet        3 sites         3 seeds  Nothing happens.' -- list
check "list --json is JSON" json_holds 'len(d) == 3 and d[0]["claim"] == "Nobody \"hears\" anything, \\ and all agree." and d[2]["seeds"] == 3' list --json
one_is_bad() {
	mkdir "$work/bad" && cp "$work/scenarios/quiet.yaml" "$work/bad" || return 1
	printf 'claim: x\nsites: 1\n' >"$work/bad/x.yaml"
	COLLECTIVE_SCENARIOS=$work/bad gives 1 'quiet  ' 'x.yaml:1:1: for how long?' -- list && grep -qx '1 problem' "$work/err"
}
check "list names what cannot be read, and lists the others" one_is_bad

check "run: the line that repeats it" gives 0 '# collective-sim run quiet --seeds 1..3' -- run quiet
check "run: what is measured is said" gives 0 'quiet: 3 of 3 seeds held: Nothing happens.' -- run quiet --jobs 2
check "run: one seed" gives 0 'quiet seed 2: held; agreed after 0.200 s; ' -- run quiet --seed 2
check "run: the line names what was left out" gives 0 '# collective-sim run quiet --seed 2 --without P2,P10' -- run quiet --without P10,P2 --seed 2
cp "$work/scenarios/quiet.yaml" "$work/scenarios/a quiet one.yaml"
check "run: the line can be given to a shell" gives 0 "# collective-sim run '../scenarios/a quiet one.yaml' --seed 1" -- \
	run '../scenarios/a quiet one.yaml' --seed 1
rm "$work/scenarios/a quiet one.yaml"
check "run --json is JSON" json_holds '[r["seed"] for r in d] == [1, 2, 3] and all(r["held"] and not r["died"] for r in d)' run quiet --json
cp "$work/scenarios/quiet.yaml" "$work/a\"b.yaml"
check "run --json escapes names" json_holds 'd[0]["scenario"] == "a\"b"' run "$work/a\"b.yaml" --json --seed 1
same_hash() {
	local with without
	with=$("$program" run quiet --seed 3 --trace "$work/trace" | grep -o 'trace [0-9a-f]*')
	without=$("$program" run quiet --seed 3 | grep -o 'trace [0-9a-f]*')
	[ -n "$with" ] && [ "$with" = "$without" ]
}
check "run --trace: the same run" same_hash
the_trace_is_clean() {
	head -1 "$work/trace" | grep -qx '# collective-sim run quiet --seed 3' || { head -1 "$work/trace"; return 1; }
	! grep -nE '[[:blank:]]$|agent ends|peer [0-9a-f]{8}|[^0-9.]1 (facts|rows)' "$work/trace"
}
check "run --trace: names of peers, no blanks at ends, nothing of the end of the world" the_trace_is_clean
check "run --trace of several seeds is refused" gives 2 '' 'a trace is of one seed, and here are 3' -- run quiet --trace "$work/trace"
check "run --trace - and --json are refused" gives 2 '' 'name a file for the trace' -- run quiet --seed 1 --trace - --json
check "run --trace to where nothing can be written" gives 2 '' '/none/trace: No such file or directory: nothing was run' -- run quiet --seed 1 --trace /none/trace
check "run --trace to a full disk" gives 2 '' '/dev/full: No space left on device: the trace is not whole' -- run quiet --seed 1 --trace /dev/full
full_disk() {
	"$program" list >/dev/full 2>"$work/err"
	[ $? -eq 2 ] && grep -q 'cannot write the answer: No space left' "$work/err"
}
check "a full disk behind the output is said" full_disk

failure_is_kept() {
	rm -f ./*.yaml
	gives 1 'deaf seed 1: P10 DOES NOT HOLD after 120.000 s: ' 'written to deaf-1.failure.yaml: collective-sim shrink deaf-1.failure.yaml' -- run deaf &&
		grep -q '0 of 2 seeds held' "$work/out" && [ ! -e deaf-2.failure.yaml ]
}
check "a failure is kept: the one with the lowest seed" failure_is_kept
check "a failure kept has its property first, and the version" grep -qE '^# P10: |^program: "0\.' deaf-1.failure.yaml
check "an older record of the same failure is replaced" gives 1 '' 'written to deaf-1.failure.yaml' -- run deaf --seed 1
another_file_stays() {
	echo mine >deaf-2.failure.yaml
	gives 1 '' 'deaf-2.failure.yaml is there, and is no record of this failure: the failure was not kept' -- run deaf --seed 2 &&
		[ "$(cat deaf-2.failure.yaml)" = mine ] &&
		gives 1 '' 'written to deaf-2.failure.yaml' -- run deaf --seed 2 --out deaf-2.failure.yaml
}
check "another file stays, unless --out names it" another_file_stays
check "a failure that cannot be kept is said" gives 1 '' '/none/x: No such file or directory: the failure was not kept' -- run deaf --seed 1 --out /none/x
check "a failure with a trace is kept" gives 1 '' "written to traced.yaml" -- run deaf --seed 1 --trace "$work/trace" --out traced.yaml
check "a failure runs like a scenario" gives 1 '# collective-sim run deaf-1.failure.yaml --seed 1' -- run deaf-1.failure.yaml --out again.yaml
check "a failure kept again is the same" cmp <(tail -n +2 deaf-1.failure.yaml) <(tail -n +2 again.yaml)

check "replay: exactly" gives 0 'exactly as it was recorded' -- replay deaf-1.failure.yaml
check "replay --trace names what it tells" gives 0 '# collective-sim replay deaf-1.failure.yaml' -- replay deaf-1.failure.yaml --trace -
check "replay --trace to where nothing can be written" gives 2 '' '/none/trace: No such file or directory: nothing was run' -- replay deaf-1.failure.yaml --trace /none/trace
altered() { sed "$1" deaf-1.failure.yaml >altered.yaml; shift; "$@"; }
check "replay: another way" altered 's/^hash: .*/hash: 0x1/' gives 1 '' 'the same property fails, on another way: trace 0000000000000001 was recorded' -- replay altered.yaml
check "replay: another property" altered 's/^fails: .*/fails: P2/' gives 1 '' 'it was P2 that failed, and it is P10 now' -- replay altered.yaml
check "replay: nothing" altered 's/^line: .*//' gives 1 '' 'it was P10 that failed, and nothing fails now' -- replay altered.yaml
check "replay: another version is said" altered 's/^program: .*/program: 0.0.9/' gives 0 'exactly' 'recorded with version 0.0.9, and this is 0.' -- replay altered.yaml
check "replay of what is no failure" gives 2 '' 'is a scenario, but no failure' -- replay quiet

check "shrink: to what is needed" gives 0 '0 faults among 2 sites are enough for P10: written to small.yaml' -- shrink deaf-1.failure.yaml --out small.yaml
check "shrink: the first line says what fails" grep -qm 1 '^# P10: ' small.yaml
check "shrink: what is small replays" gives 0 'exactly as it was recorded' -- replay small.yaml
check "shrink: what is small is readable" grep -qx 'duration: 121s' small.yaml
check "shrink of what does not fail" altered 's/^line: .*//' gives 1 '' 'altered.yaml does not fail as it says: P10 was recorded, and now nothing fails' -- shrink altered.yaml
check "shrink of what is no failure" gives 2 '' 'is a scenario, but no failure' -- shrink quiet
check "shrink to where nothing can be written" gives 2 '' '/none/x: No such file or directory' -- shrink small.yaml --out /none/x
holds() {
	cat >holds.yaml <<'EOF'
claim: A loss is noticed at once.
sites: 3
duration: 10m
heal: 5m
settle: 1m
joining: true
events:
  - {at: 4s, do: join, site: 1}
  - {at: 6s, do: join, site: 2}
  - {at: 20s, do: clock, site: 1, value: 0}
  - {at: 4m, do: crash, site: 1, for: 10s}
seed: 1
fails: P10
EOF
	cp holds.yaml before.yaml
	gives 1 '' 'nothing to shrink' -- shrink holds.yaml && cmp holds.yaml before.yaml
}
check "shrink does not touch what holds" holds

# A run that is killed while it goes: by the time it takes.
dies() { (ulimit -t 1 && gives "$@"); }
check "a run that dies has failed, also where P6 is not looked at" \
	dies 1 'endless seed 1: P6 DOES NOT HOLD: the run died: signal' 'seed 1 died: signal' -- run endless --seed 1 --out died.yaml
check "a run that died is kept, without a hash" sh -c 'grep -q "^fails: P6" died.yaml && ! grep -q "^hash" died.yaml'
check "a run that died is replayed" dies 0 'exactly as it was recorded' -- replay died.yaml
check "without P6 it has not failed, and is said" \
	dies 0 '"held":true,"died":true,"property":"none","text":"signal' 'seed 1 died: signal' -- run endless --seed 1 --without P6 --json
two_runs_differ() { (ulimit -f 1 && gives 1 'the run died' 'P14 DOES NOT HOLD: two runs differ' -- run quiet --seed 1 --trace trace --out /dev/null); }
check "what dies once only is said" two_runs_differ

# How far a long run is, on a terminal.
progress() {
	python3 - "$program" <<'P'
import os, pty, select, subprocess, sys, time
master, slave = pty.openpty()
run = subprocess.Popen([sys.argv[1], "run", "endless", "--seed", "1"], stdin=slave, stdout=subprocess.DEVNULL, stderr=slave)
said = b""
until = time.time() + 20
while time.time() < until and b" of 86400000 s" not in said:
    if select.select([master], [], [], 0.1)[0]:
        said += os.read(master, 1000)
run.terminate()
run.wait()
assert b"endless: " in said and b" of 86400000 s" in said, said
P
}
check "a long run shows how far it is" progress

finish
