# world.sh - a small world of network namespaces: sourced by the scripts of the lab, never run.
# shellcheck shell=bash
#
# In the middle stands `inet`, which only forwards; sites stand directly on it or at home, behind a router.
# Nothing in it has a way out. A node is a network namespace and a mount namespace, which one process holds:
# /run and /etc/resolv.conf of a site are its own, so that sites do not meet in a directory. So is /dev/net/tun, which
# everybody may open there, as where udev made it.
#
#   world_begin                                 before anything else; cleans up when the script ends
#   world_public NAME ADDRESS                   a site directly on inet
#   world_home NAME ADDRESS LAN_PREFIX TYPE [PROVIDER]
#                                               a site behind the router NAME-router, which stands directly on inet or,
#                                               with an address 100.64.N.2, behind a provider's
#   world_provider NAME ADDRESS TYPE            the router NAME-router, behind which there are homes
#   world_stands NAME TYPE NUMBER               a site of a type of pairs.txt; its address ends in that number
#   world_sibling NAME HOME                     one more site in the LAN of a home
#   world_six NAME PREFIX                       a site, or a home, has IPv6 as well: PREFIX::2, without translation
#   world_router NAME TYPE                      that router becomes another one, which remembers nothing
#   world_reboot NAME                           it remembers nothing
#   world_timeouts NAME SECONDS SECONDS         it forgets what was not answered, and what was, after so long; reboots
#   world_renumber NAME ADDRESS                 a site, or its router, gets another address towards inet
#   world_name ADDRESS                          where every name leads; world_serve_names answers at 192.0.2.2
#   world_classify NAME                         what a site's router does, in the words of world_classified;
#                                               world_classify_six: what it does to IPv6
#   world_loss NAME PERCENT                     of what goes to a site, and of what comes from it; 0 ends it
#   world_rate NAME RATE                        each way, in tc's words; '' ends it
#   world_delay NAME MS                         each way; 0 ends it; fails where the kernel has no netem
#   world_wait SECONDS COMMAND...               until the command succeeds
#   site_run NAME COMMAND...                    in the site's namespaces
#   site_spawn NAME LOG COMMAND...              the same in the background; its id is in $site_pid
#   site_dir NAME                               the site's directory: state/ of the unit's user, *.log
#   "${as_unit[@]}" COMMAND...                  as the unit runs the agent: its user, its capabilities
#
# What cannot be built ends the script. A signal is acted upon when the command in the foreground has ended.

: "${SOURCE:?}"
world_user=65534 # a user that owns nothing, on every Debian

# inet's own addresses: everybody's gateway, and the points from which routers are looked at.
world_inet=(192.0.2.1 192.0.2.2 192.0.2.3)

world_inet_six=(2001:db8::1 2001:db8::2 2001:db8::3)

# So many hops there are in inet: what has fewer left does not come through.
world_depth=8

# shellcheck source=tests/lab/routers.sh
. "$SOURCE/tests/lab/routers.sh"

# unit_capabilities KEY FILE - what a unit file says there, in setpriv's words.
unit_capabilities() {
	local words=net_admin,net_raw
	if [ -e "$2" ]; then
		words=$(sed -n "s/^$1=//p" "$2" | tr 'A-Z ' 'a-z\n' | sed -n 's/^cap_//p' | paste -sd,)
	fi
	printf '%s' "-all${words:+,+${words//,/,+}}"
}

world_unit=$SOURCE/packaging/collective.service
# Capabilities that are ambient have to be inheritable.
# shellcheck disable=SC2034 # for the scripts
as_unit=(setpriv "--reuid=$world_user" "--regid=$world_user" --clear-groups
	"--inh-caps=$(unit_capabilities AmbientCapabilities "$world_unit")"
	"--ambient-caps=$(unit_capabilities AmbientCapabilities "$world_unit")"
	"--bounding-set=$(unit_capabilities CapabilityBoundingSet "$world_unit")")

world_fail() {
	printf '%s\n' "$*" >&2
	exit 1
}

# world_lacks - says what is missing here for any world. Succeeds when something is.
world_lacks() {
	local tool
	[ "$(id -u)" -eq 0 ] || { echo 'needs root'; return; }
	for tool in ip nft tc nsenter setpriv sysctl python3 ping conntrack tcpdump wg wireguard-go; do
		command -v "$tool" >/dev/null || { echo "needs $tool, see tools/packages"; return; }
	done
	[ -c /dev/net/tun ] || { echo 'needs /dev/net/tun'; return; }
	unshare --net --mount sh -c "ip link add name wan type veth peer name lan && tc qdisc add dev wan root tbf rate 1mbit burst 16kb latency 50ms && nft 'add table ip nat; add chain ip nat post { type nat hook postrouting priority srcnat; }; add rule ip nat post masquerade; add rule ip nat post numgen random mod 100 < 5 drop'" \
		>/dev/null 2>&1 || { echo 'needs namespaces, veth, tbf and nftables of the kernel'; return; }
	return 1
}

