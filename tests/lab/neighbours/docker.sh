#!/bin/bash
# docker.sh - machines with Docker: its packet filters let through what they have to once the doctor's words were
# obeyed, its bridge is no place to meet at, and neither of the two disturbs the other.
#
#   hub    directly on inet, with Docker and a container, whose port 8080 is published
#   ann    at home, with Docker; her LAN is announced, in which `box` stands
#   bob    at home
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

# docker_rules SITE - what dockerd 28 asks iptables for whenever it starts; DOCKER-USER it leaves as it is.
docker_rules() {
	site_run "$1" sh -e <<-'EOF'
		chain() { iptables -t "$1" -N "$2" 2>/dev/null || iptables -t "$1" -F "$2"; }
		first() { table=$1 chain=$2; shift 2; iptables -t $table -D $chain "$@" 2>/dev/null || true; iptables -t $table -I $chain "$@"; }
		iptables -N DOCKER-USER 2>/dev/null || true
		for name in DOCKER DOCKER-FORWARD DOCKER-BRIDGE DOCKER-CT DOCKER-ISOLATION-STAGE-1 DOCKER-ISOLATION-STAGE-2; do chain filter $name; done
		chain nat DOCKER
		iptables -P FORWARD DROP
		iptables -A DOCKER-FORWARD -j DOCKER-CT
		iptables -A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1
		iptables -A DOCKER-FORWARD -j DOCKER-BRIDGE
		iptables -A DOCKER-FORWARD -i docker0 -j ACCEPT
		iptables -A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
		iptables -A DOCKER-BRIDGE -o docker0 -j DOCKER
		iptables -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p udp -m udp --dport 80 -j ACCEPT
		iptables -A DOCKER ! -i docker0 -o docker0 -j DROP
		iptables -A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
		iptables -A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
		first filter FORWARD -j DOCKER-FORWARD
		first filter FORWARD -j DOCKER-USER
		first nat PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
		first nat OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
		first nat POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
		iptables -t nat -A DOCKER ! -i docker0 -p udp -m udp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
		sysctl -qw net.ipv4.ip_forward=1
		! [ -d /proc/sys/net/bridge ] || sysctl -qw net.bridge.bridge-nf-call-iptables=1
	EOF
}

docker_at() {
	site_run "$1" ip -batch - <<-EOF || return
		link add name docker0 type bridge
		address add 172.17.0.1/16 brd 172.17.255.255 dev docker0
		link set dev docker0 up
	EOF
	docker_rules "$1"
}

# The container answers whoever speaks to it.
runs_a_container() {
	node_make container
	ip -n "$world-hub" -batch - <<-EOF || return
		link add name veth1 type veth peer name eth0 netns $world-container
		link set dev veth1 master docker0 up
	EOF
	ip -n "$world-container" -batch - <<-EOF || return
		address add 172.17.0.2/16 dev eth0
		link set dev eth0 up
		route add default via 172.17.0.1
	EOF
	site_spawn container service python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 80)); print("bound", flush=True)
while True:
    data, who = s.recvfrom(1500); s.sendto(b"container:" + data, who)'
	world_wait 5 grep -q bound "$world_dir/container/service.log"
}

# asks FROM ADDRESS PORT - whether the container answers.
asks() {
	site_run "$1" python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1)
s.sendto(b"hello", (sys.argv[1], int(sys.argv[2])))
sys.exit(s.recv(100) != b"container:hello")' "$2" "$3" 2>/dev/null
}

begins() {
	docker_at hub && docker_at ann && runs_a_container && rules_of hub >"$world_dir/hub/rules" && rules_of ann >"$world_dir/ann/rules" &&
		links_begin bob && comes_in ann --tag gaming --route 192.168.7.0/24 && address_of ann >"$world_dir/ann/address" &&
		ip -n "$world-box" route add "$supernet" via 192.168.7.2
}
rules_are_dockers() { grep -q DOCKER-USER "$world_dir/hub/rules" && same_rules hub "$world_dir/hub/rules" && same_rules ann "$world_dir/ann/rules"; }

