#!/bin/bash
# there.sh - what agents make of a machine, that they leave it alone afterwards, and how little a new member changes.
# shellcheck disable=SC2154 # of what is sourced
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/agents.sh
. tests/lab/agents.sh

addresses() { site_run "$1" ip -o -4 address show dev "$2" | awk '{ print $4, $6 }'; }
routes() { site_run "$1" ip "$2" route show proto 110 table "$3" | sed 's/ *$//' | sort; }

has_its_address() { same "$2 global" "$(addresses "$1" collective0)" && same "$2 global" "$(addresses "$1" collective1)"; }

ann_routes='10.100.0.0/16 dev collective0 scope link src 10.100.1.1
192.168.9.0/24 dev collective0 scope link src 10.100.1.1
unreachable 10.100.0.0/16 metric 4096
unreachable 10.100.1.0/24 metric 4096
unreachable 192.168.9.0/24 metric 4096'
ann_inner='10.100.0.0/16 dev collective0 scope link
192.168.9.0/24 dev collective0 scope link
throw 10.100.1.0/24
throw 192.168.7.0/24
unreachable default metric 4096'
hub_routes='10.100.0.0/16 dev collective0 scope link src 10.100.0.1
192.168.7.0/24 dev collective0 scope link src 10.100.0.1
192.168.9.0/24 dev collective0 scope link src 10.100.0.1
unreachable 10.100.0.0/16 metric 4096
unreachable 10.100.0.0/24 metric 4096
unreachable 192.168.7.0/24 metric 4096
unreachable 192.168.9.0/24 metric 4096'

has_routes() { same "$2" "$(routes "$1" -4 main)"; }
has_no_ipv6_routes() { same '' "$(routes "$1" -6 main)"; }
has_inner_routes() { same "$2" "$(routes "$1" -4 11010)"; }
has_inner_end() { same 'unreachable default dev lo metric 4096 pref medium' "$(routes "$1" -6 11010)"; }

rules_of_ours='1010:	from all iif collective0 lookup 11010 proto 110
1010:	from all iif collective1 lookup 11010 proto 110'
has_rules() {
	same "$rules_of_ours" "$(site_run "$1" ip -4 rule show | grep '^1010:' | sed 's/ *$//')" &&
		same "$rules_of_ours" "$(site_run "$1" ip -6 rule show | grep '^1010:' | sed 's/ *$//')"
}

own_settings() {
	site_run "$1" sh -c 'cd /proc/sys/net/ipv4/conf &&
		grep . collective?/forwarding collective?/send_redirects collective?/accept_redirects collective?/rp_filter'
}

wanted_settings='collective0/accept_redirects:0
collective0/forwarding:1
collective0/rp_filter:2
collective0/send_redirects:0'
sets_up_its_own() { same "$wanted_settings"$'\n'"${wanted_settings//collective0/collective1}" "$(own_settings "$1" | sort)"; }

# Of all that is not ours, the global switches among it.
other_settings() {
	site_run "$1" sh -c 'cd /proc/sys/net && grep -rs . ipv4/ip_forward ipv4/conf ipv6/conf' | grep -v '/collective[01]/' | sort
}
may_change='^-'
[ "$implementation" != kernel ] || may_change='^ipv4/conf/all/send_redirects:'
# The kernel's WireGuard switches redirects off for all interfaces when one of its own is set up.
leaves_other_settings() { same "$(grep -v "$may_change" "$world_dir/settings-$1")" "$(other_settings "$1" | grep -v "$may_change")"; }

has_size() { site_run "$1" ip -o link show dev "$2" | grep -E '[<,]UP[,>].* mtu 1420 '; }

# What a peer may send from, by its site's name.
allowed() {
	local key
	key=$(sed -n 1p "$world_dir/$2/keys")
	site_run "$1" wg show collective0 allowed-ips | awk -v key="$key" '$1 == key { $1 = ""; print }' | tr ' ' '\n' | sort | paste -sd' '
}
is_allowed() { same " $3" "$(allowed "$1" "$2")"; }

has_peers() { same "$3" "$(site_run "$1" wg show "$2" peers | wc -l)"; }

is_of_its_kind() {
	case $implementation in
	kernel) site_run "$1" ip -d link show dev collective0 | grep -w wireguard ;;
	*) site_run "$1" ip -d link show dev collective0 | grep -w tun ;;
	esac
}

# watched SITE COMMAND... - what the kernel tells of a site while the command runs.
watched() {
	local file=$world_dir/$1/monitor.log
	: >"$file"
	site_spawn "$1" monitor stdbuf -oL ip -o monitor link address route rule
	watcher=$site_pid
	world_wait 5 listens "$1" 2>/dev/null || return
	"${@:2}" || return
	# One more, at which to stop reading.
	site_run "$1" ip address add 192.0.2.99/32 dev lo
	world_wait 5 grep -q 192.0.2.99 "$file" || return
	kill "$watcher"
	site_run "$1" ip address del 192.0.2.99/32 dev lo
	# The line's own address has its duplicates looked for when it comes up, whoever watches.
	sed '/192\.0\.2\.99/d; / wan .*fe80::/d; /fe80::.* dev wan /d' "$file"
}

listens() {
	site_run "$1" ip address add 192.0.2.99/32 dev lo || site_run "$1" ip address del 192.0.2.99/32 dev lo
	grep -q 192.0.2.99 "$world_dir/$1/monitor.log"
}

