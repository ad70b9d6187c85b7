#!/bin/bash
# dies.sh - a direct way that dies under traffic, or whose routers move or forget: packets go by the hub, and directly again.
#
#   hub         directly on inet
#   ann, bob    at home
#   cam         at home; its router accepts what comes to itself, so that what comes too early is poison to it
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

rate=100
rounds=${LONG:+20}
rounds=${rounds:-2}
homes=(ann bob cam)
pairs=(ann-bob ann-cam bob-cam)

begins() { links_begin "${homes[@]}" && direct "${homes[@]}"; }

# Three links, each both ways. What comes back is as fast by the hub here, and would stay there.
all_die() {
	local pair
	for pair in "${pairs[@]}"; do flows "${pair%-*}" "${pair#*-}" "$rate" || return; done
	sleep 1
	parts "${homes[@]}" && by_hub "${homes[@]}" && sleep 0.5 && joins_again || return
	for pair in "${pairs[@]}"; do
		flowed "${pair%-*}" "${pair#*-}" && awk '{ print $6 }' "$world_dir/${pair%-*}/flow-${pair#*-}/result" >>"$world_dir/outages" || return
	done
	for pair in "${pairs[@]}"; do at "${pair%-*}" unlink "${pair#*-}" || return; done
	for pair in "${pairs[@]}"; do at "${pair%-*}" link "${pair#*-}" || return; done
	direct "${homes[@]}"
}

# share PERCENT - the outage that so many were no longer than.
share() { sort -n "$world_dir/outages" | awk -v p="$1" '{ a[NR] = $1 } END { i = int((NR * p + 99) / 100); print a[i] }'; }
outages() {
	local count
	count=$(wc -l <"$world_dir/outages")
	cat "$world_dir/outages"
	says_figure "a direct way dies under traffic, $count times: half of the outages" "$(share 50)" 1200 &&
		says_figure 'and 99 of 100' "$(share 99)" 2000
}

# The router of a home begins anew. What comes before its own first packet is poison where it is accepted.
forgets() { flows ann bob "$rate" && sleep 1 && world_reboot ann && sleep 2 && breaks 'after a restart of a router' 3000 ann bob && are_direct ann bob; }
forgets_and_accepts() { flows bob cam "$rate" && sleep 1 && world_reboot cam && sleep 4 && breaks 'after a restart of a router that accepts input' 3000 bob cam; }

is_called_there() { are_direct "$1" "$2" && site_run "$1" wg show collective1 endpoints | grep -qF "$3:"; }
moves() {
	local start
	flows ann bob "$rate" && flows ann cam "$rate" && sleep 1 || return
	start=$(moment)
	if ! world_renumber ann 203.0.113.77 || ! world_wait 20 is_called_there bob ann 203.0.113.77; then at ann why bob; return 1; fi
	says_figure 'after another address, direct again' $((($(moment) - start) / 1000)) 5000 && sleep 3 &&
		breaks 'meanwhile' 3000 ann bob && breaks 'and with a home whose router accepts input' 3000 ann cam
}

# Routers have to forget first: that takes one quiet time, of 42 s at most.
outlives_poison() {
	measured 'where poison was taken, direct again' 60000 are_direct "${homes[@]}" && is_called_there cam ann 203.0.113.77
}

world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.8.0/24 home
world_home cam 203.0.113.4 192.168.9.0/24 home-accept
settle hub "${homes[@]}"
check "three homes go direct, all of them" begins
for ((i = 1; i <= rounds; i++)); do
	check "all three links die at once: everything goes by the hub; linked again they are direct, $i" all_die
done
check "their outages" outages
check "a router forgets everything: traffic goes on, directly" forgets
check "a router that accepts input forgets everything: traffic goes on" forgets_and_accepts
check "a router gets another address: by the hub, and direct again" moves
check "poisoned routers are left in peace until they forget: direct again" outlives_poison
shows
finish
