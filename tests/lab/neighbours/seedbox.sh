#!/bin/bash
# seedbox.sh - a machine with a tunnel of its own by wg-quick, which takes one network along or everything: both
# work at once, come and go in any order, and leave each other alone.
#
#   hub    directly on inet
#   ann    at home, with the tunnel `seed` to the seedbox
#   bob    at home
#   box    directly on inet: the seedbox, 10.200.0.1, which translates what goes on from there
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
# shellcheck source=tests/lab/neighbours.sh
. tests/lab/neighbours.sh

quick() { site_run "$1" env WG_QUICK_USERSPACE_IMPLEMENTATION=wireguard-go WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1 wg-quick "$2" "$world_dir/$1/seed.conf" >"$world_dir/$1/quick.log" 2>&1 || { cat "$world_dir/$1/quick.log"; return 1; }; }

# tunnel_takes NETWORKS - what ann's tunnel takes along.
tunnel_takes() {
	(
		umask 077
		cat >"$world_dir/ann/seed.conf" <<-EOF
			[Interface]
			PrivateKey = $ann_key
			Address = 10.200.0.2/24
			[Peer]
			PublicKey = $(wg pubkey <<<"$box_key")
			AllowedIPs = $1
			Endpoint = 198.51.100.9:51820
			PersistentKeepalive = 25
		EOF
	)
}
runs_a_seedbox() {
	(
		umask 077
		cat >"$world_dir/box/seed.conf" <<-EOF
			[Interface]
			PrivateKey = $box_key
			Address = 10.200.0.1/24
			ListenPort = 51820
			[Peer]
			PublicKey = $(wg pubkey <<<"$ann_key")
			AllowedIPs = 10.200.0.2/32
		EOF
	)
	quick box up && site_run box sysctl -qw net.ipv4.ip_forward=1 &&
		site_run box nft 'add table ip nat; add chain ip nat post { type nat hook postrouting priority srcnat; }; add rule ip nat post oifname "wan" masquerade'
}

tunnel_works() { gets ann 10.200.0.1; }
gets() { world_wait 8 reaches "$1" "$2" || { echo "$1 does not reach $2"; return 1; }; }
collective_works() { gets ann 10.100.0.1 && gets ann "$(inside bob)" && gets bob "$(inside ann)"; }
both_work() { tunnel_works && collective_works; }

# What is theirs at ann's: their interface, its routes, rules and filters, and what the system was set to.
theirs() {
	rules_of ann
	site_run ann ip rule | grep -vE 'proto 110|iif lo'
	site_run ann ip -4 route show table all | grep -vE 'collective|proto 110|unreachable'
	site_run ann ip -4 -o address show | grep -v collective
	site_run ann wg show seed dump 2>/dev/null | awk '{ print $1, $2, $3, $4 }'
	site_run ann sysctl net.ipv4.conf.all.rp_filter net.ipv4.ip_forward
}
# same_of_theirs COMMAND... - which changes nothing of theirs.
same_of_theirs() {
	theirs >"$world_dir/theirs"
	"$@" && theirs | diff "$world_dir/theirs" -
}
nothing_of_theirs() { theirs >"$world_dir/after" && diff "$world_dir/before" "$world_dir/after"; }
ours_down() { at ann down >/dev/null; }
ours_up() { at ann up >/dev/null && world_wait 8 reaches ann 10.100.0.1; }
nothing_of_ours() { ! site_run ann sh -c 'ip -o link; ip rule; ip route show table all' | grep -E 'collective|11010|proto 110'; }
nothing_was_repaired() { ! grep 'not by us' "$world_dir/ann/agent.log" | grep -v 'was set before ours'; }

begins() { runs_a_seedbox && links_begin ann bob && theirs >"$world_dir/before"; }

