#!/bin/bash
# switch.sh - of what flows between two homes nothing is lost while it is led over a direct link, away from it and back.
#
#   hub         directly on inet
#   ann, bob    at home
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

rate=1000
slow=250

begins() { links_begin ann bob && measured 'two homes, from the second one'"'"'s admission to a direct link' 5000 are_direct ann bob; }

# There and back, with what flows for a moment on either way.
switches() {
	flows ann bob "$rate" && at ann unlink bob && by_hub ann bob && sleep 1 && reason ann bob unlinked &&
		at ann link bob && measured 'asked for again, direct' 5000 are_direct ann bob && sleep 1 &&
		loses_nothing "by the hub and back, $rate packets/s each way" ann bob
}
switches_at_the_other_end() {
	flows ann bob "$rate" && at bob unlink ann && by_hub ann bob && at bob link ann && direct ann bob && sleep 1 &&
		loses_nothing 'the same, said at the other end' ann bob
}

links_key() { site_run "$1" wg show collective1 public-key; }
has_new_key() { [ "$(links_key "$1")" != "$2" ] && site_run "$3" wg show collective1 peers | grep -qFx "$(links_key "$1")"; }

# With lines as short as here, what a site sends while its key changes is lost at the hub, in one piece, and whoever speaks with
# the hub loses as much: the link adds nothing to it. What the hub sends meanwhile waits, and how long it waited says how long
# that took. Two flows go by the hub here.
rotates() {
	local before own
	before=$(links_key ann)
	flows ann bob "$slow" && flows ann hub "$slow" && at ann rotate || return
	measured 'after new keys at one end, direct' 10000 has_new_key ann "$before" bob && direct ann bob && sleep 1 || return
	flowed ann hub && no_more_than_waited 'on the way to the hub' ann hub || return
	own=$lost
	flowed ann bob && no_more_than_waited 'between the two' ann bob && says_figure 'which the link makes more by' $((lost - own)) 3 ''
}
no_more_than_waited() {
	local gone pieces back waited
	{ read -r _ gone pieces _ && read -r _ back _ _ _ waited; } <"$world_dir/$2/flow-$3/result"
	says_figure "new keys at one end, lost $1" "$gone" $((waited * slow / 1000 + 3)) '' &&
		says_figure 'in so many pieces' "$pieces" 1 '' && says_figure 'and the other way' "$back" 0 '' && says_figure 'which waited' "$waited" 2000
}

# What WireGuard has goes on without the agents, and nobody listens outside.
killed() { flows ann bob "$rate" && kills ann; }
knows_it_is_direct() { knows_without_words "$1" "s['$2']['path'] == 'direct'"; }
comes_back() {
	at ann up >/dev/null && measured 'the agent of one end killed, and started: direct' 10000 knows_it_is_direct ann bob &&
		world_wait 5 knows_it_is_direct bob ann && sleep 1 && breaks 'the same' 2000 ann bob
}
# After an attempt agents listen outside for a while; those that do not run do not. Each is tried three times, as a machine
# that others use loses some by itself: what a listener cost would be lost every time.
least_again() {
	local i least=
	for i in 1 2 3; do
		transfers ann bob 2000 1 || return
		[ -n "$least" ] && [ "$least" -le "$again" ] || least=$again
	done
	again=$least
}
is_fast() {
	local listening
	least_again && listening=$again && kills ann && kills bob && least_again || return
	says_figure 'a transfer of 2,000 KiB while agents listen outside, sent once more' "$listening" "$again" ''
}

world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.8.0/24 home
settle hub ann bob
check "two homes with the tag go direct by themselves" begins
check "unlinked and linked again, nothing is lost" switches
check "nor when the other end says so" switches_at_the_other_end
check "keys change at one end: nothing is lost, and they go direct again" rotates
check "the agent of one end is killed under traffic" killed
check "started again, it goes direct again, and traffic has gone on" comes_back
check "of a transfer over the link nothing more is sent again because agents listen" is_fast
shows
finish
