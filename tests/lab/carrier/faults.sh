#!/bin/bash
# faults.sh - what dies, hangs, is lost or was never there: said in a sentence, and overcome where it can be.
# shellcheck disable=SC2154,SC2016 # of what is sourced; what is quoted is for a shell in the site
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/agents.sh
. tests/lab/agents.sh

port() { site_run "$1" wg show collective0 listen-port; }

# More events than the agent's socket holds, while it does not look.
drops() { awk '$2 == 0 { sum += $9 } END { print sum + 0 }' "/proc/$(agent_pid ann)/net/netlink"; }
overrun() {
	local before
	before=$(drops)
	agent_hears ann
	for ((i = 0; i < 6000; i++)); do
		echo "route add 10.$((100 + i % 100)).77.$((i % 250))/32 dev lan table $((500 + i))"
		[ "$i" -ne 3000 ] || echo 'route del 10.100.0.0/16 metric 0'
	done >"$world_dir/ann/batch"
	agent_signal ann STOP && site_run ann ip -batch "$world_dir/ann/batch" && agent_signal ann CONT || return
	echo "lost: $before before, $(drops) now"
	world_wait 1 site_run ann bash -c "ip route show | grep '10.100.0.0/16 dev collective0 proto 110'" &&
		[ "$(drops)" -gt "$before" ] && agent_said ann 'the route to 10.100.0.0/16'
}

# Of a site that nobody else is needed for.
begins() { agent_hears cam && agent_start cam; }
ends() { agent_end cam INT; }
stands() { site_run cam ip -o -4 address show dev collective0 | grep -F 10.100.2.1/32 >/dev/null; }

has_no_module() {
	agent_configure cam 'implementation: kernel' && begins && agent_says cam "$1" && ! agent_is_gone cam &&
		! site_run cam ip link show dev collective0 2>/dev/null
}
goes_on_with_another() {
	ends && agent_configure cam "implementation: $implementation" && begins && world_wait 10 stands && ends
}

has_no_permission() {
	local as_unit=(setpriv "--reuid=$world_user" "--regid=$world_user" --clear-groups --inh-caps=-all --ambient-caps=-all
		--bounding-set=-all)
	begins && agent_says cam CAP_NET_ADMIN && ! agent_is_gone cam && ends
}

# The port of a hub is told to all: there is no other one for it.
takes_port() {
	agent_end hub INT && agent_hears hub || return
	site_spawn hub taker python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 51821))
print("bound", flush=True)
time.sleep(600)'
	echo "$site_pid" >"$world_dir/hub/taker.pid"
	world_wait 5 grep -q bound "$world_dir/hub/taker.log" && agent_start hub && agent_says hub 'UDP port 51821 is in use'
}
goes_on_with_port() { kill "$(cat "$world_dir/hub/taker.pid")" && agents_meet 10.100.0.1 ann && same 51821 "$(port hub)"; }

takes_name() {
	local before
	site_run cam ip link add collective0 type veth peer name other0 || return
	before=$(site_run cam ip -d link show dev collective0)
	begins && agent_says cam 'collective0 that is no WireGuard' || return
	sleep 1.5
	same "$before" "$(site_run cam ip -d link show dev collective0)"
}
goes_on_with_name() { site_run cam ip link del collective0 && world_wait 5 stands && ends; }
works_without_ipv6() {
	site_run cam sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
	begins && agents_meet 10.100.0.1 cam && agents_meet 10.100.2.1 hub && ! agent_said cam 'could not' && ends
}

world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
world_public cam 203.0.113.4
agents_prepare 198.51.100.1:51821 0 hub ann cam
agent_start hub
agent_start ann

if [ "$implementation" = kernel ] || modprobe -nq wireguard || [ -d /sys/module/wireguard ]; then
	skip "where the kernel has no WireGuard, that is said" "this one has"
else
	check "where the kernel has no WireGuard, that is said" has_no_module 'apt install'
	check "one who then chooses the other goes on" goes_on_with_another
fi
check "who lacks the capability is told which" has_no_permission
check "another's interface of our name is said, and left alone" takes_name
check "once it is gone, we go on" goes_on_with_name
check "a spoke reaches its hub" agents_meet 10.100.0.1 ann
check "what was lost with a full socket is found" overrun
check "a port that another has is said" takes_port
check "once it is free, we go on" goes_on_with_port
check "without IPv6 all works" works_without_ipv6
finish
