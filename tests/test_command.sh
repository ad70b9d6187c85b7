#!/bin/bash
# test_command.sh - the program as a person or a script meets it. COLLECTIVE names it.
set -u
# shellcheck source=tests/tap.sh
. "${SOURCE:?}/tests/tap.sh"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset COLLECTIVE_CONFIG COLLECTIVE_STATE COLLECTIVE_RUN
export COLLECTIVE_STATE=$work/state
program=${COLLECTIVE:?}

check "no command: the overview, on standard error" gives 2 '' 'Commands:' --
check "help: the overview" gives 0 'config check [FILE]' -- help
check "help of a command" gives 0 'Usage: collective config check [FILE]' -- help config check
check "help as an option behind the command" gives 0 'Usage: collective backup FILE' -- backup --help
check "help as an option behind an argument" gives 0 'Usage: collective backup FILE' -- backup home.backup --help
check "help of a group" gives 0 'Commands of "config"' -- help config
check "help of nothing known" gives 2 '' 'did you mean "backup"' -- help backpu
check "version" gives 0 'collective 0.' -- --version
check "version as a command, in JSON" gives 0 '{"version":"0.' -- version --json
check "a mistyped command suggests the nearest" gives 2 '' 'did you mean "restore"?' -- restor x
check "a mistyped second word suggests the nearest" gives 2 '' 'did you mean "config check"?' -- config chekc
check "a mistyped group suggests the nearest" gives 2 '' 'did you mean "config"?' -- confg check
check "a beginning of an option is not taken" gives 2 '' 'there is no option "--stat"' -- --stat x version
check "options behind the command under POSIXLY_CORRECT" env POSIXLY_CORRECT=1 "$program" version --json
check "a group alone lists its commands" gives 2 '' 'config example' -- config
check "a command unlike any other" gives 2 '' '"collective help" lists them' -- qqqqqqqqqqqq
check "control characters in a word are not echoed" gives 2 '' 'there is no command "\x1b[2J"' -- $'\e[2J'
check "a mistyped option suggests the nearest" gives 2 '' 'did you mean "--state"?' -- version --staet x
check "an unknown letter" gives 2 '' 'there is no option "-x"' -- version -x
check "an option without its argument" gives 2 '' '--state needs an argument' -- version --state
check "an argument for an option that takes none" gives 2 '' '--json takes no argument' -- version --json=1
check "an option that the command does not take" gives 2 '' '"backup" takes no --json' -- backup --json x
check "too few arguments" gives 2 '' 'usage: collective backup FILE' -- backup
check "too many arguments" gives 2 '' 'usage: collective config example' -- config example more
check "options before the command" gives 0 'no problems' -- --config "$SOURCE/tests/data/small.yaml" config check
check "options behind the command" gives 0 'no problems' -- config check --config "$SOURCE/tests/data/small.yaml"
check "options in the middle" gives 0 'no problems' -- config --config="$SOURCE/tests/data/small.yaml" check

missing_default() {
	COLLECTIVE_CONFIG=$work/none.yaml gives 0 'every key has its default' -- config check
}
check "config check of a missing default: fine" missing_default
check "config check of a missing file that was named" gives 1 '' 'No such file' -- config check "$work/none.yaml"
standard_input() {
	! "$program" config check - >"$work/out" 2>"$work/err" <<<'nmae: x' &&
		grep -q '^-:1:1: unknown key "nmae"' "$work/err"
}
check "config check of standard input" standard_input

# The program's answer is JSON of which this Python expression is true.
json_holds() {
	local expression=$1
	shift
	"$program" "$@" 2>/dev/null | python3 -c "import json, sys; d = json.load(sys.stdin); sys.exit(not ($expression))"
}
ten_mistakes() {
	gives 1 '' '10 problems' -- config check "$SOURCE/tests/data/ten-mistakes.yaml" || return 1
	local line
	while read -r line; do
		grep -qF "ten-mistakes.yaml:$line" "$work/err" || { echo "missing: $line"; cat "$work/err"; return 1; }
	done <"$SOURCE/tests/data/ten-mistakes.expected"
	[ "$(grep -c 'ten-mistakes.yaml:[0-9]*:[0-9]*: ' "$work/err")" -eq 10 ]
}
check "config check names ten mistakes with line and column" ten_mistakes
check "config check --json is JSON" \
	json_holds 'len(d["problems"]) == 10 and d["problems"][0]["line"] == 2' config check --json "$SOURCE/tests/data/ten-mistakes.yaml"
