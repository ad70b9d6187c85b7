#!/bin/bash
# gone.sh - who begins a link, and what becomes of it when the hub or a member is gone.
#
#   hub             directly on inet; loses its power
#   ann, bob        at home
#   cam             at home; is expelled
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

# Every agent offers to every other one at the same instant.
begin_at_once() {
	local site pids=()
	for site in "${homes[@]}"; do kills "$site" || return; done
	watches_calls "${homes[@]}" || return
	for site in "${homes[@]}"; do
		at "$site" up >/dev/null &
		pids+=($!)
	done
	wait "${pids[@]}"
	measured 'three homes whose agents begin at the same instant, direct' 5000 say_it && world_wait 10 know_it
}
say_it() { says_direct ann 2 && says_direct bob 2 && says_direct cam 2; }
knows_it_is_direct() { knows_without_words "$1" "s['$2']['path'] == 'direct'"; }
know_it() { each_pair knows_it_is_direct -- "${homes[@]}"; }
one_end_calls() { calls_one_way ann bob && calls_one_way ann cam && calls_one_way bob cam; }

hub_is_gone() { flows ann bob 100 && loses_power hub && misses ann 10.100.0.1 0.2; }
# Of whatever is said meanwhile, such as how long the ways are, only the endpoint is asked for, 203.0.113.2:5555, where it is
# kept: who is asked to show what it knows waits for the hub.
keeps() { kept_at "$1" | grep -q '^5 .* [0-9a-f]*cb00710215b3'; }
both_keep_it() { keeps bob && keeps cam; }
record_goes_over_links() {
	! keeps ann && at ann endpoint add 203.0.113.2:5555 && keeps ann || return
	measured 'without a hub, what one says of itself reaches the others over links' 5000 both_keep_it
}
lives_on() { sleep 3 && are_direct "${homes[@]}" && loses 'over a link while the hub is gone' 0 ann bob; }
hub_is_back() { at hub up >/dev/null && alike hub "${homes[@]}" && are_direct "${homes[@]}"; }

# The peer is not there any more, and with it its allowed IPs; nor is a route. One look at all of it: several take as long as what
# they look at.
forgot() {
	local seen
	# shellcheck disable=SC2016 # the inner shell's
	seen=$(site_run "$1" sh -c 'wg show collective1 allowed-ips && ip route show table all dev collective1') &&
		[[ $seen != *"$cam_key"* && $seen != *"$cam_net"* ]]
}
forgot_it() { forgot ann && forgot bob; }
expelled() {
	cam_key=$(site_run cam wg show collective1 public-key) cam_net=$(inside cam)
	cam_net=${cam_net%.*}.
	site_run ann wg show collective1 allowed-ips | grep -qF "$cam_key" && site_run ann ip route show table all | grep -F "$cam_net" | grep -qF collective1 &&
		at hub expel cam && measured 'an expelled member, after the word, gone from the links of both others' 1000 forgot_it
}
nothing_answers() { misses cam "$(inside ann)" && misses cam "$(inside bob)" && misses ann "$(inside cam)"; }

world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.8.0/24 home
world_home cam 203.0.113.4 192.168.9.0/24 home
settle hub "${homes[@]}"
check "three homes go direct" begins
check "offers that cross make links all the same" begin_at_once
check "and only one end of each begins WireGuard's handshake" one_end_calls
check "the hub loses its power" hub_is_gone
check "what a member says of itself reaches the others" record_goes_over_links
check "links live on, and lose nothing" lives_on
check "once the hub is back, all know the same, and links are there still" hub_is_back
check "an expelled member is no peer of a link any more" expelled
check "and nobody answers it" nothing_answers
check "those who stay are direct" direct ann bob
shows
finish
