# routers.sh - what stands between a home and inet: sourced by world.sh, whose list of words has these, never run.
# shellcheck shell=bash disable=SC2154 # what is world.sh's
#
# A type of router is how it translates and whom it lets in; world_types has them by name. Each name may end in -accept:
# then the router takes packets to itself, as some do, instead of dropping them. That is poison to a conversation whose
# first packet it was: the flow from inside gets another port; of the moved ones, which have no other, it is dropped. Or in
# -reject: then it tells who sent them that nobody is there, which poisons nothing.

world_port=51820 # the one that a router of type `forwarded` forwards

# Which port a flow from inside gets. Everything but UDP is masqueraded.
declare -A router_ports=(
	[kept]='oifname "wan" masquerade'
	[random]='oifname "wan" masquerade fully-random'
	# By its socket, from those that sockets had.
	[moved]='oifname "wan" meta l4proto udp snat to WAN : ip saddr . udp sport map @out
		oifname "wan" meta l4proto udp snat to WAN:20000-60000 fully-random
		oifname "wan" masquerade'
	[counted]='oifname "wan" meta l4proto udp snat to WAN : numgen inc mod 256 map { PORTS }
		oifname "wan" masquerade'
	[hashed]='oifname "wan" meta l4proto udp snat to WAN : jhash ip daddr . udp sport mod 256 seed 0x1 map { PORTS }
		oifname "wan" masquerade'
)

# Who comes in beside those who answer. A port has the one who sent from it last.
declare -A router_guests=(
	[none]=''
	[known]='iifname "wan" udp dport . ip saddr @seen dnat to udp dport map @bind'
	[all]='iifname "wan" meta l4proto udp dnat to udp dport map @bind'
	[hairpin]='iifname "wan" meta l4proto udp dnat to udp dport map @bind
		iifname "INSIDE" ip daddr WAN meta l4proto udp dnat to udp dport map @bind'
	[forward]='iifname "wan" udp dport PORT dnat to HOST'
)

declare -A world_types=(
	[home]='kept none'
	[full-cone]='kept hairpin'
	[full-cone-plain]='kept all' # without hairpin
	[address-restricted]='kept known'
	[symmetric]='random none'
	[symmetric-open]='random all'
	[sequential]='counted none'
	[address-dependent]='hashed none'
	[moved]='moved none'
	[moved-restricted]='moved known'
	[moved-cone]='moved hairpin'
	[forwarded]='kept forward'
	[blocked]='kept none'        # no UDP at all
	[blocked-but-53]='kept none' # but what looks like names
)

# What such a router does not forward at all.
declare -A router_blocks=(
	[blocked]='meta l4proto udp drop'
	[blocked-but-53]='ct direction original udp dport != 53 drop'
)

# What world_classify says of them, of a site without a router, and of a home's IPv6.
# shellcheck disable=SC2034 # the scripts look at it
declare -A world_classified=(
	[public]='O'
	[home]='EIM/APDF, port kept'
	[full-cone]='EIM/EIF, port kept, hairpin'
	[full-cone-plain]='EIM/EIF, port kept'
	[address-restricted]='EIM/ADF, port kept'
	[symmetric]='APDM/APDF'
	[symmetric-open]='APDM/EIF'
	[sequential]='APDM/APDF, step 1'
	[address-dependent]='ADM/APDF'
	[moved]='EIM/APDF'
	[moved-restricted]='EIM/ADF'
	[moved-cone]='EIM/EIF, hairpin'
	[forwarded]='EIM/EIF, port kept'
	[blocked]='no UDP'
	[blocked-but-53]='no UDP'
	[six]='O/APDF'
)

# routers_lack - says what is missing here for these types. Succeeds when something is.
routers_lack() {
	unshare --net sh -c 'ip link add name lan type bridge && nft "add table ip nat; add chain ip nat post { type nat hook postrouting priority srcnat; }; add map ip nat out { type ipv4_addr . inet_service : inet_service; flags dynamic,timeout; }; add rule ip nat post meta l4proto udp snat to 192.0.2.1 : ip saddr . udp sport map @out; add rule ip nat post meta l4proto udp snat to 192.0.2.1 : jhash ip daddr mod 2 seed 0x1 map { 0 : 1, 1 : 2 }"' \
		>/dev/null 2>&1 || { echo 'needs bridges, maps and jhash of the kernel'; return; }
	return 1
}

# What the types with maps know: who went out, with which port, towards whom. A packet that answers has its own
# direction's names for the same two.
router_maps='
	map bind { type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; size 4096; }
	map out { type ipv4_addr . inet_service : inet_service; flags dynamic,timeout; size 4096; }
	set seen { type inet_service . ipv4_addr; flags dynamic,timeout; size 4096; }
	chain learn {
		type filter hook postrouting priority srcnat + 1'
for router_way in original reply; do
	router_maps+="
		oifname \"wan\" ct direction $router_way meta l4proto udp update @bind { udp sport timeout TIMEOUT : ct $router_way ip saddr . ct $router_way proto-src } update @seen { udp sport . ip daddr timeout TIMEOUT } update @out { ct $router_way ip saddr . ct $router_way proto-src timeout TIMEOUT : udp sport }"
done
router_maps+='
	}'