# world_begin - ends the script with 77 where no world can be.
world_begin() {
	local lack
	if lack=$(world_lacks); then
		echo "$lack" >&2
		exit 77
	fi
	# Not below /run, which every site has for itself. Others may pass through, to what is theirs.
	world_dir=$(mktemp -d /tmp/lab.XXXXXX) || exit 1
	chmod 711 "$world_dir"
	world=lab-${world_dir##*.} # the names of all its namespaces begin so
	trap world_end EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	node_make inet
	ip -n "$world-inet" -batch - < <(printf 'address add %s/32 dev lo\n' "${world_inet[@]}") || world_fail 'inet has no address'
	site_run inet sysctl -qw net.ipv4.ip_forward=1
	site_run inet nft -f - <<-EOF || world_fail 'inet has no depth'
		table inet depth {
			chain forw {
				type filter hook forward priority mangle
				ip ttl < $world_depth drop
				ip6 hoplimit < $world_depth drop
				ip ttl > $((64 - world_depth)) ip ttl set $((64 - world_depth))
				ip6 hoplimit > $((64 - world_depth)) ip6 hoplimit set $((64 - world_depth))
			}
		}
	EOF
	# Room for some minutes; looked at when something failed.
	site_spawn inet tcpdump tcpdump -i any -Z root -U -c 100000 -s 128 -w "$world_dir/inet/all.pcap"
	world_wait 10 grep -qs 'listening on' "$world_dir/inet/tcpdump.log" || world_fail 'tcpdump does not listen'
}

# Every namespace of this world, by name.
world_nodes() {
	local node
	for node in /run/netns/"$world"-*; do
		[ ! -e "$node" ] || printf '%s\n' "${node##*/"$world"-}"
	done
}

# What this script still has in the background, and whoever lives in a namespace of this world.
world_processes() {
	local node
	jobs -pr
	for node in $(world_nodes); do
		ip netns pids "$world-$node" 2>/dev/null
	done
}

world_end() {
	local status=$? node pids i
	trap '' HUP INT TERM
	[ "$status" -eq 0 ] || world_keep
	for ((i = 0; i < 200; i++)); do
		pids=$(world_processes)
		[ -n "$pids" ] || break
		# shellcheck disable=SC2086 # one word each
		kill -KILL $pids 2>/dev/null
		sleep 0.02
	done 2>/dev/null
	[ -z "$pids" ] || printf 'these processes do not end: %s\n' "$pids" >&2
	for node in $(world_nodes); do
		ip netns del "$world-$node"
	done
	rm -rf "${world_dir:?}"
	exit "$status"
}

# What a person wants to see of a world that failed.
world_keep() {
	local node file kept
	kept=${BUILD:-$SOURCE/build}/lab/$(basename "$0" .sh)
	rm -rf "$kept"
	mkdir -p "$kept" || return
	for node in $(world_nodes); do
		{
			ip -n "$world-$node" address
			ip -n "$world-$node" route show table all
			ip netns exec "$world-$node" nft list ruleset
			ip netns exec "$world-$node" tc -s qdisc
			ip netns exec "$world-$node" conntrack -L
		} >"$kept/$node.txt" 2>&1
		for file in "$world_dir/$node"/*.log "$world_dir/$node"/*.pcap; do
			[ ! -s "$file" ] || cp "$file" "$kept/$node-${file##*/}"
		done
	done
	printf '# traces: %s\n' "$kept"
}

# world_wait SECONDS COMMAND... - polls until the command succeeds, at most so long.
world_wait() {
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep "${world_pause:-0.02}"
	done
}

# node_make NAME - two namespaces. The holder of the second leaves when the script is gone, however that went. That of
# the network is its own by name; ip gives it /sys, and a mount namespace into which what happens outside goes on spreading,
# so that a name that is deleted there is not kept alive here.
node_make() {
	local dir=$world_dir/$1
	[[ $1 =~ ^[a-z][a-z0-9-]*$ ]] || world_fail "\"$1\" is no name for a node: small letters, digits, hyphens"
	[ -e /etc/resolv.conf ] || world_fail 'there is no /etc/resolv.conf that a site could have its own of'
	[ ! -e "$dir" ] || world_fail "there is a node $1 already"
	mkdir "$dir" "$dir/state" && : >"$dir/resolv.conf"
	chown "$world_user:$world_user" "$dir/state"
	ip netns add "$world-$1" || world_fail "no namespace for $1"
	# shellcheck disable=SC2016 # the inner shell's
	ip netns exec "$world-$1" sh -ec '
		mount --bind "$1/resolv.conf" /etc/resolv.conf
		mount -t tmpfs -o mode=755 run /run
		mount -t tmpfs -o mode=755 net /dev/net
		mknod -m 666 /dev/net/tun c 10 200
		mkdir /run/wireguard /run/collective
		chown "$2:$2" /run/wireguard /run/collective
		echo $$ >"$1/holder"
		exec tail --pid="$3" -f /dev/null' sh "$dir" "$world_user" $$ >"$dir/holder.log" 2>&1 </dev/null &
	world_wait 10 test -s "$dir/holder" || world_fail "no mount namespace for $1: $(cat "$dir/holder.log")"
	ip -n "$world-$1" link set lo up
}

