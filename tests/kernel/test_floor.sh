#!/bin/bash
# test_floor.sh - what every other test in here stands on: the kernel's WireGuard, lines with delay
# and loss, routers, and a clock that can be set.
#
# A site at home, behind a router that masquerades, and one outside:
#
#   home 192.168.7.2 --- 192.168.7.1 router 198.51.100.2 --- 198.51.100.1 away
#   10.77.1.1 in the tunnel                                     10.77.2.1 in the tunnel
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"
# shellcheck source=tests/tap.sh
. tests/tap.sh

in_home() { ip netns exec floor-home "$@"; }
in_router() { ip netns exec floor-router "$@"; }
in_away() { ip netns exec floor-away "$@"; }

# line NAMESPACE DEVICE ADDRESS NAMESPACE DEVICE ADDRESS
line() {
	ip link add "$2" netns "$1" type veth peer name "$5" netns "$4" &&
		ip -n "$1" address add "$3" dev "$2" && ip -n "$1" link set "$2" up &&
		ip -n "$4" address add "$6" dev "$5" && ip -n "$4" link set "$5" up
}

set_up_lines() {
	local name
	for name in home router away; do
		ip netns add "floor-$name" && ip -n "floor-$name" link set lo up || return 1
	done
	line floor-home eth0 192.168.7.2/24 floor-router lan 192.168.7.1/24 &&
		line floor-away eth0 198.51.100.1/24 floor-router wan 198.51.100.2/24 &&
		ip -n floor-home route add default via 192.168.7.1 &&
		in_router sysctl -qw net.ipv4.ip_forward=1 &&
		in_router nft -f - <<'NFT'
table ip nat {
  chain post { type nat hook postrouting priority srcnat; oifname "wan" masquerade; }
}
NFT
}

# Only home knows where the other is.
set_up_tunnel() {
	local home away
	home=$(wg genkey) && away=$(wg genkey) || return 1
	ip -n floor-home link add wg0 type wireguard && ip -n floor-away link add wg0 type wireguard &&
		in_home wg set wg0 private-key <(echo "$home") peer "$(wg pubkey <<<"$away")" \
			endpoint 198.51.100.1:51820 allowed-ips 10.77.2.0/24 &&
		in_away wg set wg0 listen-port 51820 private-key <(echo "$away") peer "$(wg pubkey <<<"$home")" \
			allowed-ips 10.77.1.0/24 &&
		ip -n floor-home address add 10.77.1.1/32 dev wg0 && ip -n floor-away address add 10.77.2.1/32 dev wg0 &&
		restart home && restart away
}

# Down and up: sessions are forgotten; where peers are, and the newest initiation of each, is not.
restart() {
	ip -n "floor-$1" link set wg0 down && ip -n "floor-$1" link set wg0 up &&
		ip -n "floor-$1" route add 10.77.0.0/16 dev wg0
}

# shape DELAY-AND-LOSS... - on the way out of both sites.
shape() {
	ip netns exec floor-home tc qdisc replace dev eth0 root netem "$@" &&
		ip netns exec floor-away tc qdisc replace dev eth0 root netem "$@"
}

reaches_away() { in_home ping -q -c 1 -W "${1:-3}" 10.77.2.1; }
reaches_home() { in_away ping -q -c 1 -W "${1:-3}" 10.77.1.1; }

every_module_is_there() {
	local module bad=0
	while read -r module; do
		[ -d "/sys/module/$module" ] ||
			grep -q "/$module\.ko\$" "$BUILD"/kernel/*/lib/modules/"$(uname -r)"/modules.builtin ||
			{ echo "$module is not there"; bad=1; }
	done < <(grep -v '^#' tests/kernel/modules.txt)
	return $bad
}

wireguard_is_the_kernels() {
	[ "$(ip -n floor-home -details -json link show wg0 | grep -o '"info_kind":"[a-z]*"')" = '"info_kind":"wireguard"' ] &&
		[ ! -e /var/run/wireguard/wg0.sock ]
}

# The shortest of some round trips through the tunnel, in whole milliseconds.
round_trip() {
	in_home ping -q -c "$1" -i 0.1 -W 3 10.77.2.1 | sed -nE 's|^rtt min[^=]*= ([0-9]+)\..*|\1|p'
}

takes() {
	local took
	took=$(round_trip 5)
	echo "round trip: ${took:-none} ms"
	[ "${took:--1}" -ge "$1" ] && [ "$took" -le "$2" ]
}

seen_as_the_router() {
	in_away wg show wg0 endpoints | tee /dev/stderr | grep -q $'\t198\\.51\\.100\\.2:'
}

# Of 100, half get lost in one of two directions: 25 come back, give or take 18, which is four sigma.
loses_most() {
	local came
	shape loss 50% || return 1
	came=$(in_home ping -q -c 100 -i 0.01 -W 1 10.77.2.1 | sed -nE 's/.* ([0-9]+) received.*/\1/p')
	shape delay 20ms
	echo "$came of 100 came back"
	[ "$came" -ge 7 ] && [ "$came" -le 43 ]
}