# Somebody else's change is a reason to look at everything, and seconds pass besides.
nudge() {
	local i
	for i in 1 2 3; do
		site_run "$1" ip rule add pref "50$i" from 192.0.2.98 table 500 || return
		site_run "$1" ip rule del pref "50$i" from 192.0.2.98 table 500 || return
		sleep 0.7
	done
}

# is_open_to SITE NETWORKS - in the order of sort.
is_open_to() { same "$2" "$(site_run "$1" nft list chain inet collective inside | sed -n 's/.*daddr \(.*\) accept/\1/p' | sort | paste -sd ' ')"; }

changes_nothing() {
	local before seen
	before=$(tunnels "$1")
	seen=$(watched "$1" "${@:2}") || return
	same '' "$(grep -v -e 192.0.2.98 <<<"$seen")" && same "$before" "$(tunnels "$1")"
}

begins_again() {
	agent_hears "$1" && agent_end "$1" TERM && agent_start "$1" && agent_says "$1" started && sleep 1.5
}

# Bytes that went to a peer only ever grow while it is the same one.
sent() { site_run "$1" wg show collective0 transfer | awk '{ sum += $3 } END { print sum }'; }
keeps_its_sessions() {
	local before after
	before=$(sent "$1") && begins_again "$1" && agent_answered "$1" 10.100.2.1 && after=$(sent "$1") || return
	echo "sent: $before, then $after bytes"
	[ "$after" -ge "$before" ] && [ "$after" -lt $((before + 20000)) ] && ! agent_said "$1" 'put right'
}

# Cam's certificate is known to itself and to bob, who tells the hub once he begins. That somebody is kept alive from
# now on is no change by him.
knows_cam() { site_run hub wg show collective0 allowed-ips | grep -q 192.168.9.0/24; }
bob_tells() {
	agent_start bob && world_wait 15 knows_cam || return
	sleep 0.5
}
new_member_is_all_that_changes() {
	local before seen keys
	keys=$(sed -sn 1p "$world_dir/bob/keys" "$world_dir/cam/keys")
	before=$(tunnels hub | grep -vF "$keys" | sed 's/ [^ ]*$//')
	seen=$(watched hub bob_tells) || return
	# shellcheck disable=SC2001 # of every line
	same '192.168.9.0/24 dev collective0 proto 110 scope link src 10.100.0.1
192.168.9.0/24 dev collective0 table 11010 proto 110 scope link
unreachable 192.168.9.0/24 proto 110 metric 4096' "$(sed 's/ *\\* *$//' <<<"$seen" | sort)" &&
		same "$before" "$(tunnels hub | grep -vF "$keys" | sed 's/ [^ ]*$//')" && ! agent_said hub 'put right'
}

# Once a hub has seen where a site is, it keeps it alive: within ten seconds, without a hurry.
keeps_all_alive() { [ "$(site_run hub wg show collective0 persistent-keepalive | grep -c '25$')" -eq 3 ]; }

world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
world_public bob 203.0.113.3
world_public cam 203.0.113.4
site_run cam ip address add 192.168.9.2/24 dev lo
agents_prepare 198.51.100.1:51821 0 hub ann=192.168.7.0/24 bob cam=192.168.9.0/24
for site in hub ann; do
	agent_forget "$site" cam
	other_settings "$site" >"$world_dir/settings-$site"
done
for site in hub ann; do
	agent_start "$site"
done
check "a spoke reaches its hub" agents_meet 10.100.0.1 ann
check "a new member is all that changes" new_member_is_all_that_changes
agent_start cam
check "spokes reach each other" agents_meet 10.100.2.1 ann cam
check "and a network that one of them announces" agents_meet 192.168.9.2 ann
sites=(hub ann)
[ "$implementation" != kernel ] || sites=(ann) # what is the same for both took its time in the lab
for site in "${sites[@]}"; do
	check "$site has the WireGuard that was chosen" is_of_its_kind "$site"
	check "both interfaces of $site are up, with their size" eval "has_size $site collective0 && has_size $site collective1"
	check "both interfaces of $site have its rules" has_rules "$site"
	check "$site sets its own interfaces" sets_up_its_own "$site"
	check "$site leaves the global switches and all other interfaces" leaves_other_settings "$site"
	check "what comes into $site over IPv6 leads nowhere" has_inner_end "$site"
	check "$site has no routes for IPv6" has_no_ipv6_routes "$site"
done
check "the hub has its address on both interfaces, alone in its network" has_its_address hub 10.100.0.1/32
check "a spoke as well" has_its_address ann 10.100.1.1/32
check "the hub's routes prefer its address, and each has a guard" has_routes hub "$hub_routes"
check "a spoke's as well" has_routes ann "$ann_routes"
check "what comes in finds what was announced, and no default" has_inner_routes ann "$ann_inner"
check "what is meant for the machine itself is what it announces, and its own address" is_open_to ann '10.100.1.0/24 10.100.1.1 192.168.7.0/24'
check "a peer of the hub may send from what is its own" is_allowed hub ann '10.100.1.0/24 192.168.7.0/24'
check "the hub may send a spoke what is of all" is_allowed ann hub '10.100.0.0/16 192.168.9.0/24'
check "the hub has a peer for each site" has_peers hub collective0 3
check "a spoke has the hub only" has_peers ann collective0 1
check "there are no links" has_peers ann collective1 0
check "the hub keeps all of them alive" world_wait 15 keeps_all_alive
check "looking again changes nothing" changes_nothing ann nudge ann
check "nor at the hub" changes_nothing hub nudge hub
check "an agent that begins again changes nothing" changes_nothing ann begins_again ann
check "nor at the hub" changes_nothing hub begins_again hub
check "and keeps sessions" keeps_its_sessions ann
finish
