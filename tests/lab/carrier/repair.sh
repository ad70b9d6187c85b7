#!/bin/bash
# repair.sh - what another program breaks is put right within a second, and said; what is another's is left alone.
# shellcheck disable=SC2154,SC2016 # of what is sourced; what is quoted is for a shell in the site
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/agents.sh
. tests/lab/agents.sh

# breaks CLAIM SITE TEXT BREAK CHECK
breaks() { check "$1" repaired "${@:2}"; }

# setting NAME WRONG RIGHT
setting() {
	breaks "$1 of our interface" ann 'settings of collective0 were changed' "sysctl -qw net.ipv4.conf.collective0.$1=$2" \
		"[ \$(sysctl -n net.ipv4.conf.collective0.$1) = $3 ]"
}

# What an agent says is bounded: the next one may say as much again.
anew() { agent_end "$1" TERM && agent_hears "$1" && agent_start "$1" && agent_says "$1" started; }

# Another program's, of every kind.
foreign='
ip link add other7 type veth peer name other8
ip link set other8 up
ip link set other7 up
ip address add 10.77.7.1/24 dev other7
ip route add 10.78.0.0/16 dev other7
ip route add 10.100.9.0/24 dev other7
ip route add unreachable 10.79.0.0/16 metric 4096 proto static
ip route add 10.80.0.0/16 dev other7 table 11010 proto static
ip rule add from 10.77.7.0/24 lookup 77 pref 900
ip rule add iif other7 lookup 11010 pref 1010
ip -6 rule add from 2001:db8::/32 lookup 77 pref 900'

foreign_things() {
	site_run "$1" ip -o -4 address show dev other7
	site_run "$1" ip -4 route show table all | grep -e other7 -e 10.79
	site_run "$1" ip -4 rule show | grep -v 'proto 110'
	site_run "$1" ip -6 rule show | grep -v 'proto 110'
}

foreign_are_left() { same "$(cat "$world_dir/foreign")" "$(foreign_things ann)"; }

# It took the place of ours in one step.
another_route_is_said() {
	agent_hears ann
	site_run ann ip route replace 10.100.0.0/16 dev lan proto static || return
	agent_says ann "another program's route to 10.100.0.0/16 stands in the way of ours" || return
	sleep 1.2
	same '10.100.0.0/16 dev lan proto static scope link ' "$(site_run ann ip route show 10.100.0.0/16 metric 0)"
}

comes_back() { site_run ann ip route del 10.100.0.0/16 dev lan && world_wait 1 site_run ann bash -c "$supernet"; }

# The packets of a tunnel that takes everything go through inet, as those of a provider.
outside() {
	local inside
	(umask 077 && wg genkey >"$world_dir/ann/quick.key" && wg genkey >"$world_dir/inet/quick.key") || return
	inside=$(wg pubkey <"$world_dir/ann/quick.key")
	case $implementation in
	kernel) site_run inet ip link add quick type wireguard ;;
	*)
		site_spawn inet quick env WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1 wireguard-go -f quick
		world_wait 5 site_run inet test -S /run/wireguard/quick.sock
		;;
	esac || return
	site_run inet wg set quick private-key "$world_dir/inet/quick.key" listen-port 51999 peer "$inside" \
		allowed-ips 10.66.0.2/32,192.168.7.0/24 || return
	site_run inet ip link set quick up && site_run inet ip route add 10.66.0.2 dev quick && site_run inet ip route add 192.168.7.0/24 dev quick
	(umask 077 && cat >"$world_dir/ann/quick.conf" <<-CONF)
		[Interface]
		PrivateKey = $(cat "$world_dir/ann/quick.key")
		Address = 10.66.0.2/32
		[Peer]
		PublicKey = $(wg pubkey <"$world_dir/inet/quick.key")
		Endpoint = 192.0.2.1:51999
		AllowedIPs = 0.0.0.0/0
	CONF
}

quick() {
	site_run ann env WG_QUICK_USERSPACE_IMPLEMENTATION=wireguard-go WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1 \
		wg-quick "$1" "$world_dir/ann/quick.conf" >"$world_dir/ann/wg-quick.log" 2>&1 || { cat "$world_dir/ann/wg-quick.log"; return 1; }
}

goes_through() { site_run ann ip route get "$1" | grep "dev $2 "; }
both_work() {
	goes_through 192.0.2.3 quick && world_wait 5 goes_through 10.100.0.1 collective0 &&
		world_wait 10 agent_answered ann 192.0.2.3 && world_wait 20 agent_answered ann 10.100.0.1
}

quick_after_is_well() { ground ann >"$world_dir/before" && quick up && both_work; }
# Rules that stood before those of another go back to their place; which of one priority is the first means nothing.
is_as_before() { same "$(sort "$world_dir/before")" "$(ground ann | sort)"; }
quick_goes() {
	quick down && world_wait 1 is_as_before && world_wait 20 agent_answered ann 10.100.0.1
}
quick_before_is_well() { agent_end ann INT && quick up && agent_start ann && agent_says ann started && both_work; }
without_ours() { agent_end ann INT && goes_through 192.0.2.3 quick && quick down; }

