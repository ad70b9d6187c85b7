#!/bin/bash
# hub.sh - a hub that ends, restarts, loses power, sleeps or is away: the rest goes on by itself.
#
#   hub         directly on inet
#   ann, bob    at home
#   cam         directly on inet
# shellcheck disable=SC2154 # of what is sourced
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/collective.sh
. tests/lab/collective.sh

sites=(hub ann bob cam)

begins() {
	at hub init --name home --endpoint 198.51.100.1 >"$world_dir/init" 2>&1 && lets_in ann bob cam &&
		bob=$(address_of bob) && echo "$bob" >"$world_dir/bob.address" && world_wait 10 reaches ann "$bob"
}

# Told before anything has happened to it, that the watch would notice.
would_notice() {
	site_run stranger ping -q -n -c 1 -W 0.1 10.100.9.9 >/dev/null 2>&1
	[ "$(seen_in_clear)" -eq 1 ] && site_run inet nft flush chain ip clear pre && site_run inet nft add rule ip clear pre ip daddr "$supernet" counter
}

# comes_back HOW WORDS MS COMMAND... - and spokes reach each other again, from when the hub's agent began to start.
comes_back() {
	local start bob
	bob=$(cat "$world_dir/bob.address")
	"${@:3}" || return
	start=$(moment)
	at hub up >/dev/null && answers_since "$start" "$1" "$2" ann "$bob" && alike "${sites[@]}"
}

# The hub is gone, agent and WireGuard; spokes begin again from disk.
starts_without_hub() {
	loses_power hub && kills ann && at ann up >/dev/null && knows ann "d['state'] == 'member' and set(s) == {'home', 'ann', 'bob', 'cam'}" &&
		loses_power bob && at bob up >/dev/null && loses_power cam && at cam up >/dev/null
}
stands() {
	site_run "$1" ip -o -4 address show dev collective0 | grep -qF "$(address_of "$1")/32" &&
		site_run "$1" ip route show proto 110 | grep -q "^$supernet dev collective0 " &&
		site_run "$1" ip route show proto 110 | grep -q "^unreachable $supernet .*metric 4096" &&
		site_run "$1" ip rule show | grep -q '^1010:.*iif collective0 lookup 11010'
}
# What is sent meanwhile, and also when the interface itself is lost, goes nowhere.
keeps_it_inside() {
	local bob
	bob=$(cat "$world_dir/bob.address")
	misses ann "$bob" && misses cam "$bob" 0.2 && site_run cam ip link del collective0 && misses cam "$bob" 0.2 && misses cam 10.100.0.1 0.2 &&
		none_in_clear && world_wait 5 stands cam
}
stays_away() { sleep 12; }

sleeps() {
	local pids
	pids=$(running_at "$1")
	# shellcheck disable=SC2086 # one word each
	kill -STOP $pids && sleep "$2" && kill -CONT $pids
}
hub_slept() {
	local start
	sleeps hub 10 || return
	start=$(moment)
	answers_since "$start" 'a hub that slept for 10 s is back' 2000 ann "$(cat "$world_dir/bob.address")" && alike "${sites[@]}"
}

# As a cable: both ways, for a while in which sessions stay.
unplugged() {
	local start
	site_run inet ip link set hub down && sleep 6 && misses ann 10.100.0.1 0.2 || return
	site_run inet ip link set hub up && site_run inet ip route replace 198.51.100.1/32 dev hub || return
	start=$(moment)
	answers_since "$start" 'a hub that was unplugged for 6 s is back' 2000 ann "$(cat "$world_dir/bob.address")"
}

world_begin
world_public hub 198.51.100.1
world_public cam 198.51.100.4
world_public stranger 198.51.100.9
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.7.0/24 home
settle "${sites[@]}"
watches_for_clear
check "what left in clear would be noticed" would_notice
check "a hub and three members" begins
pings ann "$(cat "$world_dir/bob.address")"
check "a hub's agent that was killed is not missed" comes_back 'spokes, after kill -9 of the hub'"'"'s agent' 500 kills hub
check "nor one that ended" comes_back 'spokes, after SIGTERM to the hub'"'"'s agent' 500 ends hub TERM
check "when the hub's machine starts anew, spokes reach each other within two seconds" comes_back 'spokes, after the hub lost its power' 2000 loses_power hub
check "without a hub, agents begin from disk" starts_without_hub
for site in ann bob cam; do
	check "$site has its interface, routes, guard and rules" stands "$site"
done
check "nothing leaves in clear meanwhile, nor when the interface is lost" keeps_it_inside
check "once the hub is back, spokes that began without it are usable within two seconds" comes_back 'spokes that began without the hub, after its return' 2000 stays_away
check "a hub that slept goes on" hub_slept
check "and one that was unplugged" unplugged
check "all know the same" alike "${sites[@]}"
check "everybody who was let in is a member still" knows hub "set(s) == {'home', 'ann', 'bob', 'cam'} and d['troubles'] == []"
check "nothing has left in clear" none_in_clear
shows
finish