check "config check says what it could not check" gives 0 '' 'this site belongs to none yet' -- config check "$SOURCE/tests/data/networks.yaml"
example_is_right() {
	"$program" config example | "$program" config check -
}
check "config example is a right configuration" example_is_right
check "config keys lists every key" gives 0 'links.publish_addresses' -- config keys
check "config keys explains one" gives 0 'Default: 1024.' -- config keys limits.sites
check "config keys of a section" gives 0 'interfaces.links.mtu' -- config keys interfaces
check "config keys of a last word" gives 2 '' 'did you mean "links.when"?' -- config keys when
check "config keys of an unknown one" gives 2 '' 'did you mean "links.when"?' -- config keys links.wehn
check "config keys --json is JSON" json_holds 'len(d) > 10 and d[0]["key"] == "site.name"' config keys --json
full_disk() {
	"$program" config example >/dev/full 2>"$work/err"
	[ $? -eq 1 ] && grep -q "No space left" "$work/err"
}
check "a full disk behind the output is a failure" full_disk

check "backup without a state says so" gives 1 '' 'there is no state here' -- backup "$work/b"
check "restore of a file that is not there" gives 1 '' 'No such file' -- restore "$work/b" --passphrase-file "$SOURCE/tests/data/passphrase"
backup_and_restore() {
	mkdir -m 700 "$work/golden" "$work/restored" || return 1
	cp "$SOURCE"/tests/golden/schema-1/* "$work/golden" && chmod 600 "$work/golden"/* || return 1
	gives 0 'Saved' -- --state "$work/golden" backup "$work/b" --passphrase-file "$SOURCE/tests/data/passphrase" &&
		gives 1 '' 'is there already' -- --state "$work/golden" backup "$work/b" --passphrase-file "$SOURCE/tests/data/passphrase" &&
		gives 1 '' 'state here already' -- --state "$work/golden" restore "$work/b" --passphrase-file "$SOURCE/tests/data/passphrase" &&
		gives 0 'Restored' -- --state "$work/restored" restore "$work/b" --passphrase-file "$SOURCE/tests/data/passphrase" &&
		cmp "$work/golden/identity.key" "$work/restored/identity.key" &&
		cmp "$work/golden/links.key.pending" "$work/restored/links.key.pending"
}
check "backup and restore carry a state" backup_and_restore
check "config check knows the collective's network from the state" \
	gives 1 '' "10.100.9.0/24 overlaps 10.100.0.0/16, the collective's own network" -- \
	--state "$work/restored" config check "$SOURCE/tests/data/networks.yaml"
passphrase_by_pipe() {
	mkdir -m 700 "$work/piped" || return 1
	printf 'a passphrase of this test\n' | "$program" --state "$work/piped" restore "$work/b"
}
check "the passphrase may come through a pipe" passphrase_by_pipe
short_passphrase() {
	! printf 'short
' | "$program" --state "$work/golden" backup "$work/c" 2>"$work/err" &&
		grep -q "at least 8 characters" "$work/err"
}
nul_passphrase() {
	! printf 'abcdefgh\0tail\n' | "$program" --state "$work/golden" backup "$work/c" 2>"$work/err" &&
		grep -q "NUL" "$work/err"
}
check "a passphrase with a NUL is refused" nul_passphrase
damaged_state() {
	mkdir -m 700 "$work/damaged" && echo "no database" >"$work/damaged/state.db" || return 1
	gives 1 '' 'the state there is damaged' -- --state "$work/damaged" config check "$SOURCE/tests/data/networks.yaml"
}
check "config check says when the state is damaged" damaged_state
# The prompt, on a terminal of its own.
prompt() {
	mkdir -m 700 "$work/asked" || return 1
	python3 - "$program" "$work/asked" "$work/b" <<'P'
import os, pty, select, subprocess, sys
program, state, file = sys.argv[1:]
def ask(keys):
    # Our own end of the terminal stays open, so that nothing said last is lost.
    master, slave = pty.openpty()
    asked = subprocess.Popen([program, "--state", state, "restore", file],
                             stdin=slave, stdout=slave, stderr=slave)
    said = b""
    sent = False
    while asked.poll() is None or select.select([master], [], [], 0)[0]:
        if select.select([master], [], [], 0.05)[0]:
            said += os.read(master, 1000)
        if not sent and b"Passphrase: " in said:
            os.write(master, keys)
            sent = True
    os.close(slave)
    os.close(master)
    return asked.returncode, said.decode()
status, said = ask(b"a pass\x03")
assert status == 1 and "nothing was done" in said, said
status, said = ask(b"x" * 300 + b"\r")
assert status == 1 and "longer than 255" in said, said
status, said = ask("a passphrase of this teä\x7fst\r".encode())
assert status == 0 and "Restored" in said and "passphrase of" not in said, said
P
}
check "the prompt: cancelled, too long, mended with backspace" prompt
check "a passphrase that is too short is refused" short_passphrase

finish