# As what it translates.
router_plain() {
	case $1 in
	*-accept) echo "${1%-accept}" ;;
	*-reject) echo "${1%-reject}" ;;
	*) echo "$1" ;;
	esac
}

# router_rules TYPE - everything, where WAN, HOST, LAN, INSIDE, PORTS, PORT and TIMEOUT stand for what they are.
router_rules() {
	local type ports guests maps='' input='iifname "wan" ct state new drop'
	type=$(router_plain "$1")
	read -r ports guests <<<"${world_types[$type]}"
	case "$ports $guests" in *moved* | *known | *all | *hairpin) maps=$router_maps ;; esac
	case $1 in *-accept) input='' ;; *-reject) input='iifname "wan" ct state new reject' ;; esac
	cat <<-EOF
		flush ruleset
		table ip nat {
			$maps
			chain pre {
				type nat hook prerouting priority dstnat
				${router_guests[$guests]}
			}
			chain post {
				type nat hook postrouting priority srcnat
				${router_ports[$ports]}
				oifname "INSIDE" ip saddr LAN ct status dnat snat to WAN
			}
		}
		table inet fw {
			chain forw {
				type filter hook forward priority filter
				${router_blocks[$type]:-}
				iifname "wan" ct state new ct status ! dnat drop
			}
			chain inpt {
				type filter hook input priority filter
				meta l4proto ipv6-icmp accept
				$input
				iifname "sub*" ct state new drop
			}
		}
	EOF
}

# Of those that count or hash.
router_256=$(paste -d ':' <(seq 0 255) <(seq 40000 40255) | paste -sd,)