hub_is_in_the_way() {
	knows ann "'bob' in s" && misses ann "$(inside bob)" && is_told hub 'spokes cannot reach each other' 'iptables -I DOCKER-USER -i collective0 -j ACCEPT' &&
		finds hub trouble forwarding 'the firewall (filter FORWARD, Docker) drops what is forwarded: spokes cannot reach each other'
}
hub_lets_through() { obeys hub forwarding && world_wait 5 reaches ann "$(inside bob)" && silent_on hub forwarding && ! is_told hub 'spokes cannot' >/dev/null; }

# Ann is no hub: of what her Docker drops, only what goes to her LAN matters.
lan_is_shut() {
	misses bob "$box" && is_told ann 'members cannot reach the networks behind this site' 'DOCKER-USER' &&
		finds ann trouble forwarding 'between members and the networks behind this site'
}
lan_opens() { obeys ann forwarding && world_wait 5 reaches bob "$box" && world_wait 5 reaches box "$(inside bob)" && silent_on ann forwarding; }
# By the other interface it comes in, too.
lan_is_reached_directly() { at bob link ann && direct ann bob && world_wait 5 reaches bob "$box"; }

bridge_is_no_place() {
	world_wait 10 netcheck_shows '192.168.7.2' && netcheck_shows '172.17.' >/dev/null && return 1
	! at hub netcheck --json | grep -F 172.17.
}
netcheck_shows() { at ann netcheck --json | grep -F "$1"; }

containers_are_out() {
	asks inet 198.51.100.1 8080 && ! asks bob 10.100.0.1 8080 && misses container "$(inside bob)" &&
		finds hub note containers 'containers on docker0 (172.17.0.0/16) and members do not reach each other'
}
containers_are_in() { obeys hub containers && world_wait 5 asks bob 10.100.0.1 8080 && world_wait 5 reaches container "$(inside bob)" && silent_on hub containers; }

# Its chains are emptied and filled again; DOCKER-USER stays.
docker_restarts() {
	pings bob "$(inside ann)"
	pings bob 10.100.0.1
	world_wait 5 grep -q 'bytes from' "$world_dir/bob/pings-10.100.0.1.log" || return
	docker_rules hub && docker_rules ann && reaches bob "$box" && reaches ann "$(inside bob)" && asks bob 10.100.0.1 8080 || return
	end_pings
	for log in "$world_dir"/bob/pings-*.log; do every_ping "$log" || return; done
	! grep -H 'not by us' "$world_dir"/{hub,ann}/agent.log
}
# Numbers without a gap.
every_ping() { sed -n 's/.*icmp_seq=\([0-9]*\) .*/\1/p' "$1" | awk 'NR != $1 { print FILENAME, "lost", NR; exit 1 }'; }

# Everything of ours goes and comes back; of Docker's nothing changes.
up_and_down() {
	local site
	for site in hub ann; do
		rules_of "$site" >"$world_dir/$site/rules"
		at "$site" down >/dev/null && same_rules "$site" "$world_dir/$site/rules" && ! site_run "$site" nft list table inet collective 2>/dev/null || return
		at "$site" up >/dev/null && same_rules "$site" "$world_dir/$site/rules" || return
	done
	world_wait 10 reaches bob "$box"
}

command -v iptables >/dev/null || { echo 'needs iptables, see tools/packages' >&2; exit 77; }
world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.8.0/24 home
world_sibling box ann
box=192.168.7.3
settle hub ann bob
configure bob 'when: asked'
configure ann 'when: asked'
check "Docker runs on a hub and at a home, and homes come in" begins
check "of Docker's rules none has changed" rules_are_dockers
check "what it drops on the hub is named, with the command" hub_is_in_the_way
check "which lets spokes reach each other" hub_lets_through
check "what it drops of a LAN is named, and nothing else" lan_is_shut
check "the command opens the LAN, both ways" lan_opens
check "also by a direct link" lan_is_reached_directly
check "its bridge is no place where a site is met" bridge_is_no_place
check "what members and containers miss of each other is named" containers_are_out
check "the command lets containers reach members, and members what containers publish" containers_are_in
check "Docker begins anew: not a packet is lost, and nothing of ours has to be repaired" docker_restarts
check "up and down leave Docker's rules as they are" up_and_down
finish
