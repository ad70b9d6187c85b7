#!/bin/bash
# test_routers.sh - every type of router in the lab is what it is called, and so is what else may stand before a home.
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh

hub=198.51.100.1
ann=203.0.113.2
bob=203.0.113.3
net=203.0.113.4

is() { [ "$1" = "$2" ] || { printf '%s, not %s\n' "$1" "$2"; return 1; }; }

reaches() { site_run "$1" ping -q -c 1 -W 5 "$2"; }
misses() { ! site_run "$1" ping -q -c 1 -W 0.5 "$2"; }

is_of_type() {
	world_router ann "$1"
	is "$(world_classify ann)" "${world_classified[${1%-accept}]}"
}
classifies() { is "$(world_classify "$1")" "$2"; }
classifies_six() { is "$(world_classify_six "$1")" "$2"; }

# meets TYPE FIRST RESULT [REFLECTOR]
meets() {
	world_router ann "$1"
	is "$(world_probe meet ann "$world_port" "${world_inet[0]}" "$ann" "$2" "${@:4}")" "$3"
}

# doubly OUTER INNER RESULT
doubly() {
	world_router net "$1"
	world_router cam "$2"
	classifies cam "$3"
}

passes() { is "$(world_probe reach ann "${world_inet[0]}" "$1")" "$2"; }

# remembers SECONDS ROUNDS ANSWER
remembers() { is "$(world_probe forget ann "$world_port" "${world_inet[0]}" "$1" "$2")" "$3"; }

forgets_in_time() {
	world_router ann home
	world_timeouts ann 1 3
	remembers 0.5 0 yes && remembers 1.6 0 no && remembers 1.6 5 yes || return
	world_timeouts ann 30 120
}

# Who spoke outward through it before it changed is not answered afterwards.
knows_nobody_after() {
	world_router ann "$1"
	says ann || return
	[ "$(router_entries)" -gt 0 ] || return
	"${@:2}"
	is "$(router_entries)" 0 && is "$(cat "$world_dir/ann-router/type")" "$1"
}
router_entries() { site_run ann-router conntrack -L -p udp 2>/dev/null | wc -l; }

moves() {
	world_router ann full-cone
	world_renumber ann 203.0.113.77
	is_of_type full-cone && is_of_type moved-cone && misses hub "$ann" || return
	world_renumber ann "$ann"
}

