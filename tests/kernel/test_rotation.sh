#!/bin/bash
# test_rotation.sh - WireGuard keys change under traffic over lines with delay, and while agents are killed.
#
# A hub and two sites behind home routers, 10 ms each way at every site.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh

hub=10.100.0.1
ann=10.100.1.1

# As the unit's user, each site with directories of its own.
collective() {
	local site=$1
	shift
	site_run "$site" "${as_unit[@]}" env COLLECTIVE_STATE="$world_dir/$site/state" COLLECTIVE_RUN="$world_dir/$site/state/run" \
		"$BUILD/gcc/agent/collective" "$@"
}

meets() { world_wait 90 site_run "$1" ping -q -c 1 -W 1 "$2" >"$world_dir/out" 2>&1; }

# Its public key and what stands between it and the members, as WireGuard has them.
keys_of() {
	site_run "$1" wg show collective0 public-key
	site_run "$1" wg show collective0 allowed-ips | awk '$2 != "(none)" && $2 !~ /^169\.254\.77\./ { print $1 }' |
		while read -r peer; do site_run "$1" wg show collective0 preshared-keys | grep -F "$peer" | cut -f 2; done
}

# under_traffic SECONDS COMMAND... - while 100 packets a second go both ways between sites and to the hub; none is lost.
under_traffic() {
	local count=$(($1 * 100)) first second
	shift
	rm -f "$world_dir/ann/ping-hub.log" "$world_dir/bob/ping-ann.log"
	site_spawn ann ping-hub ping -q -i 0.01 -W 5 -c "$count" "$hub"
	first=$site_pid
	site_spawn bob ping-ann ping -q -i 0.01 -W 5 -c "$count" "$ann"
	second=$site_pid
	"$@" || return 1
	if ! world_wait 60 ended "$first" || ! world_wait 60 ended "$second"; then
		echo 'the traffic does not end'
		return 1
	fi
	grep -h 'packets transmitted' "$world_dir/ann/ping-hub.log" "$world_dir/bob/ping-ann.log"
	[ "$(grep -hc ', 0% packet loss' "$world_dir/ann/ping-hub.log")" = 1 ] &&
		[ "$(grep -hc ', 0% packet loss' "$world_dir/bob/ping-ann.log")" = 1 ]
}

ended() { ! kill -0 "$1" 2>/dev/null; }

is_the_kernels() { site_run hub ip -d link show collective0 | grep -qw wireguard && ! site_run hub pgrep -x wireguard-go; }

rtt_is_long() { site_run ann ping -q -c 5 -i 0.2 "$hub" | awk -F/ '/^rtt/ { exit !($4 >= 10) }'; }

keys_change() {
	local before after
	before=$(keys_of "$1")
	under_traffic "$2" collective "$1" rotate || return 1
	after=$(keys_of "$1")
	if [ -z "$before" ] || [ "$(comm -12 <(sort <<<"$before") <(sort <<<"$after") | wc -l)" != 0 ]; then
		printf 'before:\n%s\nafter:\n%s\n' "$before" "$after"
		return 1
	fi
}

# The agent alone: WireGuard is the kernel's, and goes on.
agent_of() { site_run "$1" pgrep -xf ".*collective agent --state $world_dir/$1/state .*"; }

killed_meanwhile() {
	local asking
	site_spawn "$1" rotate "${as_unit[@]}" env COLLECTIVE_STATE="$world_dir/$1/state" COLLECTIVE_RUN="$world_dir/$1/state/run" \
		"$BUILD/gcc/agent/collective" rotate
	asking=$site_pid
	sleep "$2" # the moment is the test's, not a wait for something
	kill -KILL "$(agent_of "$1")"
	world_wait 10 ended "$asking" || return 1
	collective "$1" up || return 1
	meets ann "$hub" && meets bob "$ann" && meets bob "$hub"
}

world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.8.0/24 home
for site in hub ann bob; do
	chmod 700 "$world_dir/$site/state"
	if ! world_delay "$site" 10; then
		echo 'needs netem'
		exit 77
	fi
done
collective hub init --name home --endpoint 198.51.100.1 >/dev/null || world_fail 'the hub does not begin'
for site in ann bob; do
	collective hub invite "$site" 2>/dev/null | collective "$site" join - >/dev/null 2>&1 || world_fail "$site does not join"
done

check "the kernel's WireGuard was taken where nothing else was chosen" is_the_kernels
check "the line is a long one" rtt_is_long
check "a site changes its keys and preshared keys, and of 100 packets/s none is lost" keys_change ann 5
check "a hub changes its keys and preshared keys, and of 100 packets/s none is lost" keys_change hub 14
for moment in 0.05 0.4; do
	check "a site's agent killed $moment s after the change began takes it up again" killed_meanwhile ann "$moment"
done
check "a hub's agent killed while it waits for its members takes the change up again" killed_meanwhile hub 2
check "and keys change as ever afterwards" keys_change bob 4
finish
