#!/bin/bash
# networkd.sh - systemd-networkd itself manages a site's machine: it takes away routes and rules that are not its own
# whenever an interface comes, which is put right within a second and said; with the drop-in of our package it leaves them alone.
#
#   hub    directly on inet
#   ann    directly on inet, at an address that networkd sets; her network 192.168.50.0/24 is announced
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

networkd=/lib/systemd/systemd-networkd

# Where /sys cannot be written it waits for no udev.
has_networkd() {
	site_run ann mount -o remount,ro /sys && site_run ann mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp /run/systemd/networkd.conf.d &&
		site_run ann sh -c 'chown -R systemd-network:systemd-network /run/systemd/netif && cat >/run/systemd/network/10-wan.network' <<-EOF
			[Match]
			Name=wan
			[Network]
			Address=198.51.100.2/32
			IPv6AcceptRA=no
			LinkLocalAddressing=no
			[Route]
			Gateway=192.0.2.1
			GatewayOnLink=yes
		EOF
	site_run ann sh -c 'cat >/run/systemd/network/20-extra.network' <<-EOF
		[Match]
		Name=extra*
		[Network]
		Address=192.168.60.1/24
		ConfigureWithoutCarrier=yes
		LinkLocalAddressing=no
	EOF
}
networkd_starts() {
	site_run ann rm -f /run/systemd/netif/links/*
	site_spawn ann networkd env SYSTEMD_LOG_LEVEL=info "$networkd"
	echo "$site_pid" >"$world_dir/networkd"
	world_wait 10 is_configured || { cat "$world_dir/ann/networkd.log"; site_run ann ip route; return 1; }
}
is_configured() { site_run ann grep -qs 'ADMIN_STATE=configured' /run/systemd/netif/links/"$(site_run ann cat "/sys/class/net/${1:-wan}/ifindex")"; }
networkd_ends() { kill "$(<"$world_dir/networkd")" && world_wait 5 has_ended "$(<"$world_dir/networkd")"; }

ours() { { site_run ann ip rule; site_run ann ip -6 rule; site_run ann ip route show table all; site_run ann ip -6 route show table all; } | grep -E 'proto 110|collective[01]' | sort; }
ours_are_all() { ours | diff "$world_dir/ours" -; }
# What the kernel tells that was removed of ours.
watches() {
	site_spawn ann "$1" stdbuf -oL ip monitor rule route
	echo "$site_pid" >"$world_dir/monitor"
	# It hears once a route of no matter has come by.
	world_wait 5 hears "$1"
}
hears() { site_run ann ip route replace blackhole 192.0.2.250 metric "$RANDOM" && grep -q blackhole "$world_dir/ann/$1.log"; }
removed() { grep -E '^Deleted.*proto 110' "$world_dir/ann/$1.log"; }

begins() {
	at hub init --name home --endpoint 198.51.100.1 >"$world_dir/init" 2>&1 || { cat "$world_dir/init"; return 1; }
	comes_in ann --route 192.168.50.0/24 && world_wait 5 reaches ann 10.100.0.1 && world_wait 5 has_way && ours >"$world_dir/ours"
}
has_way() { ours | grep -q 'throw 192.168.50.0/24' && ours | grep -q 'iif collective1'; }

interface_comes() { site_run ann ip link add "$1" type bridge && world_wait 10 is_configured "$1"; }
is_put_right() {
	watches first && interface_comes extra0 && measured 'what networkd removes is back' 1000 ours_are_all &&
		removed first | grep -q 'iif collective0' && removed first | grep -q unreachable && removed first | grep -q throw &&
		for what in 'the rule for collective0 was removed' 'the guard of 10.100.0.0/16 was changed' 'the way to our own 192.168.50.0/24 was changed'; do
			world_wait 2 grep -F "$what, not by us: it is put right" "$world_dir/ann/agent.log" || { cat "$world_dir/ann/agent.log"; return 1; }
		done && world_wait 2 reaches ann 10.100.0.1
}
# doctor_says WORDS - in a line of what it says of ann's machine.
doctor_says() { at ann doctor >"$world_dir/doctor" 2>&1; grep -qE "$1" "$world_dir/doctor" || { cat "$world_dir/doctor"; return 1; }; }
is_told() { doctor_says '^note +networkd +systemd-networkd manages this machine' && doctor_says '^note +repairs .*: [0-9]+ times since it began' && doctor_says 'ManageForeignRoutes=no'; }
is_told_no_more() { at ann doctor >"$world_dir/doctor" 2>&1; grep -q 'repairs' "$world_dir/doctor" && ! grep networkd "$world_dir/doctor"; }
is_left_alone() {
	networkd_ends && site_run ann cp "$SOURCE/packaging/collective.networkd" /run/systemd/networkd.conf.d/collective.conf && networkd_starts || return
	grep -c 'not by us' "$world_dir/ann/agent.log" >"$world_dir/repairs"
	watches second && interface_comes extra1 && ours_are_all && hears second && ! removed second && [ "$(grep -c 'not by us' "$world_dir/ann/agent.log")" = "$(<"$world_dir/repairs")" ]
}
# Both interfaces of ours are nothing to it, and its own address is there still.
manages_its_own() { site_run ann ip -o address show wan | grep -F 198.51.100.2/32 && site_run ann ip route show default | grep 'proto static' && ! is_configured collective0; }

[ -x "$networkd" ] || { echo "needs $networkd, of the package systemd" >&2; exit 77; }
world_begin
world_public hub 198.51.100.1
world_public ann 198.51.100.2
settle hub ann
site_run ann sh -c 'ip link add lan type bridge && ip address add 192.168.50.1/24 dev lan && ip link set lan up' || world_fail 'ann has no LAN'
check "networkd has something to manage" has_networkd
check "networkd manages a machine" networkd_starts
check "a site begins there" begins
check "what it removes when an interface comes is put right within a second, and said" is_put_right
check "the doctor says so, and what helps" is_told
check "with the package's drop-in nothing of ours is removed" is_left_alone
check "and the doctor has nothing against networkd" is_told_no_more
check "what is its own it has, and nothing of ours" manages_its_own
shows
finish
