#!/bin/bash
# ways.sh - where packets may go: nowhere that nobody announced, and nowhere in clear. And what systemd is told.
# shellcheck disable=SC2154 # of what is sourced
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/agents.sh
. tests/lab/agents.sh

# count NODE NAME WORDS - of packets that come to a node; counted NODE NAME says how many came since.
count() {
	site_run "$1" nft -f - <<-EOF
		add table ip count_$2
		delete table ip count_$2
		table ip count_$2 { chain pre { type filter hook prerouting priority raw; $3 counter; }; }
	EOF
}
counted() { site_run "$1" nft list table ip "count_$2" | sed -n 's/.*counter packets \([0-9]*\).*/\1/p'; }

sends() { site_run "$1" ping -q -c 3 -i 0.05 -W 0.3 "$2" >/dev/null 2>&1; }

# sent SITE ADDRESS NODE - what of a member's packets there comes to a node.
sent() {
	count "$3" members 'ip saddr 10.100.0.0/16'
	sends "$1" "$2"
	counted "$3" members
}

# A member that does as it likes: nobody on its machine puts anything right.
goes_its_own_way() {
	agent_end "$1" TERM || return
	site_run "$1" wg set collective0 peer "$2" allowed-ips 0.0.0.0/0 && shift 2 || return
	while [ $# -gt 1 ]; do
		site_run "$1" ip route add "$2" dev collective0 || return
		set -- "$1" "${@:3}"
	done
}

arrives() { same 3 "$(sent bob "$1" "$2")"; }
does_not_arrive() { same 0 "$(sent "$@")"; }
comes_to_ann_only() {
	count ann inside "iifname collective0 ip daddr $2"
	does_not_arrive "$1" "$2" ann-router && same 3 "$(counted ann inside)"
}

# Nor does the site itself trust a hub that has been told otherwise.
hub_lies() {
	local key
	key=$(sed -n 1p "$world_dir/ann/keys")
	agent_end hub TERM && site_run hub wg set collective0 peer "$key" allowed-ips 10.100.1.0/24,192.168.7.0/24,10.60.0.0/24,10.50.0.0/24 &&
		site_run hub ip route add 10.50.0.0/24 dev collective0 && site_run hub ip route add 10.50.0.0/24 dev collective0 table 11010
}
hub_is_told_off() { agent_hears hub && agent_start hub && agent_says hub '10.50.0.0/24 belongs to no peer'; }

# By the addresses that it has in its networks.
is_itself_reached() { sends bob 192.168.7.2; }
is_not_reached_there() { ! sends bob 10.50.0.2 && ! sends hub 10.50.0.2; }

# leaks SITE NODE - what a site sends into the collective and into a home while its agent sees nothing, and what of it
# comes to the next node.
leaks() {
	local address
	count "$2" leaked 'ip daddr { 10.100.0.0/16, 192.168.7.0/24 } ip protocol icmp'
	for address in 10.100.1.1 10.100.77.1 192.168.7.1; do
		! sends "$1" "$address" || return
	done
	same 0 "$(counted "$2" leaked)"
}
nothing_leaks_without_routes() {
	agent_signal "$1" STOP || return
	site_run "$1" ip route del 10.100.0.0/16 metric 0 && site_run "$1" ip route del 192.168.7.0/24 metric 0 && leaks "$1" "$2"
}
nothing_leaks_without_interface() { site_run "$1" ip link del collective0 && leaks "$1" "$2"; }
is_well_again() { agent_signal "$1" CONT && agents_meet 10.100.1.1 "$1" && agents_meet 192.168.7.2 "$1"; }

# All that ever came to the middle, in clear.
was_never_clear() {
	same '' "$(tcpdump -nr "$world_dir/inet/all.pcap" 'net 10.100.0.0/16 or net 10.50.0.0/24 or net 192.168.7.0/24' 2>/dev/null)"
}

# As systemd listens.
listen() {
	site_spawn ann notify python3 -c '
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
print("bound", flush=True)
while True:
    print(s.recv(100).decode(), flush=True)' "$world_dir/ann/notify"
	world_wait 5 grep -q bound "$world_dir/ann/notify.log"
}
notified() { grep -c "^$1\$" "$world_dir/ann/notify.log"; }
was_notified() { [ "$(notified "$1")" -ge "$2" ]; }
is_ready() {
	listen && agent_end ann TERM && agent_start ann "NOTIFY_SOCKET=$world_dir/ann/notify" WATCHDOG_USEC=400000 || return
	world_wait 5 was_notified READY=1 1 && same 1 "$(notified READY=1)"
}
is_alive() { world_wait 3 was_notified WATCHDOG=1 4; }
is_not_alive_when_stopped() {
	local before
	agent_signal ann STOP && sleep 0.1 && before=$(notified WATCHDOG=1) && sleep 1.2 || return
	same "$before" "$(notified WATCHDOG=1)" && agent_signal ann CONT && world_wait 3 was_notified WATCHDOG=1 $((before + 1))
}
says_that_it_stops() { agent_end ann TERM && world_wait 2 was_notified STOPPING=1 1 && agent_start ann; }

world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.8.0/24 home
# A network of ann's that she does not announce.
site_run ann ip address add 10.50.0.2/24 dev lan
site_run ann-router ip address add 10.50.0.1/24 dev lan
site_run ann-router ip route add 10.100.0.0/16 via 192.168.7.2
# Granted to her, and isolated by herself.
site_run ann ip address add 10.60.0.2/24 dev lan
site_run ann-router ip address add 10.60.0.1/24 dev lan
agents_prepare 198.51.100.1:51821 0 hub ann=10.60.0.0/24,192.168.7.0/24 bob
echo 'isolate: [10.60.0.0/24]' >>"$world_dir/ann/config.yaml"
for site in hub ann bob; do
	agent_start "$site"
done
check "spokes reach each other" agents_meet 10.100.2.1 ann
hub_key=$(sed -n 1p "$world_dir/hub/keys")
goes_its_own_way bob "$hub_key" bob 10.50.0.0/24 192.0.2.2/32 || world_fail 'bob cannot be changed'
check "what is announced arrives behind its site" arrives 192.168.7.1 ann-router
check "what is not, does not arrive there" does_not_arrive bob 10.50.0.1 ann-router
check "nor does it when the hub lets it through" eval "hub_lies && comes_to_ann_only bob 10.50.0.1"
check "nor what the hub itself sends" comes_to_ann_only hub 10.50.0.1
check "a site answers by its address in what is announced" is_itself_reached
check "not by the one in what is not" is_not_reached_there
check "what is granted, but isolated, is closed at its site" eval "comes_to_ann_only bob 10.60.0.1 && ! sends bob 10.60.0.2"
check "and that is said" agent_said ann '10.60.0.0/24 overlaps'
check "once the hub's agent is back, it puts that right" hub_is_told_off
check "neighbours of the hub that were not announced are not reached" does_not_arrive bob 192.0.2.2 inet
agent_start bob
check "a member that did as it liked is put right" agents_meet 10.100.1.1 bob

check "without routes nothing leaves a spoke in clear" nothing_leaks_without_routes bob bob-router
check "nor without its interface" nothing_leaks_without_interface bob bob-router
check "it is well again once its agent goes on" is_well_again bob
check "without routes nothing leaves the hub in clear" nothing_leaks_without_routes hub inet
check "nor without its interface" nothing_leaks_without_interface hub inet
check "it is well again as well" is_well_again hub
check "nothing ever came out in clear" was_never_clear

check "an agent says when it is ready" is_ready
check "and that it is alive, while it is" is_alive
check "but not when it stands still" is_not_alive_when_stopped
check "and that it stops" says_that_it_stops
finish
