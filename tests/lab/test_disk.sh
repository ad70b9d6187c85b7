#!/bin/bash
# test_disk.sh - a hub whose disk is full says nothing that it could not keep, and says it once it can.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh

collective() {
	local site=$1
	shift
	site_run "$site" "${as_unit[@]}" env COLLECTIVE_STATE="$world_dir/$site/state" COLLECTIVE_RUN="$world_dir/$site/run" \
		"$BUILD/gcc/agent/collective" "$@"
}

knows() { collective "$1" status --json | python3 -c 'import json, sys; sys.exit(sys.argv[1] not in [s["name"] for s in json.load(sys.stdin)["sites"]])' "$2"; }
knows_not() { ! knows "$1" "$2"; }
reaches() { site_run "$1" ping -q -c 1 -W 2 "$2"; }

fill() { ! site_run hub "${as_unit[@]}" dd if=/dev/zero of="$world_dir/hub/state/fill" bs=4096 2>"$world_dir/dd" && grep -q 'No space' "$world_dir/dd"; }

is_refused() {
	local status=0
	collective hub expel bob >"$world_dir/said" 2>&1 || status=$?
	echo "status $status"
	cat "$world_dir/said"
	[ "$status" -eq 1 ] && grep -q 'cannot be saved' "$world_dir/said"
}

# Three pushes and their answers have had their time when a ping of ten a second has made thirty.
nobody_has_heard() {
	site_run ann ping -q -c 30 -i 0.1 10.100.0.1 >/dev/null && knows ann bob && collective hub events | tail -3
}

is_said_when_there_is_room() {
	site_run hub rm "$world_dir/hub/state/fill" && world_wait 40 knows_not ann bob && knows_not hub bob
}

survives_a_kill() {
	local pid
	pid=$(site_run hub pgrep -f "agent --state $world_dir/hub/state") && kill -KILL "$pid" && collective hub up && knows_not hub bob &&
		world_wait 20 reaches ann 10.100.0.1
}

world_begin
world_public hub 198.51.100.1
world_public ann 198.51.100.2
world_public bob 198.51.100.3
for site in hub ann bob; do
	chmod 700 "$world_dir/$site/state"
	mkdir -p "$world_dir/$site/run" && chown "$world_user:$world_user" "$world_dir/$site/run" && chmod 750 "$world_dir/$site/run"
done
site_run hub mount -t tmpfs -o "size=4m,mode=700,uid=$world_user,gid=$world_user" state "$world_dir/hub/state" || world_fail 'no small disk'
collective hub init --name home --endpoint 198.51.100.1 >/dev/null || world_fail 'the hub does not begin'
for site in ann bob; do
	collective hub invite "$site" 2>/dev/null | collective "$site" join - >/dev/null 2>&1 || world_fail "$site does not join"
done

check "all know each other" world_wait 10 knows ann bob
check "the disk is full" fill
check "what cannot be kept is refused, with the reason" is_refused
check "and nobody has heard of it" nobody_has_heard
check "once there is room it is kept, and said" is_said_when_there_is_room
check "and it was kept: a kill forgets nothing of it" survives_a_kill
finish
