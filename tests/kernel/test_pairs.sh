#!/bin/bash
# test_pairs.sh - direct links over the kernel's WireGuard and lines with delay: the most telling pairs of pairs.txt, and of
# one link what a planned switch, new keys and a way that dies cost.
#
# One world for all:
#
#   hub         directly on inet
#   ann, bob    at home; their routers become of one type after the other; 5 ms each way on their lines and the hub's
#   cam, dan    at home, each behind a provider of its own, with lines without delay
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/collective.sh
. tests/lab/collective.sh
# shellcheck source=tests/lab/links.sh
. tests/lab/links.sh

# The machine may be one that is emulated, where looking takes its time.
world_pause=0.2
ms=5
rate=200

is_the_kernels() { site_run ann ip -d link show collective1 | grep -qw wireguard && ! site_run ann pgrep -x wireguard-go; }

settled() { knows_without_words "$1" "s['$2']['link']['reason'] in ('direct', 'not_met', 'no_handshake')"; }
expected() { awk -v a="$1" -v b="$2" '$1 == a && $2 == b { print $3 }' tests/lab/pairs.txt; }

# As if they had just begun: routers remember nothing, and agents that begin anew have not failed yet.
meet() {
	local start
	ends ann TERM && ends bob TERM && world_router ann "$1" && world_router bob "$2" && start=$(moment) || return
	at ann up >/dev/null && at bob up >/dev/null || return
	if [ "$(expected "$1" "$2")" = yes ]; then
		within=30 direct ann bob && reaches ann "$(inside bob)" 5 || return
		echo "$1 and $2, from the agents' start to a direct link: $((($(moment) - start) / 1000)) ms" | tee -a "$world_dir/shown"
	else
		world_wait 30 settled ann bob && world_wait 30 settled bob ann && by_hub ann bob
	fi
}
# The others leave the machine to them.
subscribers_meet() {
	local site
	for site in ann bob; do ends "$site" TERM || return; done
	for site in cam dan; do comes_in "$site" --tag gaming && address_of "$site" >"$world_dir/$site/address" || return; done
	within=30 direct cam dan && reaches cam "$(inside dan)" 5
}

switches() {
	flows ann bob "$rate" && at ann unlink bob && by_hub ann bob && sleep 1 && at ann link bob && direct ann bob && sleep 1 &&
		loses 'unlinked and linked again, over lines with delay' 0 ann bob
}
links_key() { site_run "$1" wg show collective1 public-key; }
has_new_key() { [ "$(links_key "$1")" != "$2" ] && site_run "$3" wg show collective1 peers | grep -qFx "$(links_key "$1")"; }
rotates() {
	local before
	before=$(links_key ann)
	flows ann bob "$rate" && at ann rotate && world_wait 20 has_new_key ann "$before" bob && direct ann bob && sleep 1 &&
		loses 'new keys at one end of a link' 0 ann bob
}
# The direct way is the faster one here, and is worth coming back to.
dies_and_comes_back() {
	flows ann bob "$rate" && sleep 1 && parts ann bob && by_hub ann bob && joins_again && direct ann bob && sleep 1 &&
		breaks 'a direct way dies and comes back' 2000 ann bob
}

world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.8.0/24 home
for n in 1 2; do world_provider "isp$n" "203.0.113.1$n" moved-cone; done
world_home cam 100.64.1.2 192.168.7.0/24 home isp1
world_home dan 100.64.1.2 192.168.8.0/24 home isp2
settle hub ann bob cam dan
for site in hub ann bob; do
	world_delay "$site" "$ms" || { echo 'needs netem'; exit 77; }
done
check "two homes come in and go direct" eval 'links_begin ann bob && direct ann bob'
check "by the kernel's WireGuard" is_the_kernels
check "a planned switch, both ways: nothing is lost" switches
check "keys change at one end: nothing is lost" rotates
check "a way that dies is left in time, and taken again" dies_and_comes_back
for pair in home-accept:home-accept home:symmetric full-cone:symmetric sequential:sequential; do
	check "${pair/:/ and }: as the table says" meet "${pair%:*}" "${pair#*:}"
done
check "cgnat and cgnat: as the table says" subscribers_meet
shows
finish
