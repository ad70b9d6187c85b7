#!/bin/bash
# moves.sh - addresses change under a collective, and nobody does anything.
#
#   hub         directly on inet, known by a name
#   ann, bob    at home
#   cam         directly on inet, and roams
#
# A keepalive goes out every 25 s, and by it the hub learns where a site is now. A spoke takes a minute's silence of its
# hub for a reason to ask for its name again.
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
	at hub init --name home --endpoint hub.example.org >"$world_dir/init" 2>&1 && lets_in ann bob cam &&
		world_wait 10 reaches bob "$(address_of ann)" && world_wait 10 reaches cam "$(address_of ann)"
}
called_by_name() { [ "$(site_run ann wg show collective0 endpoints | cut -f 2)" = 198.51.100.1:51821 ]; }

# is_found_again SITE - by the hub and another spoke; it says nothing of its own accord.
is_found_again() {
	local to
	to=$(address_of "$1")
	measured "$1 has moved; the hub reaches it" 26000 reaches hub "$to" 0.3 && measured "and so does bob, further" 1000 reaches bob "$to" 0.3 &&
		world_wait 12 is_seen_at "$1" "$2"
}
is_seen_at() { knows hub "s['$1']['endpoint'].startswith('$2:')" >/dev/null; }

router_moves() { world_renumber ann 203.0.113.22; }
roams() { world_renumber cam 198.51.100.44; }

hub_moves() {
	world_renumber hub 198.51.100.7 && world_name 198.51.100.7 && misses ann 10.100.0.1 0.3
}
hub_is_found_again() {
	local bob
	bob=$(address_of bob)
	measured 'the hub has moved; ann reaches it' 90000 reaches ann 10.100.0.1 0.3 && measured 'and bob, further' 20000 reaches ann "$bob" 0.3 &&
		world_wait 20 reaches cam "$bob" && alike "${sites[@]}"
}

world_begin
world_public hub 198.51.100.1
world_public cam 198.51.100.2
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.7.0/24 home
settle "${sites[@]}"
world_name 198.51.100.1
world_serve_names || world_fail 'names are not served'
for site in "${sites[@]}"; do
	echo 'nameserver 192.0.2.2' >"$world_dir/$site/resolv.conf"
done
check "a hub that is known by a name, and three members" begins
check "who call it where the name leads" called_by_name
check "a member's router gets another address" router_moves
check "and a member without a router roams" roams
check "the one is found again within a keepalive" is_found_again ann 203.0.113.22
check "and the other" is_found_again cam 198.51.100.44
check "the hub moves, and its name is told" hub_moves
check "it is found again by its name, and all know the same" hub_is_found_again
check "everybody is a member still" knows hub "set(s) == {'home', 'ann', 'bob', 'cam'}"
shows
finish