sent_by_home() { in_home wg show wg0 transfer | cut -f 3; }

# Home wants a session, says so, and is not heard.
older_initiation_is_ignored() {
	local before
	date -s '-1 hour' && restart home || return 1
	before=$(sent_by_home)
	! reaches_away 2 || { echo "it was answered"; return 1; }
	[ "$(sent_by_home)" -eq $((before + 148)) ] || { echo "home sent $before, then $(sent_by_home) bytes"; return 1; }
}

# Away wants one: the answer carries no time, and the session serves both.
response_is_not() {
	restart away && reaches_home 3 && reaches_away 3
}

initiation_is_taken_again() {
	date -s '+1 hour' && restart home && restart away && reaches_away 3
}

# Every other word of the rules for routers, that a module of its own stands behind.
knows_the_rules() {
	in_router nft -f - <<'NFT'
table ip rules {
  map bind { type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; size 4096; }
  set held { type ipv4_addr; flags dynamic; size 4096; }
  chain learn {
    type filter hook postrouting priority srcnat + 1;
    oifname "wan" ct direction original meta l4proto udp update @bind { udp sport timeout 120s : ct original ip saddr . ct original proto-src }
  }
  chain pre {
    type nat hook prerouting priority dstnat;
    iifname "wan" meta l4proto udp dnat to udp dport map @bind
    udp dport 9 redirect to 10
  }
  chain post {
    type nat hook postrouting priority srcnat - 1;
    udp dport 1 masquerade fully-random
    udp dport 2 snat to 198.51.100.2 : numgen inc mod 2 map { 0 : 40000, 1 : 40001 }
    udp dport 3 snat to 198.51.100.2 : jhash ip daddr . udp sport mod 2 map { 0 : 40000, 1 : 40001 }
  }
  chain forw {
    type filter hook forward priority filter;
    udp dport 4 numgen random mod 100 < 5 drop
    ct state new add @held { ip saddr ct count over 64 } drop
    udp dport 5 limit rate 5/second log prefix "floor " drop
    udp dport 6 reject
  }
}
table inet checks {
  chain pre { type filter hook prerouting priority raw; fib saddr . iif oif missing udp dport 7 drop; }
}
NFT
}

has_other_devices() {
	ip -n floor-router link add br0 type bridge && in_router ip tuntap add tun0 mode tun &&
		in_router tc qdisc replace dev lan root tbf rate 10mbit burst 10kb latency 50ms
}

control_directory_can_be_made() { mkdir -p /var/run/wireguard && : >/var/run/wireguard/a && rm -r /var/run/wireguard; }

remove_all() {
	local name
	for name in home router away; do
		ip netns delete "floor-$name" || return 1
	done
}

nothing_is_left() { ! ip netns list | grep .; }

check "every module is there" every_module_is_there
check "/tmp and /run begin empty" test -z "$(find /tmp /run -xdev -type f)"
check "a directory for control sockets can be made" control_directory_can_be_made
check "lines and a router can be laid" set_up_lines
check "a tunnel can be laid" set_up_tunnel
check "the tunnel is the kernel's" wireguard_is_the_kernels
check "a session comes about" reaches_away
check "without delay, a round trip is short" takes 0 20
check "20 ms a way can be had" shape delay 20ms
check "a round trip then takes 40 ms" takes 40 60
check "the router masquerades" seen_as_the_router
check "half of the packets can be lost" loses_most
check "an initiation that is dated earlier is ignored" older_initiation_is_ignored
check "a response is not" response_is_not
check "once the clock is right, initiations are taken" initiation_is_taken_again
check "all rules for routers are understood" knows_the_rules
check "bridges, tun devices and slow lines can be had" has_other_devices
check "namespaces go" remove_all
check "nothing is left" nothing_is_left
finish
