#!/bin/bash
# twice.sh - one invite at two machines at the same instant: one becomes the member, the other is told why it does not.
#
#   hub, ann, bob   directly on inet; ann and bob have the same invite
# shellcheck disable=SC2154 # of what is sourced
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/collective.sh
. tests/lab/collective.sh
# shellcheck source=tests/lab/links.sh
. tests/lab/links.sh
# shellcheck source=tests/lab/guests.sh
. tests/lab/guests.sh

begins() { at hub init --name home --endpoint 198.51.100.1 && measures hub; }
joins_with() { at "$1" join - <"$world_dir/invite" >"$world_dir/$1/join.log" 2>&1; }
# Each has a session with the hub's WireGuard, and has asked for a second since.
both_have_called() { has_called ann && has_called bob && sleep 1; }
has_called() { site_run "$1" wg show collective0 latest-handshakes 2>/dev/null | grep -qv '	0$'; }
is_redeemed_twice() {
	local first second pid
	at hub invite cam >"$world_dir/invite" 2>"$world_dir/words" || { cat "$world_dir/words"; return 1; }
	# What both ask for lies before the hub's agent when it looks again.
	pid=$(agent_pid hub) && kill -STOP "$pid" || return
	joins_with ann &
	first=$!
	joins_with bob &
	second=$!
	world_wait 10 both_have_called || { kill -CONT "$pid"; cat "$world_dir/ann/join.log" "$world_dir/bob/join.log"; return 1; }
	kill -CONT "$pid"
	winner='' loser=''
	if wait "$first"; then winner=ann; else loser=ann; fi
	if wait "$second"; then winner+=bob; else loser+=bob; fi
	echo "$winner" >"$world_dir/winner"
	echo "$loser" >"$world_dir/loser"
	cat "$world_dir/ann/join.log" "$world_dir/bob/join.log"
	[ "$winner $loser" = 'ann bob' ] || [ "$winner $loser" = 'bob ann' ]
}
is_told() { grep -F 'this invite was used on another machine already' "$world_dir/$(cat "$world_dir/loser")/join.log" || { cat "$world_dir/"*/join.log; return 1; }; }
there_is_one() {
	local winner loser
	winner=$(cat "$world_dir/winner") loser=$(cat "$world_dir/loser")
	knows hub "set(s) == {'home', 'cam'}" && knows_without_words "$winner" "d['state'] == 'member' and d['site']['name'] == 'cam'" &&
		! knows_without_words "$loser" "d['state'] == 'member'" && world_wait 5 reaches "$winner" 10.100.0.1 && misses "$loser" 10.100.0.1 0.3
}
owner_hears() { grep -F 'another identity tried the invite of cam' "$world_dir/hub/home/run/agent.log" || { cat "$world_dir/hub/home/run/agent.log"; return 1; }; }

world_begin
world_public hub 198.51.100.1
world_public ann 198.51.100.2
world_public bob 198.51.100.3
settle hub ann bob
check "a hub is founded" begins
check "of two machines that redeem one invite at the same instant one gets in" is_redeemed_twice
check "the other is told that it was used" is_told
check "there is one member, and only its packets pass" there_is_one
check "the owner hears of it" owner_hears
check "the hub's agent is the same" are_the_same hub
finish
