#!/bin/bash
# kept.sh - what was confirmed is kept, and nothing is ever half: full disks, agents that are killed at the wrong moment.
#
#   hub             directly on inet
#   ann             directly on inet; its disk becomes full
#   bob, cam        at home
#   eve, fay        at home; come in at the same instant
#   x1, x2, …       members that are expelled, without a machine of their own but one
# shellcheck disable=SC2154 # of what is sourced
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/collective.sh
. tests/lab/collective.sh

sites=(hub ann bob cam eve fay)
begins() { at hub init --name home --endpoint 198.51.100.1 >"$world_dir/init" 2>&1 && lets_in ann bob cam; }

join_at_once() {
	local pid
	for site in eve fay; do
		at hub invite "$site" >"$world_dir/$site/invite" 2>"$world_dir/$site/invite.log" || return
	done
	at eve join - <"$world_dir/eve/invite" >"$world_dir/eve/join.log" 2>&1 &
	pid=$!
	at fay join - <"$world_dir/fay/invite" >"$world_dir/fay/join.log" 2>&1 || { cat "$world_dir/fay/join.log"; return 1; }
	wait "$pid" || { cat "$world_dir/eve/join.log"; return 1; }
	world_wait 10 reaches eve "$(address_of fay)" && alike "${sites[@]}" &&
		knows hub "set(s) == {'home', 'ann', 'bob', 'cam', 'eve', 'fay'}"
}

# A spoke's disk.

fills() {
	! site_run ann setpriv "--reuid=$world_user" "--regid=$world_user" --clear-groups dd if=/dev/zero of="$world_dir/ann/state/fill" bs=4096 2>"$world_dir/dd" &&
		grep -q 'No space' "$world_dir/dd"
}

# What the hub says is done is heard of by others; ann lives, carries on with what she has, and says what is wrong.
goes_on_meanwhile() {
	local pid
	pid=$(agent_pid ann)
	at hub expel eve >"$world_dir/expelled" 2>&1 && lets_in dan && grep -q 'could not be saved\|cannot be saved' "$world_dir/ann/agent.log" &&
		reaches ann 10.100.0.1 && reaches bob "$(address_of dan)" && [ "$(agent_pid ann)" = "$pid" ] && ! has_ended "$pid" || { cat "$world_dir/expelled"; tail -5 "$world_dir/ann/agent.log"; return 1; }
}
has_all_once_there_is_room() {
	site_run ann rm "$world_dir/ann/state/fill" && alike hub ann bob cam dan fay && knows ann "'dan' in s and 'eve' not in s"
}
killed_it_remembers() { kills ann && at ann up >/dev/null && alike hub ann bob && knows ann "'dan' in s and 'eve' not in s"; }
killed_while_full() {
	fills && at hub expel dan >/dev/null && kills ann && at ann up >"$world_dir/up" 2>&1 && reaches ann 10.100.0.1 5 && site_run ann rm "$world_dir/ann/state/fill" &&
		alike hub ann bob cam fay && knows ann "'dan' not in s" || { cat "$world_dir/up"; tail -5 "$world_dir/ann/agent.log"; return 1; }
}

# Expulsions that are interrupted: a member each time, who joins on the machine that the last one was on.

comes_as() {
	[ ! -e "$world_dir/guest/state/lock" ] || { loses_power guest; find "$world_dir/guest/state" -mindepth 1 -delete; }
	at hub invite "$1" 2>"$world_dir/guest/invite.log" | at guest join - >"$world_dir/guest/join.log" 2>&1 ||
		{ cat "$world_dir/guest/invite.log" "$world_dir/guest/join.log"; return 1; }
	world_wait 10 reaches guest "$bob"
}

is_peer() { site_run hub wg show collective0 peers | grep -qFx "$1"; }

# As soon as the hub is back: out as if nothing had happened, or in; and out, if somebody was told so.
interrupted() {
	local name=$1 ms=$2 pid key bob verdict=out
	bob=$(address_of bob)
	comes_as "$name" && world_wait 10 knows ann "'$name' in s" && world_wait 10 knows bob "'$name' in s" || return
	key=$(site_run guest wg show collective0 public-key)
	pid=$(agent_pid hub)
	at hub expel "$name" >"$world_dir/expel.log" 2>&1 &
	if [ "$ms" = confirmed ]; then wait $!; else sleep "$(printf '0.%03d' "$ms")"; fi
	kill -KILL "$pid" && world_wait 5 has_ended "$pid"
	if wait $! && grep -q 'other sites know' "$world_dir/expel.log"; then verdict=confirmed; fi
	at hub up >/dev/null || return
	if knows hub "'$name' in s" >/dev/null; then
		[ "$verdict" = out ] || { echo "$name was said to be out, and is in"; return 1; }
		verdict=in
	fi
	echo "$name $verdict" >>"$world_dir/verdicts"
	echo "killed $ms ms into an expulsion: $verdict" | tee -a "$world_dir/shown"
	case $verdict in
	in) is_peer "$key" && world_wait 10 reaches guest "$bob" ;;
	out | confirmed) ! is_peer "$key" && misses guest "$bob" && misses guest 10.100.0.1 ;;
	esac
}

# Once all know the same, that is what the hub said.
verdicts_hold() {
	local name verdict site
	alike hub ann bob cam fay || return
	while read -r name verdict; do
		for site in hub ann bob cam fay; do
			if [ "$verdict" = in ]; then knows "$site" "'$name' in s"; else knows "$site" "'$name' not in s"; fi || return
		done
	done <"$world_dir/verdicts"
	grep -q ' confirmed$' "$world_dir/verdicts"
}

world_begin
world_public hub 198.51.100.1
world_public ann 198.51.100.2
world_public dan 198.51.100.3
world_public guest 198.51.100.4
world_home bob 203.0.113.2 192.168.7.0/24 home
world_home cam 203.0.113.3 192.168.7.0/24 home
world_home eve 203.0.113.4 192.168.8.0/24 home
world_home fay 203.0.113.5 192.168.8.0/24 home
settle "${sites[@]}" dan guest
site_run ann mount -t tmpfs -o "size=4m,mode=700,uid=$world_user,gid=$world_user" state "$world_dir/ann/state" || world_fail 'no small disk'
check "a hub and three members" begins
check "two that join at the same instant both come in" join_at_once
check "a spoke's disk is full" fills
check "the hub goes on letting in and expelling, and the spoke lives and says what is wrong" goes_on_meanwhile
check "once there is room, it has all of it" has_all_once_there_is_room
check "and after a kill still" killed_it_remembers
check "killed while its disk is full, it begins again and catches up" killed_while_full
number=0
for ms in 0 5 20 50 100 300 confirmed; do
	number=$((number + 1))
	check "an expulsion that a kill interrupts ($ms) is whole or not at all" interrupted "x$number" "$ms"
done
check "and everywhere it is as it was at the hub: all know the same" verdicts_hold
check "everybody who was let in is a member, and everybody whose expulsion was confirmed is not" knows hub "{'home', 'ann', 'bob', 'cam', 'fay'} <= set(s) and not {'eve', 'dan', 'x7'} & set(s) and d['troubles'] == []"
shows
finish
