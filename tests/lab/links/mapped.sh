#!/bin/bash
# mapped.sh - a router that opens a port on request (miniupnpd, NAT-PMP) is met through it, also a symmetric one.
#
#   hub         directly on inet
#   ann         at home behind a symmetric router, on which miniupnpd runs
#   bob         at home
#   cam         at home behind a symmetric router that has no address on the internet: miniupnpd there opens nothing
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

# opens_ports SITE - the tables of its own that miniupnpd wants beside the router's, and for what it lets in.
opens_ports() {
	site_run "$1-router" nft -f - <<-'EOF' || return
		table inet upnp {
			chain pre { type nat hook prerouting priority dstnat - 5; jump dest; }
			chain passed { }
			chain dest { }
			chain source { }
		}
	EOF
	printf '%s\n' ext_ifname=wan listening_ip=lan enable_natpmp=yes enable_upnp=no secure_mode=yes upnp_table_name=upnp \
		upnp_nat_table_name=upnp upnp_forward_chain=passed upnp_nat_chain=dest upnp_nat_postrouting_chain=source \
		uuid=00000000-0000-0000-0000-000000000000 'allow 1024-65535 0.0.0.0/0 1024-65535' >"$world_dir/$1/miniupnpd.conf"
	serves_ports "$1" || { cat "$world_dir/$1-router/miniupnpd.log"; return 1; }
}
serves_ports() {
	site_spawn "$1-router" miniupnpd miniupnpd -d -f "$world_dir/$1/miniupnpd.conf" -P "$world_dir/$1/miniupnpd.pid"
	echo "$site_pid" >"$world_dir/$1/upnp"
	world_wait 5 listens "$1"
}
serves_no_more() { kill "$(<"$world_dir/$1/upnp")" && world_wait 5 has_ended "$(<"$world_dir/$1/upnp")"; }
listens() { site_run "$1-router" ss -Hlun 'sport = 5351' | grep -q .; }

begins() { links_begin ann bob cam; }
has_port() { at ann netcheck --json | python3 -c 'import json, sys
d = json.load(sys.stdin)
sys.exit(0 if d["port_mapping"] == "granted" and any(p["kind"] == "mapped" for p in d["places"]) else json.dumps(d))'; }
has_port_soon() { world_wait 10 has_port 2>"$world_dir/words" || { tail -n 1 "$world_dir/words"; return 1; }; }
through_it() { direct ann bob && site_run bob wg show collective1 endpoints | grep -qF "44.0.113.2:$(mapped)"; }
mapped() { site_run ann wg show collective1 listen-port; }
# A router that lost its state and says so: what was open is asked for at once, and not at half of two hours.
begins_anew() {
	site_run ann-router nft flush chain inet upnp dest && nothing_is_open || return
	# What is not said is not noticed: 3 s are nothing beside an hour.
	serves_no_more ann && serves_ports ann && sleep 3 && nothing_is_open || return
	site_run ann-router python3 -c 'import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("192.168.2.1"))
s.sendto(struct.pack(">BBHI4s", 0, 128, 0, 0, socket.inet_aton("44.0.113.2")), ("224.0.0.1", 5350))' &&
		world_wait 5 is_open
}
is_open() { ! nothing_is_open; }
# Ctrl-C and down give back what was opened.
gives_back() { at ann down >/dev/null && world_wait 5 nothing_is_open; }
# Whom its router refuses says so and asks no more; it goes by the hub.
is_refused() {
	world_wait 10 tells_of_refusal || { cat "$world_dir/words" "$world_dir/cam-router/miniupnpd.log"; return 1; }
	grep -F 'Two routers in a row translate' "$world_dir/words" && at cam netcheck --json | grep -F '"port_mapping":"the router' &&
		world_wait 20 reason cam bob not_met && at cam why bob | grep -F "on both of this site's routers" && are_by_hub cam bob
}
tells_of_refusal() { at cam netcheck >"$world_dir/words" 2>&1; grep -F 'No port was opened: the router' "$world_dir/words"; }
asks_no_more() { [[ $(asked) = [123] ]] || { cat "$world_dir/cam-router/miniupnpd.log"; return 1; }; }
asked() { grep -c 'NAT-PMP request received' "$world_dir/cam-router/miniupnpd.log"; }
nothing_is_open() { ! site_run ann-router nft list chain inet upnp dest | grep -q dnat; }

command -v miniupnpd >/dev/null || { echo 'needs miniupnpd, see tools/packages' >&2; exit 77; }
world_begin
world_public hub 198.51.100.1
world_home ann 44.0.113.2 192.168.2.0/24 symmetric
world_home bob 203.0.113.3 192.168.3.0/24 home
world_provider isp 203.0.113.4 home
world_home cam 100.64.1.2 192.168.4.0/24 symmetric isp
settle hub ann bob cam
check "a symmetric router opens ports on request" opens_ports ann
check "another one does not have any to open" opens_ports cam
check "three homes join" begins
check "the router has opened a port, and netcheck says so" has_port_soon
check "the other home comes in through it" through_it
check "a router that begins anew and says so opens it again at once" begins_anew
check "down closes it" gives_back
check "a router that refuses is named, with what would help, and packets go by the hub" is_refused
check "it is asked no more" asks_no_more
finish
