#!/bin/bash
# test_world.sh - the lab is what it says: who reaches whom, what routers do, and that nothing is left of it.
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh

hub=198.51.100.1
ann=203.0.113.2
bob=203.0.113.3
cam=203.0.113.4

is() { [ "$1" = "$2" ] || { printf '%s, not %s\n' "$1" "$2"; return 1; }; }

# between LEAST VALUE MOST
between() { awk -v a="$1" -v b="$2" -v c="$3" 'BEGIN { exit !(a <= b && b <= c) }' || { echo "$2 is not within $1 and $3"; return 1; }; }

reaches() { site_run "$1" ping -q -c 1 -W 5 "$2"; }
misses() { ! site_run "$1" ping -q -c 1 -W 0.5 "$2"; }

leads_nowhere() { ! site_run "$1" ip route show table all | grep default; }
goes_by_default() { site_run "$1" ip route show default | grep '^default via'; }

classifies() { is "$(world_classify "$1")" "$2"; }

# As the router sees it, and as a person reads it in the table of poison.
meets() { is "$(world_probe meet ann "$world_port" "${world_inet[0]}" "$ann" "$2")" "$3"; }
meets_at() {
	world_router ann "$1"
	meets "$@"
}

stays_poisoned() {
	world_router ann home-accept
	world_probe meet ann "$world_port" "${world_inet[0]}" "$ann" peer >/dev/null
	classifies ann EIM/APDF
}

unknown_is_refused() {
	! (world_router ann carrier) 2>"$world_dir/refused" && grep -F '"carrier"' "$world_dir/refused" &&
		! (world_public ann 198.51.100.9) && ! (world_public 'a b' 198.51.100.9)
}

lost_percent() { site_run "$1" ping -q -c 200 -i 0.002 -W 1 "$hub" | sed -n 's/.* \([0-9.]*\)% packet loss.*/\1/p'; }

# A packet and its answer pass twice: 51 of 100 are lost.
loss_counts() {
	world_loss ann 30
	between 35 "$(lost_percent ann)" 67 && is "$(lost_percent bob)" 0 || return
	world_loss ann 0
	is "$(lost_percent ann)" 0
}

seconds_for() { world_probe transfer ann "${world_inet[0]}" "$1"; }

rate_counts() {
	local slow fast
	world_rate ann 2mbit && slow=$(seconds_for 300000) || return
	world_rate ann 8mbit && fast=$(seconds_for 300000) || return
	world_rate ann '' || return
	between 2.5 "$(awk "BEGIN { print $slow / $fast }")" 6
}

# Where the kernel has netem, no packet is faster; where it has not, that is said.
delay_counts() {
	local fastest
	if ! world_delay ann 20; then
		! site_run ann tc qdisc add dev lan root netem
		return
	fi
	fastest=$(site_run ann ping -q -c 5 -i 0.01 "$hub" | sed -n 's|^rtt [^=]*= \([0-9.]*\)/.*|\1|p')
	world_delay ann 0 && between 40 "$fastest" 1000
}

is_the_unit() {
	local set
	is "$(site_run "$1" "${as_unit[@]}" id -u)" "$world_user" || return
	for set in Inh Prm Eff Bnd Amb; do
		is "$(site_run "$1" "${as_unit[@]}" sed -n "s/^Cap$set:\t//p" /proc/self/status)" 0000000000003000 || return
	done
}

reads_the_unit() {
	printf '[Service]\nAmbientCapabilities=CAP_NET_ADMIN\nAmbientCapabilities=CAP_SYS_TIME\n' >"$world_dir/a.service"
	is "$(unit_capabilities AmbientCapabilities "$world_dir/a.service")" -all,+net_admin,+sys_time &&
		is "$(unit_capabilities CapabilityBoundingSet "$world_dir/a.service")" -all &&
		is "$(unit_capabilities CapabilityBoundingSet /nowhere)" -all,+net_admin,+net_raw
}

# What one site writes, no other sees; what is the unit's, its user may write.
has_its_own() {
	local file
	for file in /run/wireguard /run/collective "$(site_dir ann)/state"; do
		site_run ann "${as_unit[@]}" touch "$file/ours" && ! site_run bob test -e /run/wireguard/ours || return
	done
	site_run ann sh -c 'echo nameserver 192.0.2.53 >/etc/resolv.conf' && grep -q 192.0.2.53 "$(site_dir ann)/resolv.conf" &&
		! grep -q 192.0.2.53 /etc/resolv.conf && is "$(site_run bob cat /etc/resolv.conf)" '' &&
		[ ! -e /run/wireguard/ours ]
}

# wireguard SITE ADDRESS - a wireguard-go as the unit starts it.
wireguard() {
	site_spawn "$1" wireguard "${as_unit[@]}" env WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1 wireguard-go -f wg0
	world_wait 10 site_run "$1" test -S /run/wireguard/wg0.sock || return
	(umask 077 && wg genkey >"$(site_dir "$1")/key")
	site_run "$1" wg set wg0 private-key "$(site_dir "$1")/key" listen-port "$world_port" || return
	site_run "$1" ip -batch - <<-EOF
		address add $2/24 dev wg0
		link set dev wg0 up
	EOF
}

# introduce SITE OTHER ADDRESS [ENDPOINT]
introduce() {
	site_run "$1" wg set wg0 peer "$(wg pubkey <"$(site_dir "$2")/key")" allowed-ips "$3/32" ${4:+endpoint "$4"}
}

