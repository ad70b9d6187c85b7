#!/bin/bash
# asleep.sh - spokes that slept, that were away with a clock far ahead, or that have no IPv6, while the rest went on.
#
#   hub         directly on inet, also by IPv6, which its invites name first
#   ann, bob    at home; ann sleeps, bob is away
#   cam         directly on inet, without IPv6
#   dan, eve    directly on inet; one is expelled meanwhile, the other comes in
# shellcheck disable=SC2154 # of what is sourced
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/collective.sh
. tests/lab/collective.sh

ten_days=864000000

begins() { at hub init --name home --endpoint '[2001:db8::1]:51821' --endpoint 198.51.100.1 >"$world_dir/init" 2>&1 || { cat "$world_dir/init"; return 1; }; }
endpoint() { site_run "$1" wg show collective0 endpoints | cut -f 2; }

has_ipv6() {
	ip -n "$world-hub" address add 2001:db8::1/64 dev wan nodad && ip -n "$world-inet" address add 2001:db8::2/64 dev hub nodad &&
		site_run hub ping -6 -q -n -c 1 -W 5 2001:db8::2 >/dev/null
}

joins_by_ipv4() {
	site_run cam sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	lets_in cam && [ "$(endpoint cam)" = 198.51.100.1:51821 ] && reaches cam 10.100.0.1 5 && ! grep 'could not' "$world_dir/cam/agent.log"
}

# From nothing but what is on disk. A spoke takes a minute's silence for a reason to try the next endpoint.
starts_by_ipv4() {
	loses_power cam && at cam up >/dev/null &&
		measured 'a site without IPv6, of a hub that names IPv6 first, from disk' 70000 reaches cam 10.100.0.1
}

others_join() { at hub endpoint remove '[2001:db8::1]:51821' >/dev/null && lets_in ann bob dan; }

sleeps_while() {
	local pids start=$SECONDS
	pids=$(running_at ann)
	# shellcheck disable=SC2086 # one word each
	kill -STOP $pids && at hub expel dan && lets_in eve || return
	while [ $((SECONDS - start)) -lt 20 ]; do sleep 0.5; done
	# shellcheck disable=SC2086 # one word each
	kill -CONT $pids
}

# When it wakes it calls the hub, which has called it meanwhile. Two calls that cross can leave the hub's wireguard-go deaf to one
# of the two sessions, until it has had no word for 15 s and calls again; the kernel's WireGuard takes one at a time.
hears_of_it() {
	measured 'a site that slept for 20 s knows what happened' 70000 knows ann "'eve' in s and 'dan' not in s" &&
		world_wait 25 reaches ann "$(address_of eve)" && alike hub ann cam
}

is_away() {
	kills bob && lets_in fay && at hub expel eve >"$world_dir/expelled" && grep -q 'other sites know' "$world_dir/expelled"
}
comes_back_ahead() {
	COLLECTIVE_CLOCK_OFFSET_MS=$ten_days collective=$BUILD/gcc/tests/collective-lab at bob up >/dev/null &&
		world_wait 10 reaches bob 10.100.0.1 && world_wait 30 knows bob "'fay' in s and 'eve' not in s" && reaches bob "$(address_of ann)"
}
is_warned() { world_wait 30 grep -q 'clock' "$world_dir/bob/agent.log" || { tail -n 5 "$world_dir/bob/agent.log"; return 1; }; }

world_begin
world_public hub 198.51.100.1
world_public cam 198.51.100.2
world_public dan 198.51.100.3
world_public eve 198.51.100.4
world_public fay 198.51.100.5
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.8.0/24 home
settle hub ann bob cam dan eve fay
check "a hub has IPv6" has_ipv6
check "and is founded with both addresses" begins
check "a site without IPv6 joins by IPv4" joins_by_ipv4
check "and starts from disk by IPv4" starts_by_ipv4
check "once the hub goes by IPv4 alone, others join" others_join
check "one member sleeps while another is expelled and a third comes in" sleeps_while
check "awake, it hears of both" hears_of_it
check "one is away meanwhile" is_away
check "ten days ahead when it comes back, it takes part all the same" comes_back_ahead
check "and warns of the clock" is_warned
check "all know the same" alike hub ann bob cam fay
check "everybody who was let in is a member, and nobody who was expelled" knows hub "set(s) == {'home', 'ann', 'bob', 'cam', 'fay'} and d['troubles'] == []"
shows
finish