says() { site_run "$1" python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", int(sys.argv[2])))
s.sendto(b"hello", (sys.argv[1], 9))' "${world_inet[0]}" "$world_port"; }

# Two sites with one port both keep it, but towards one destination.
siblings_share_a_router() {
	reaches ann 192.168.7.3 && reaches eve 192.168.7.2 && reaches eve "$hub" || return
	world_router ann home
	classifies ann "${world_classified[home]}" && classifies eve "${world_classified[home]}" || return
	world_reboot ann
	says ann && says eve || return
	is "$(site_run ann-router conntrack -L -p udp 2>/dev/null | sed -n 's/.*dport=\([0-9]*\) .*/\1/p' | sort -u | wc -l)" 2
}

# What a filter without translation drops is no entry, whatever input accepts.
unpoisoned_six() {
	world_router ann "$1"
	classifies_six ann "${world_classified[six]}"
}

# punches FAMILY SITE OTHER RESULT - whether two sites meet, and how.
punches() { is "$(python3 tests/lab/punch.py "$1" "/run/netns/$world-inet" "/run/netns/$world-$2" "/run/netns/$world-$3" | cut -d ' ' -f -2)" "$4"; }

# punches_by TYPE RESULT - two subscribers of a provider.
punches_by() {
	world_router cam home
	world_router dan home
	world_router net "$1"
	punches 4 cam dan "$2"
}

siblings_punch() {
	world_router ann "$1"
	punches 4 ann eve "$2"
}

by_six() {
	world_router ann "$1"
	world_router bob "$1"
	punches 6 ann bob 'yes any' || return
	world_router bob home
}

if lack=$(world_lacks || routers_lack); then
	echo "$lack" >&2
	exit 77
fi
world_begin
world_public hub "$hub"
world_home ann "$ann" 192.168.7.0/24 home

for type in home full-cone full-cone-plain address-restricted symmetric symmetric-open sequential address-dependent \
	moved moved-restricted moved-cone forwarded; do
	check "$type: ${world_classified[$type]}" is_of_type "$type"
	check "$type that accepts input: the same" is_of_type "$type-accept"
done

for type in home address-restricted full-cone; do
	check "$type, input dropped, peer first: port kept, later packets arrive" meets "$type" peer 'kept, arrive'
	check "$type, input accepted, home first: port kept, later packets arrive" meets "$type-accept" home 'kept, arrive'
	check "$type, input accepted, peer first: another port, later packets lost" meets "$type-accept" peer 'another, lost'
done
for type in home address-restricted; do
	check "$type that had its port looked at: no better" meets "$type-accept" peer 'another, lost' "${world_inet[1]}"
done
check "full-cone that had its port looked at lets the peer in at once" \
	meets full-cone-accept peer 'kept, arrive' "${world_inet[1]}"
for type in moved moved-restricted; do
	check "$type, input dropped, peer first: its port stays, later packets arrive" \
		meets "$type" peer 'kept, arrive' "${world_inet[1]}"
	check "$type, input accepted, home first: its port stays, later packets arrive" \
		meets "$type-accept" home 'kept, arrive' "${world_inet[1]}"
	check "$type, input accepted, peer first: it has no other port, and nothing leaves" \
		meets "$type-accept" peer 'none, lost' "${world_inet[1]}"
done
check "moved-cone, input accepted, peer first: the peer is let in at once" \
	meets moved-cone-accept peer 'kept, arrive' "${world_inet[1]}"
check "symmetric: the port that was looked at is of no use" meets symmetric home 'another, lost' "${world_inet[1]}"

world_router ann blocked
check "UDP blocked: none passes" passes 9000 no
check "nor to the port of names" passes 53 no
check "UDP blocked: others pass" reaches ann "$hub"
world_router ann blocked-but-53
check "UDP blocked but for names: none passes" passes 9000 no
check "but to the port of names" passes 53 yes

check "timeouts that were shortened are kept to" forgets_in_time
check "a router that is rebooted remembers nothing" knows_nobody_after home world_reboot ann
check "nor with maps of its own" knows_nobody_after moved-cone world_reboot ann
check "a router that is renumbered is what it was, with another address" moves

world_sibling eve ann
check "two sites in one LAN reach each other, and share a router" siblings_share_a_router
check "by what is seen of them outside they meet where there is a hairpin" siblings_punch full-cone 'yes any'
check "and do not meet where there is none" siblings_punch home 'no -'
world_home bob "$bob" 192.168.7.0/24 home
check "two homes with one prefix do not disturb each other" classifies bob "${world_classified[home]}"
check "nor reach each other" misses bob "$ann"

world_six hub 2001:db8:1::/64
world_six ann 2001:db8:2::/64
world_six bob 2001:db8:3::/64
check "IPv6 of a public site: nothing stands before it" classifies_six hub "${world_classified[public]}"
check "IPv6 of a home: not translated, and filtered" unpoisoned_six home
check "the same where input is accepted" unpoisoned_six home-accept
check "IPv6 of a home behind a symmetric router: not translated either" unpoisoned_six symmetric
check "a home reaches a public site by IPv6" reaches ann 2001:db8:1::2
check "which does not reach the home" misses hub 2001:db8:2::2
check "nor does another home" misses bob 2001:db8:2::2
check "two homes meet by IPv6, whoever begins" by_six home
check "the same where both accept input: there is no poison" by_six home-accept
check "the same behind symmetric routers" by_six symmetric
world_router ann blocked
check "where UDP is blocked, it is in IPv6 too" classifies_six ann "${world_classified[blocked]}"

world_provider net "$net" moved-cone
world_home cam 100.64.1.2 192.168.8.0/24 home net
world_home dan 100.64.2.2 192.168.8.0/24 home-accept net
check "a home behind a provider reaches a public site" reaches cam "$hub"
check "a public site does not reach the provider's router" misses hub "$net"
check "nor does a subscriber" misses cam "$net"
check "a full cone at home, and the provider has one too: EIM/EIF" doubly moved-cone full-cone 'EIM/EIF, hairpin'
check "a home behind a provider's full cone: the stricter filter" doubly moved-cone home EIM/APDF
check "the same with a port that both keep" doubly full-cone home 'EIM/APDF, port kept'
check "a full cone behind a provider that filters: the stricter filter" doubly moved full-cone EIM/APDF
check "address-restricted before a full cone, and behind it" doubly address-restricted full-cone 'EIM/ADF, port kept'
check "two home routers in a row are one" doubly home home 'EIM/APDF, port kept'
check "a home behind a symmetric provider: symmetric" doubly symmetric full-cone APDM/APDF
check "a symmetric router behind a full cone: symmetric" doubly full-cone symmetric APDM/APDF
check "step 1 is seen through a provider that keeps ports" doubly full-cone sequential 'APDM/APDF, step 1'
check "the second subscriber is like the first" classifies dan 'EIM/APDF, port kept'
check "two subscribers meet through their provider's hairpin, whoever begins" punches_by moved-cone 'yes any'
check "the same with ports that are kept" punches_by full-cone 'yes any'
check "without a hairpin they do not meet by what is seen outside" punches_by moved 'no -'
finish