# node_plug NAME PORT ADDRESS [UPSTREAM GATEWAY] - inet's interface PORT, and at its other end `wan` with that address.
node_plug() {
	local upstream=${4:-inet}
	[ ${#2} -le 15 ] || world_fail "\"$2\" is no name for an interface: at most 15 characters"
	ip -n "$world-$upstream" -batch - <<-EOF || world_fail "$upstream cannot reach $1"
		link add name $2 type veth peer name wan netns $world-$1
		link set dev $2 up
		route add $3/32 dev $2
	EOF
	ip -n "$world-$1" -batch - <<-EOF || world_fail "$1 cannot reach $upstream"
		address add $3/32 dev wan
		link set dev wan up
		route add default via ${5:-${world_inet[0]}} dev wan onlink
	EOF
}

world_public() {
	node_make "$1"
	node_plug "$1" "$1" "$2"
}

world_name() { echo "$1" >"$world_dir/inet/zone"; }

# Whoever is asked for an IPv4 address answers with the one that stands in a file; of others there are none.
world_serve_names() {
	site_spawn inet names python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("192.0.2.2", 53))
print("bound", flush=True)
while True:
    query, client = s.recvfrom(512)
    end = query.index(0, 12) + 5
    kind = query[end - 3]
    with open(sys.argv[1]) as zone:
        address = socket.inet_aton(zone.read().strip())
    answer = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04" + address if kind == 1 else b""
    s.sendto(query[:2] + b"\x81\x80\x00\x01" + (b"\x00\x01" if answer else b"\x00\x00") + bytes(4) + query[12:end] + answer, client)
    print("asked for", "A" if kind == 1 else kind, "by", client[0], flush=True)' "$world_dir/inet/zone"
	world_wait 5 grep -q bound "$world_dir/inet/names.log"
}

world_loss() {
	local table="loss_${1//-/_}"
	[ "$2" -gt 0 ] || { site_run inet nft "add table inet $table; delete table inet $table"; return; }
	site_run inet nft -f - <<-EOF
		add table inet $table
		delete table inet $table
		table inet $table {
			chain forw {
				type filter hook forward priority filter
				iifname "$1" numgen random mod 100 < $2 drop
				oifname "$1" numgen random mod 100 < $2 drop
			}
		}
	EOF
}

world_rate() {
	echo "$2" >"$world_dir/$1/rate"
	world_shape "$1"
}

world_delay() {
	echo "${2#0}" >"$world_dir/$1/delay"
	world_shape "$1" && return
	rm "$world_dir/$1/delay"
	world_shape "$1"
	return 1
}

# Both ends of a site's line, where it meets inet. What is delayed waits inside what is slow.
world_shape() {
	local edge=$1 rate delay node port parent
	rate=$(cat "$world_dir/$1/rate" 2>/dev/null)
	delay=$(cat "$world_dir/$1/delay" 2>/dev/null)
	[ ! -d "$world_dir/$1-router" ] || edge=$1-router
	while read -r node port; do
		parent=root
		tc -n "$world-$node" qdisc del dev "$port" root 2>/dev/null
		if [ -n "$rate" ]; then
			tc -n "$world-$node" qdisc add dev "$port" root handle 1: tbf rate "$rate" burst 16kb latency 50ms || return
			parent='parent 1:1'
		fi
		if [ -n "$delay" ]; then
			# shellcheck disable=SC2086 # two words
			tc -n "$world-$node" qdisc add dev "$port" $parent netem delay "${delay}ms" limit 10000 || return
		fi
	done <<-EOF
		inet $1
		$edge wan
	EOF
}

site_dir() { printf '%s\n' "$world_dir/$1"; }

# The command keeps the current directory and gets the process id of nsenter.
site_run() {
	local holder
	holder=$(cat "$world_dir/$1/holder") || return
	nsenter --target "$holder" --net --mount --wdns="$PWD" -- "${@:2}"
}

site_spawn() {
	local holder
	holder=$(cat "$world_dir/$1/holder") || return
	nsenter --target "$holder" --net --mount --wdns="$PWD" -- "${@:3}" >>"$world_dir/$1/$2.log" 2>&1 </dev/null &
	# shellcheck disable=SC2034 # for the caller
	site_pid=$!
}