world_router() {
	local router=$world_dir/$1-router rules wan host lan inside new stream
	[ -n "${world_types[$(router_plain "$2")]:-}" ] ||
		world_fail "there is no router of type \"$2\"; these are, each with -accept or -reject too: ${!world_types[*]}"
	read -r wan host lan inside <"$router/addresses"
	read -r new stream <"$router/timeouts"
	rules=$(router_rules "$2")
	rules=${rules//WAN/$wan} rules=${rules//HOST/$host} rules=${rules//LAN/$lan} rules=${rules//INSIDE/$inside}
	rules=${rules//PORTS/$router_256} rules=${rules//PORT/$world_port} rules=${rules//TIMEOUT/${stream}s}
	site_run "$1-router" nft -f - <<<"$rules" || world_fail "$1-router refuses its rules"
	site_run "$1-router" sysctl -qw "net.netfilter.nf_conntrack_udp_timeout=$new" "net.netfilter.nf_conntrack_udp_timeout_stream=$stream"
	site_run "$1-router" conntrack -F >/dev/null 2>&1
	echo "$2" >"$router/type"
}

world_reboot() { world_router "$1" "$(cat "$world_dir/$1-router/type")"; }

world_timeouts() {
	echo "$2 $3" >"$world_dir/$1-router/timeouts"
	world_reboot "$1"
}

# router_make NAME ADDRESS HOST LAN INSIDE [PROVIDER]
router_make() {
	local router=$1-router upstream=inet port=$1 gateway=${world_inet[0]} subscriber=${2%.*}
	node_make "$router"
	if [ $# -gt 5 ]; then
		upstream=$6-router port=sub${subscriber##*.} gateway=$subscriber.1
	fi
	node_plug "$router" "$port" "$2" "$upstream" "$gateway"
	[ "$upstream" = inet ] || ip -n "$world-$upstream" address add "$gateway/24" dev "$port" || world_fail "$6 has no address for $1"
	site_run "$router" sysctl -qw net.ipv4.ip_forward=1
	echo "$2 $3 $4 $5" >"$world_dir/$router/addresses"
	echo "$upstream $port" >"$world_dir/$router/upstream"
	echo 30 120 >"$world_dir/$router/timeouts"
}

world_provider() {
	router_make "$1" "$2" - 100.64.0.0/10 'sub*'
	world_router "$1" "$3"
}

world_home() {
	local lan=${3%.*} length=${3#*/}
	node_make "$1"
	router_make "$1" "$2" "$lan.2" "$3" lan "${@:5}"
	ip -n "$world-$1" link add name lan type veth peer name lan netns "$world-$1-router" || world_fail "no LAN for $1"
	ip -n "$world-$1-router" -batch - <<-EOF || world_fail "no LAN at the router of $1"
		address add $lan.1/$length dev lan
		link set dev lan up
	EOF
	ip -n "$world-$1" -batch - <<-EOF || world_fail "no LAN at $1"
		address add $lan.2/$length dev lan
		link set dev lan up
		route add default via $lan.1
	EOF
	world_router "$1" "$4"
}

# The types of pairs.txt are those of routers and two more, one of which may end in -accept, too: its own router, not the provider's.
world_stands() {
	case $2 in
	public) world_public "$1" "203.0.113.$3" ;;
	cgnat | cgnat-accept)
		world_provider "isp$3" "203.0.113.$3" moved-cone
		world_home "$1" 100.64.1.2 "192.168.$3.0/24" "home${2#cgnat}" "isp$3"
		;;
	*) world_home "$1" "203.0.113.$3" "192.168.$3.0/24" "$2" ;;
	esac
}

# The router's LAN becomes a bridge of both hosts' lines, whose packets are no business of its packet filter.
world_sibling() {
	local host lan at=$world-$2-router
	read -r _ host lan _ <"$world_dir/$2-router/addresses"
	node_make "$1"
	ip -n "$world-$1" link add name lan type veth peer name line3 netns "$at" || world_fail "no LAN for $1"
	ip -n "$at" -batch - <<-EOF || world_fail "no bridge at the router of $2"
		link set dev lan down
		link set dev lan name line2
		link add name lan type bridge
		address flush dev line2
		address add ${host%.*}.1/${lan#*/} dev lan
		link set dev line2 master lan up
		link set dev line3 master lan up
		link set dev lan up
	EOF
	site_run "$2-router" sh -c '! [ -d /proc/sys/net/bridge ] || sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0'
	ip -n "$world-$1" -batch - <<-EOF || world_fail "no LAN at $1"
		address add ${host%.*}.3/${lan#*/} dev lan
		link set dev lan up
		route add default via ${host%.*}.1
	EOF
	ip -n "$world-$2" neighbour flush dev lan
}

# Beside what it has of IPv4; PREFIX is of 64 bits. Nobody waits for what an address may do to another.
world_six() {
	local edge=$1 prefix=${2%%/*}
	[ ! -d "$world_dir/$1-router" ] || edge=$1-router
	if [ ! -e "$world_dir/inet/six" ]; then
		: >"$world_dir/inet/six"
		site_run inet sysctl -qw net.ipv6.conf.all.forwarding=1
		ip -n "$world-inet" -6 -batch - < <(printf 'address add %s/128 dev lo nodad\n' "${world_inet_six[@]}") || world_fail 'inet has no IPv6'
	fi
	ip -n "$world-inet" -6 -batch - <<-EOF || world_fail "inet has no IPv6 for $1"
		address add fe80::1/64 dev $1 nodad
		route add $prefix/64 via fe80::2 dev $1
	EOF
	ip -n "$world-$edge" -6 -batch - <<-EOF || world_fail "$1 has no IPv6"
		address add fe80::2/64 dev wan nodad
		route add default via fe80::1 dev wan
	EOF
	if [ "$edge" = "$1" ]; then
		ip -n "$world-$1" -6 address add "${prefix}2/128" dev wan nodad
		return
	fi
	site_run "$edge" sysctl -qw net.ipv6.conf.all.forwarding=1
	ip -n "$world-$edge" -6 address add "${prefix}1/64" dev lan nodad
	ip -n "$world-$1" -6 -batch - <<-EOF || world_fail "$1 has no IPv6"
		address add ${prefix}2/64 dev lan nodad
		route add default via ${prefix}1
	EOF
}

# The new address is there before the old one goes, and with that goes whatever was sent from it.
world_renumber() {
	local edge=$1 upstream=inet port=$1 old
	if [ -d "$world_dir/$1-router" ]; then
		edge=$1-router
		read -r upstream port <"$world_dir/$edge/upstream"
	fi
	old=$(ip -n "$world-$edge" -4 -o address show dev wan | awk '{ sub("/.*", "", $4); print $4 }')
	ip -n "$world-$edge" address add "$2/32" dev wan && ip -n "$world-$upstream" route add "$2/32" dev "$port" &&
		ip -n "$world-$edge" address del "$old/32" dev wan && ip -n "$world-$upstream" route del "$old/32" dev "$port" || return
	[ "$edge" != "$1" ] || return 0
	sed -i "s/^$old /$2 /" "$world_dir/$edge/addresses"
	world_reboot "$1"
}

world_probe() { python3 "$SOURCE/tests/lab/probe.py" "$1" "/run/netns/$world-$2" "/run/netns/$world-inet" "${@:3}"; }

# Before there is loss: a packet that does not come back counts as filtered, or ends it.
world_classify() { world_probe classify "$1" "$world_port" "${world_inet[@]}"; }
world_classify_six() { world_probe classify "$1" "$world_port" "${world_inet_six[@]}"; }
