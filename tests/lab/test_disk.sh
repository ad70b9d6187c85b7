#!/bin/bash
# test_disk.sh - a hub whose disk is full says nothing that it could not keep, and says it once it can.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/collective.sh
. tests/lab/collective.sh

fill() { ! site_run hub "${as_unit[@]}" dd if=/dev/zero of="$world_dir/hub/state/fill" bs=4096 2>"$world_dir/dd" && grep -q 'No space' "$world_dir/dd"; }

is_refused() {
	local status=0
	at hub expel bob >"$world_dir/said" 2>&1 || status=$?
	echo "status $status"
	cat "$world_dir/said"
	[ "$status" -eq 1 ] && grep -q 'cannot be saved' "$world_dir/said"
}

# Three pushes and their answers have had their time when a ping of ten a second has made thirty.
nobody_has_heard() {
	site_run ann ping -q -c 30 -i 0.1 10.100.0.1 >/dev/null && knows_without_words ann "'bob' in s" && at hub events | tail -3
}

is_said_when_there_is_room() {
	site_run hub rm "$world_dir/hub/state/fill" && world_wait 40 knows_without_words ann "'bob' not in s" && knows_without_words hub "'bob' not in s"
}

survives_a_kill() {
	kills hub && at hub up && knows_without_words hub "'bob' not in s" && world_wait 20 reaches ann 10.100.0.1
}

world_begin
world_public hub 198.51.100.1
world_public ann 198.51.100.2
world_public bob 198.51.100.3
settle hub ann bob
site_run hub mount -t tmpfs -o "size=4m,mode=700,uid=$world_user,gid=$world_user" state "$world_dir/hub/state" || world_fail 'no small disk'
at hub init --name home --endpoint 198.51.100.1 >/dev/null || world_fail 'the hub does not begin'
lets_in ann bob || world_fail 'not everybody joins'

check "all know each other" world_wait 10 knows_without_words ann "'bob' in s"
check "the disk is full" fill
check "what cannot be kept is refused, with the reason" is_refused
check "and nobody has heard of it" nobody_has_heard
check "once there is room it is kept, and said" is_said_when_there_is_room
check "and it was kept: a kill forgets nothing of it" survives_a_kill
finish
