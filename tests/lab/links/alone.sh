#!/bin/bash
# alone.sh - with the hub gone, members say where they see each other and pass offers on.
#
#   hub         directly on inet; loses its power
#   ann, bob    at home, behind routers that let nobody in
#   cam         directly on inet, a member like any other
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

homes=(ann bob cam)

begins() { links_begin "${homes[@]}" && direct "${homes[@]}"; }
hub_is_gone() { loses_power hub && misses ann 10.100.0.1 0.2 && are_direct "${homes[@]}"; }

# Neither home's router lets the other one in, nor does either know where the other one is now.
moves() {
	flows ann bob 100 && world_renumber ann 203.0.113.77 || return
	if ! measured 'without the hub, after another address, direct again' 5000 is_met_again; then says_why ann bob; says_why bob ann; return 1; fi
	sleep 1
	flowed ann bob && are_direct "${homes[@]}"
}
is_met_again() { site_run bob wg show collective1 endpoints | grep -qF 203.0.113.77 && are_direct ann bob; }

# What is in memory alone is lost: both ask anew.
begins_again() {
	kills bob && at bob up >/dev/null && measured 'without the hub, after an agent was killed, direct again' 10000 are_direct "${homes[@]}"
}
# Its interfaces, ports and sessions are gone as well: what it kept on disk is all that it has.
reboots() {
	loses_power bob && at bob up >/dev/null && measured 'without the hub, after a machine began anew, direct again' 30000 are_direct "${homes[@]}"
}
# Where ann is now bob never heard; cam did.
was_away() {
	loses_power bob && world_renumber ann 203.0.113.78 && sleep 1 && at bob up >/dev/null &&
		measured 'without the hub, one that was away while another one moved, direct again' 30000 are_direct "${homes[@]}"
}
hub_is_back() { at hub up >/dev/null && alike hub "${homes[@]}" && are_direct "${homes[@]}"; }

world_begin
world_public hub 198.51.100.1
world_public cam 198.51.100.7
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.8.0/24 home
settle hub "${homes[@]}"
check "two homes and a public site go direct" begins
check "the hub loses its power, and links live on" hub_is_gone
check "a home with a new address is met again" moves
check "so is one whose agent began anew" begins_again
check "and one whose machine did" reboots
check "and one that was away while another one moved" was_away
check "once the hub is back, all know the same" hub_is_back
shows
finish
