#!/bin/bash
# forwarded.sh - a symmetric router, and what `why` says would help: that, done by hand, helps.
#
#   hub        directly on inet
#   ann        at home behind a symmetric router
#   bob, cam   at home; cam's router is a symmetric one as well
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

begins() { links_begin ann bob cam; }
stays() { world_wait 20 cannot_meet ann "$1" >"$world_dir/words" || { cat "$world_dir/words"; return 1; }; }
cannot_meet() { reason "$1" "$2" not_met && reason "$2" "$1" not_met; }
# What stands there is taken literally.
advised() { "$@" | sed -n 's/.*forward UDP port \([0-9]*\) to this machine on .*/\1/p'; }
port() { site_run ann wg show collective1 listen-port; }
names_it() { [ "$(advised at ann "$@")" = "$(port)" ] || { at ann "$@"; return 1; }; }
is_advised() { names_it why bob && names_it netcheck; }
does_so() {
	site_run ann-router nft "insert rule ip nat pre iifname \"wan\" udp dport $(advised at ann why bob) dnat to $(site_run ann ip -4 -o address show dev lan | sed -n 's|.* inet \([0-9.]*\)/.*|\1|p')"
}
# A person who has changed something asks for it.
meets() {
	at ann link "$1" >"$world_dir/words" 2>&1 || { cat "$world_dir/words"; return 1; }
	direct ann "$1" && site_run "$1" wg show collective1 endpoints >"$world_dir/words" || return
	grep -qF "203.0.113.2:$(port)" "$world_dir/words" || { cat "$world_dir/words"; return 1; }
}

world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.2.0/24 symmetric
world_home bob 203.0.113.3 192.168.3.0/24 home
world_home cam 203.0.113.4 192.168.4.0/24 symmetric
settle hub ann bob cam
check "three homes join" begins
check "a symmetric router is not met by a home's" stays bob
check "nor by another symmetric one" stays cam
check "why and netcheck name the port that should be forwarded" is_advised
check "it is forwarded" does_so
check "then a home meets it there" meets bob
check "and so does a home whose own router is a symmetric one" meets cam
finish
