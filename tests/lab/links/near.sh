#!/bin/bash
# near.sh - where sites meet: in their LAN, through their provider, by IPv6; whatever both homes call their networks.
#
#   hub         directly on inet
#   ann, eve    in the LAN of one home, which has IPv6
#   bob         at home, with the same LAN prefix; his router is a symmetric one; gets IPv6 later
#   cam, dan    homes with one prefix behind one provider, whose router has a hairpin
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

begins() { links_begin ann eve bob cam dan; }

# place SITE OTHER - where WireGuard sends what is meant for it.
place() { site_run "$1" wg show collective1 endpoints | grep -F "$(site_run "$2" wg show collective1 public-key)" | cut -f 2; }
port() { site_run "$1" wg show collective1 listen-port; }
is_behind() { [[ $(place "$1" "$2") = $3:* ]] || { echo "$1 has $2 at $(place "$1" "$2"), not behind $3"; return 1; }; }
is_at() { [ "$(place "$1" "$2")" = "$3" ] || { echo "$1 has $2 at $(place "$1" "$2"), not at $3"; return 1; }; }

in_the_lan() {
	direct ann eve && is_at ann eve "192.168.7.3:$(port eve)" && is_at eve ann "192.168.7.2:$(port ann)" && reaches ann "$(inside eve)"
}
by_the_provider() { direct cam dan && is_behind cam dan 203.0.113.4 && is_behind dan cam 203.0.113.4 && reaches cam "$(inside dan)"; }
# From the one to the other home, which has its LAN addresses, too; one has IPv6, one has not.
with_one_prefix() {
	direct ann cam && direct eve dan && is_behind ann cam 203.0.113.4 && is_behind cam ann 203.0.113.2 &&
		reaches ann "$(inside cam)" && reaches dan "$(inside eve)"
}
# A symmetric router and a home's: not by IPv4.
cannot_meet() { world_wait 20 knows_without_words ann "s['bob']['link']['reason'] == 'not_met'" && at ann why bob | grep -F 'The router of bob is in the way' && by_hub ann bob; }
has_ipv6_now() {
	world_six bob 2001:db8:3::/64
	measured 'once the other home has IPv6, too, direct' 10000 are_direct ann bob || { at ann why bob; at bob why ann; return 1; }
}
by_ipv6() { is_at ann bob "[2001:db8:3::2]:$(port bob)" && is_at bob ann "[2001:db8:2::2]:$(port ann)" && reaches ann "$(inside bob)"; }

# All agents begin at the same instant, and so does every offer.
begin_at_once() {
	local site pids=()
	for site in ann eve bob cam dan; do kills "$site" || return; done
	for site in ann eve bob cam dan; do
		at "$site" up >/dev/null &
		pids+=($!)
	done
	wait "${pids[@]}"
	if ! measured 'five agents that begin at the same instant, direct' 10000 say_all_direct || ! world_wait 20 know_all_direct; then
		each_pair says_why -- ann eve cam dan
		return 1
	fi
}
say_all_direct() { says_direct ann 4 && says_direct cam 3 && says_direct dan 3; }
know_all_direct() {
	knows_without_words ann "all(s[n]['path'] == 'direct' for n in ('eve', 'bob', 'cam', 'dan'))" &&
		knows_without_words cam "all(s[n]['path'] == 'direct' for n in ('ann', 'eve', 'dan'))" &&
		knows_without_words dan "all(s[n]['path'] == 'direct' for n in ('ann', 'eve', 'cam'))"
}

world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
world_sibling eve ann
world_six ann 2001:db8:2::/64
world_home bob 203.0.113.3 192.168.7.0/24 symmetric
world_provider isp 203.0.113.4 moved-cone
world_home cam 100.64.1.2 192.168.7.0/24 home isp
world_home dan 100.64.2.2 192.168.7.0/24 home isp
settle hub ann eve bob cam dan
check "five sites come in with the tag" begins
check "two in one LAN meet there" in_the_lan
check "two subscribers meet through their provider's hairpin" by_the_provider
check "homes with one LAN prefix meet outside, though one has IPv6" with_one_prefix
check "a home and one with a symmetric router do not meet by IPv4" cannot_meet
check "once both have IPv6, they meet" has_ipv6_now
check "and are where their IPv6 is" by_ipv6
check "offers that cross make links all the same" begin_at_once
shows
finish