tunnels() {
	wireguard hub 10.9.0.1 && wireguard ann 10.9.0.2 && wireguard bob 10.9.0.3 || return
	introduce hub ann 10.9.0.2 && introduce ann hub 10.9.0.1 "$hub:$world_port" &&
		introduce hub bob 10.9.0.3 && introduce bob hub 10.9.0.1 "$hub:$world_port" || return
	reaches ann 10.9.0.1 && reaches bob 10.9.0.1 && reaches hub 10.9.0.2
}

# A world in a world: it says what it is made of, and stays if it is told to.
# shellcheck disable=SC2016 # the inner shell's
inner='
. "$SOURCE/tests/lab/world.sh"
world_begin
echo "$world" >"$1/name"
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
(site_spawn hub stray tail -f /dev/null)
site_spawn ann sleeper "${as_unit[@]}" sh -c "echo hello; exec tail -f /dev/null"
world_processes >"$1/processes"
ls -d "$world_dir" >"$1/directory"
[ "$2" = pass ] || { : >"$1/ready"; wait "$site_pid"; }'

inner_begins() {
	inner_dir=$(mktemp -d "$world_dir/inner.XXXXXX")
	BUILD=$inner_dir env --default-signal=INT bash -c "$inner" inner "$inner_dir" "$1" >"$inner_dir/log" 2>&1 &
	inner_pid=$!
}

inner_has_nodes() { [ -s "$inner_dir/name" ] && [ "$(find /run/netns -name "$(cat "$inner_dir/name")-*" | wc -l)" -ge "$1" ]; }

nothing_is_left() {
	local name pid left=0
	name=$(cat "$inner_dir/name")
	if ip netns list | grep "^$name-" || grep "$name-" /proc/self/mountinfo || find /tmp -maxdepth 1 -name "lab.${name#lab-}" | grep .; then left=1; fi
	# What init has not yet looked at is dead all the same.
	while read -r pid; do
		if ps -o pid=,stat=,args= -p "$pid" | grep -v ' Z'; then left=1; fi
	done < <(cat "$inner_dir/processes" 2>/dev/null)
	[ "$left" -eq 0 ] || cat "$inner_dir/log"
	return "$left"
}

ended_world() {
	inner_begins pass
	wait "$inner_pid" || { cat "$inner_dir/log"; return 1; }
	[ "$(wc -l <"$inner_dir/processes")" -ge 6 ] && [ -s "$inner_dir/directory" ] || return
	nothing_is_left && [ ! -e "$inner_dir/lab" ]
}

# killed_world SIGNAL STATUS CONDITION...
killed_world() {
	inner_begins stay
	world_wait 10 "${@:3}" || return
	kill -"$1" "$inner_pid"
	wait "$inner_pid"
	is $? "$2" && nothing_is_left
}

is_ready() { [ -e "$inner_dir/ready" ]; }

keeps_traces() {
	killed_world TERM 143 is_ready || return
	grep -q 'iifname "wan"' "$inner_dir/lab/inner/ann-router.txt" && [ -s "$inner_dir/lab/inner/inet-all.pcap" ] &&
		grep -q hello "$inner_dir/lab/inner/ann-sleeper.log"
}

world_begin
world_public hub "$hub"
world_home ann "$ann" 192.168.7.0/24 home
world_home bob "$bob" 192.168.7.0/24 home-accept
world_home cam "$cam" 192.168.8.0/24 forwarded

for site in hub ann bob cam; do
	check "$site has a default route" goes_by_default "$site"
done
for site in ann bob cam; do
	check "$site at home reaches a public site" reaches "$site" "$hub"
done
check "a public site reaches a router that accepts" reaches hub "$bob"
check "a public site does not reach a router that drops" misses hub "$ann"
check "nor what is behind a router" misses hub 192.168.7.2
check "a home does not reach another home" misses ann 192.168.8.2
check "nor another home's router that drops" misses bob "$ann"
check "a world has no way out" leads_nowhere inet

check "a public site is not translated" classifies hub "${world_classified[public]}"
check "a home router" classifies ann "${world_classified[home]}"
check "another one with the same LAN prefix, accepting input" classifies bob "${world_classified[home]}"
check "a forwarded port" classifies cam "${world_classified[forwarded]}"
check "what does not exist is refused" unknown_is_refused

check "input dropped, peer first: port kept, later packets arrive" meets_at home peer 'kept, arrive'
check "input accepted, home first: port kept, later packets arrive" meets_at home-accept home 'kept, arrive'
check "input accepted, peer first: another port, later packets lost" meets_at home-accept peer 'another, lost'
check "input accepted, port forwarded, peer first: port kept, later packets arrive" meets_at forwarded-accept peer 'kept, arrive'
check "later destinations see the port that was substituted" stays_poisoned
check "a router that changes remembers nothing" meets_at home home 'kept, arrive'

check "loss of one site's packets, and of no other's" loss_counts
check "four times the rate is about four times as fast" rate_counts
check "delay, or a word that there is none" delay_counts

check "what runs as the unit has its user and exactly its capabilities" is_the_unit ann
check "these are read from the unit file" reads_the_unit
check "a site has its own /run and resolv.conf" has_its_own
check "three wireguard-go with one name for their interface" tunnels

check "nothing is left of a world that ended" ended_world
check "nor of one that was killed with its first node" killed_world TERM 143 inner_has_nodes 1
check "nor of one that was killed while it was built" killed_world TERM 143 inner_has_nodes 3
check "nor of one that was interrupted" killed_world INT 130 is_ready
check "nor of one that was hung up on" killed_world HUP 129 is_ready
check "of one that failed traces are kept" keeps_traces
finish