# What another program does again and again is put right again and again, but not without a bound.
ticks_of() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$(agent_pid "$1")/stat"; }
fight() {
	agent_hears ann
	ticks_of ann >"$world_dir/ticks"
	site_run ann bash -c '
		stdbuf -oL ip monitor route >"$1" & watcher=$!
		end=$((SECONDS + 5))
		while [ "$SECONDS" -lt "$end" ]; do
			ip route del 10.100.0.0/16 dev collective0 metric 0 2>/dev/null
			sleep 0.05
		done
		kill "$watcher"' fight "$world_dir/ann/fight.log" || return
	echo $(($(ticks_of ann) - $(cat "$world_dir/ticks"))) >"$world_dir/ticks"
}
within() { echo "$2, wanted between $1 and $3"; [ "$1" -le "$2" ] && [ "$2" -le "$3" ]; }
repairs_are_bounded() { within 10 "$(grep -v Deleted "$world_dir/ann/fight.log" | grep -cF '10.100.0.0/16 dev collective0 proto')" 32; }
words_are_bounded() { within 1 "$(wc -l <"$world_dir/ann/agent.log")" 25; }
effort_is_bounded() { within 0 "$(cat "$world_dir/ticks")" 50; }

world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
agents_prepare 198.51.100.1:51821 0 hub ann=192.168.7.0/24
agent_start hub
agent_start ann
check "a spoke reaches its hub" agents_meet 10.100.0.1 ann
site_run ann bash -ec "$foreign" || world_fail 'there is nothing foreign'
foreign_things ann >"$world_dir/foreign"

main='ip route show table main'
inner='ip route show table 11010'
supernet="$main | grep -F '10.100.0.0/16 dev collective0 proto 110 scope link src 10.100.1.1'"
breaks "the route of the supernet" ann 'the route to 10.100.0.0/16' 'ip route del 10.100.0.0/16 metric 0' "$supernet"
breaks "a guard" ann 'the guard of 10.100.0.0/16' 'ip route del unreachable 10.100.0.0/16 metric 4096' "$main | grep 'unreachable 10.100.0.0/16 proto 110'"
breaks "the way to an own network" ann 'the way to our own 192.168.7.0/24' 'ip route del throw 192.168.7.0/24 table 11010' "$inner | grep 'throw 192.168.7.0/24 proto 110'"
breaks "the route for what comes in" ann 'the route to 10.100.0.0/16' 'ip route del 10.100.0.0/16 table 11010' "$inner | grep '10.100.0.0/16 dev collective0 proto 110'"
breaks "the end of the table for what comes in" ann 'the end of our table' 'ip route del unreachable default table 11010' "$inner | grep 'unreachable default proto 110'"
breaks "its end for IPv6" ann 'the end of our table' 'ip -6 route del unreachable default table 11010' "ip -6 route show table 11010 | grep 'unreachable default'"
breaks "a rule" ann 'the rule for collective0' 'ip rule del pref 1010 iif collective0' 'ip rule show | grep "iif collective0 lookup 11010 proto 110"'
breaks "a rule for IPv6" ann 'the rule for collective1' 'ip -6 rule del pref 1010 iif collective1' 'ip -6 rule show | grep "iif collective1 lookup 11010 proto 110"'
breaks "an address, with the routes that prefer it" ann 'the address of collective0' 'ip address del 10.100.1.1/32 dev collective0' "ip -o address show dev collective0 | grep -F 10.100.1.1/32 && $supernet"
breaks "the address of the links" ann 'the address of collective1' 'ip address del 10.100.1.1/32 dev collective1' 'ip -o address show dev collective1 | grep -F 10.100.1.1/32'
breaks "a route of ours that leads elsewhere" ann 'the route to 10.100.0.0/16' 'ip route replace 10.100.0.0/16 dev lan proto 110' "$supernet"
anew ann
breaks "a size" ann 'collective0 was given another MTU' 'ip link set collective0 mtu 1300' 'ip link show collective0 | grep "mtu 1420"'
breaks "an interface that is set down" ann 'collective0 was set down' 'ip link set collective0 down' "ip link show collective0 | grep '[<,]UP[,>]' && $supernet && $inner | grep '10.100.0.0/16 dev collective0'"
setting forwarding 0 1
setting rp_filter 1 2
setting accept_redirects 1 0
setting send_redirects 1 0
breaks "an address that does not belong there" ann 'an interface of ours had the address 10.98.0.1/24' 'ip address add 10.98.0.1/24 dev collective0' '! ip address show dev collective0 | grep 10.98'
breaks "a route with our mark" ann 'to 10.97.0.0/16' 'ip route add 10.97.0.0/16 dev lan proto 110' "! $main | grep 10.97"
breaks "a rule with our mark" ann 'a rule with our mark, for lan' 'ip rule add iif lan lookup 11010 pref 1011 proto 110' '! ip rule show | grep "iif lan"'
filter="nft list chain inet collective inside | tail -n 3 | grep drop"
breaks "the packet filters that a firewall flushed" ann 'the packet filter "collective" was changed' 'nft flush ruleset' "$filter"
breaks "a rule of our packet filter" ann 'the packet filter "collective" was changed' 'nft flush chain inet collective inside' "$filter"
breaks "a rule that somebody put into it" ann 'the packet filter "collective" was changed' 'nft insert rule inet collective inside accept' "$filter && ! nft list chain inet collective inside | grep -x '[[:space:]]accept'"
check "what is another's is left alone in all of that" foreign_are_left

check "another program's route in the place of ours is said, and stays" another_route_is_said
check "ours comes back once it is gone" comes_back

check "a tunnel can be laid outside" outside
check "a wg-quick tunnel that takes everything works beside us" quick_after_is_well
check "when it goes, all is as before" quick_goes
check "and works when it was there first" quick_before_is_well
check "we go, and it stays" without_ours
agent_start ann
check "all is well again" agents_meet 10.100.0.1 ann
anew ann
check "another program fights us for a route" fight
check "how often we put it right is bounded" repairs_are_bounded
check "what we say of it is bounded" words_are_bounded
check "what it costs is bounded" effort_is_bounded
check "the route is there in the end" world_wait 1 site_run ann bash -c "$supernet"
check "what is another's has been left alone" foreign_are_left
finish