beside_one_network() {
	tunnel_takes 10.200.0.0/24 && quick ann up && both_work && silent_on ann 'other tunnel' && silent_on ann networks &&
		same_of_theirs ours_down && nothing_of_ours && tunnel_works && same_of_theirs ours_up && both_work && quick ann down && nothing_of_theirs && collective_works
}
tunnel_is_no_place() {
	quick ann up && world_wait 10 places ann 192.168.7.2 >/dev/null && ! places ann 10.200.0 && within=20 direct ann bob && both_work && quick ann down
}
places() { at "$1" netcheck --json | grep -F "$2"; }

# Where the hub is called from: home's address, or the seedbox's.
hub_sees() { site_run hub wg show collective0 endpoints | grep -F "	$1:"; }
# The tunnel comes while ours stands, which may stay on the way that it is on; what begins anew goes by the tunnel.
beside_everything() {
	tunnel_takes 0.0.0.0/0 && quick ann up && members_stay_inside && both_work && same_of_theirs ours_down && nothing_of_ours && tunnel_works &&
		same_of_theirs ours_up && both_work && hub_sees 198.51.100.9
}
# wg-quick's rules are set before all that there are. What members send must find no way by them: neither to the
# LAN, which ann does not announce, nor to the seedbox.
members_stay_inside() {
	world_wait 1 goes_nowhere 192.168.7.1 && goes_nowhere 10.200.0.1 && goes_nowhere 198.51.100.77 &&
		grep -F 'was set before ours, not by us: it is put right' "$world_dir/ann/agent.log"
}
goes_nowhere() { ! site_run ann ip route get "$1" from "$(inside bob)" iif collective0 2>&1 | grep -F ' dev '; }

# As one of theirs may stand, whatever it is for.
in_front_of_local() {
	site_run ann ip rule add fwmark 0x77 lookup 77 priority 0 && is_told_of_it && finds ann note rules 'the rule of priority 0' &&
		both_work && site_run ann ip rule delete fwmark 0x77 && world_wait 2 forgets_it && silent_on ann rules
}
is_told_of_it() { world_wait 2 is_told ann 'rule of priority 0' 'behind the local table'; }
forgets_it() { ! is_told ann 'rule of priority 0'; }

is_named() { finds ann note 'other tunnel' 'the tunnel seed takes everything along, also what goes to the hub'; }
remedy_leads_around() {
	same_of_theirs obeys ann 'other tunnel' && world_wait 30 hub_sees 203.0.113.2 && silent_on ann 'other tunnel' && both_work &&
		site_run ann ip route get 198.51.100.77 | grep -q 'dev seed' &&
		same_of_theirs ours_down && same_of_theirs ours_up && direct ann bob && site_run bob wg show collective1 endpoints | grep -F '	203.0.113.2:'
}
theirs_goes_first() {
	site_run ann ip rule del iif lo && site_run ann ip rule del iif lo && quick ann down && nothing_of_theirs && collective_works &&
		ours_down && nothing_of_ours && nothing_of_theirs
}
theirs_comes_first() { quick ann up && ours_up && both_work && ours_down && nothing_of_ours && tunnel_works && quick ann down && nothing_of_theirs; }

command -v wg-quick >/dev/null || { echo 'needs wg-quick, see tools/packages' >&2; exit 77; }
world_begin
world_public hub 198.51.100.1
world_public box 198.51.100.9
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.8.0/24 home
settle hub ann bob
ann_key=$(wg genkey) box_key=$(wg genkey)
check "a seedbox, and a collective" begins
check "a tunnel with one network: both work, ours goes and comes, then it goes" beside_one_network
check "it is no place where a site is met" tunnel_is_no_place
check "a tunnel that takes everything: both work, ours goes and comes, now inside it" beside_everything
check "what members send goes no way of it" members_stay_inside
check "a rule that ours cannot stand before is told, and nothing else" in_front_of_local
check "the doctor says that it takes ours along" is_named
check "the command leads ours around it, and all else goes by it still" remedy_leads_around
check "it goes first, then ours: nothing is left" theirs_goes_first
check "it comes first, then ours, which goes first: nothing is left" theirs_comes_first
check "nobody took anything of ours away meanwhile" nothing_was_repaired
finish
