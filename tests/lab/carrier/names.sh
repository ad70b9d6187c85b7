#!/bin/bash
# names.sh - a hub that is known by name is found: where it moved to, and once names can be asked for at all.
#
# A spoke takes a minute's silence of its hub for a reason to ask again, so both cases run side by side.
# shellcheck disable=SC2154 # of what is sourced
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/agents.sh
. tests/lab/agents.sh

# Whoever is asked for an IPv4 address answers with the one that stands in a file; of others there are none.
serve_names() {
	site_spawn inet names python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("192.0.2.2", 53))
print("bound", flush=True)
while True:
    query, client = s.recvfrom(512)
    end = query.index(0, 12) + 5
    kind = query[end - 3]
    with open(sys.argv[1]) as zone:
        address = socket.inet_aton(zone.read().strip())
    answer = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04" + address if kind == 1 else b""
    s.sendto(query[:2] + b"\x81\x80\x00\x01" + (b"\x00\x01" if answer else b"\x00\x00") + bytes(4) + query[12:end] + answer, client)
    print("asked for", "A" if kind == 1 else kind, "by", client[0], flush=True)' "$world_dir/inet/zone"
	world_wait 5 grep -q bound "$world_dir/inet/names.log"
}

endpoint() { site_run "$1" wg show collective0 endpoints | cut -f 2; }
is_called_at() { [ "$(endpoint "$1")" = "$2:51821" ]; }

moves() {
	site_run hub ip address add 198.51.100.7/32 dev wan && site_run inet ip route add 198.51.100.7/32 dev hub &&
		site_run hub ip address del 198.51.100.1/32 dev wan && site_run inet ip route del 198.51.100.1/32 dev hub &&
		echo 198.51.100.7 >"$world_dir/inet/zone" && ! agent_answered ann 10.100.0.1
}
found_again() { world_wait 90 is_called_at "$1" 198.51.100.7 && agents_meet 10.100.0.1 "$1"; }

world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.8.0/24 home
agents_prepare hub.example:51821 0 hub ann bob
echo 198.51.100.1 >"$world_dir/inet/zone"
serve_names || world_fail 'names are not served'
echo 'nameserver 192.0.2.2' >"$world_dir/ann/resolv.conf"
for site in hub ann bob; do
	agent_start "$site"
done
check "a hub is found by its name" agents_meet 10.100.0.1 ann
check "a name that nobody can be asked for is said" agent_says bob 'the name hub.example leads nowhere' 15
echo 'nameserver 192.0.2.2' >"$world_dir/bob/resolv.conf"
check "the hub moves" moves
check "whoever had found it finds it again" found_again ann
check "and so does one that learned late whom to ask" found_again bob
finish
