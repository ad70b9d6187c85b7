#!/bin/bash
# full.sh - two come in at the same instant; then a spoke's disk is full, and it misses nothing in the end.
#
#   hub             directly on inet
#   ann             directly on inet; its disk becomes full
#   bob, cam        at home
#   eve, fay        at home; come in at the same instant
#   dan             directly on inet; comes in while the disk is full, and is expelled while it is again
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
	at hub expel eve && lets_in dan && tail -n 5 "$world_dir/ann/agent.log" && grep -q 'could not be saved\|cannot be saved' "$world_dir/ann/agent.log" &&
		reaches ann 10.100.0.1 && reaches bob "$(address_of dan)" && [ "$(agent_pid ann)" = "$pid" ] && kill -0 "$pid"
}
has_all_once_there_is_room() {
	site_run ann rm "$world_dir/ann/state/fill" && alike hub ann bob cam dan fay && knows ann "'dan' in s and 'eve' not in s"
}
killed_it_remembers() { kills ann && at ann up >/dev/null && alike hub ann bob && knows ann "'dan' in s and 'eve' not in s"; }
killed_while_full() {
	fills && at hub expel dan && kills ann && at ann up && reaches ann 10.100.0.1 5 && site_run ann rm "$world_dir/ann/state/fill" &&
		world_wait 70 knows_without_words ann "'dan' not in s"
}

world_begin
world_public hub 198.51.100.1
world_public ann 198.51.100.2
world_public dan 198.51.100.3
world_home bob 203.0.113.2 192.168.7.0/24 home
world_home cam 203.0.113.3 192.168.7.0/24 home
world_home eve 203.0.113.4 192.168.8.0/24 home
world_home fay 203.0.113.5 192.168.8.0/24 home
settle "${sites[@]}" dan
site_run ann mount -t tmpfs -o "size=4m,mode=700,uid=$world_user,gid=$world_user" state "$world_dir/ann/state" || world_fail 'no small disk'
check "a hub and three members" begins
check "two that join at the same instant both come in" join_at_once
check "a spoke's disk is full" fills
check "the hub goes on letting in and expelling, and the spoke lives and says what is wrong" goes_on_meanwhile
check "once there is room, it has all of it" has_all_once_there_is_room
check "and after a kill still" killed_it_remembers
check "killed while its disk is full, it begins again and catches up" killed_while_full
check "all know the same" alike hub ann bob cam fay
check "everybody who was let in is a member, and nobody who was expelled" knows hub "set(s) == {'home', 'ann', 'bob', 'cam', 'fay'} and d['troubles'] == []"
finish
