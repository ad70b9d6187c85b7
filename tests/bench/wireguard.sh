# wireguard.sh - WireGuard by hand, and what gets through it beside another way: sourced behind world.sh, never run.
# shellcheck shell=bash disable=SC2154 # what is world.sh's
#
#   wg_key SITE                     its public key, made when first asked for
#   wg0 SITE ADDRESS PORT           the interface of that name, without peers
#   by_hand SITE ADDRESS PORT KEY ENDPOINT ALLOWED
#                                   the same with one peer; an endpoint of '' is learned
#   hears_iperf SITE                what `mbits` and `in_turns` go to
#   mbits SITE ADDRESS SECONDS      throughput in Mbit/s, from that site
#   rtt SITE ADDRESS                round trip in ms, of 50
#   in_turns ROUNDS SITE OURS THEIRS
#                                   both of both: files `ours`, `theirs`, `ours.rtt` and `theirs.rtt` of the world
#   ratio FILE FILE                 the geometric mean of the ratios of both, and its standard error
#
# On a machine that others use throughput changes by a sixth from one second to the next: what two tunnels differ by shows only in
# many rounds of both, in an order that is drawn.

wg_key() {
	[ -e "$world_dir/$1/plain.pub" ] || (umask 077 && wg genkey >"$world_dir/$1/plain.key" && wg pubkey <"$world_dir/$1/plain.key" >"$world_dir/$1/plain.pub") ||
		world_fail 'no key of WireGuard'
	cat "$world_dir/$1/plain.pub"
}

has_wg0() { site_run "$1" wg show wg0 >/dev/null 2>&1; }
wg0() {
	wg_key "$1" >/dev/null
	if ! site_run "$1" ip link add wg0 type wireguard 2>/dev/null; then
		# In a session of its own, as the agent's is: the kernel shares its time out among sessions.
		WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1 site_spawn "$1" wireguard "${as_unit[@]}" setsid wireguard-go -f wg0
		echo "$site_pid" >"$world_dir/$1/wireguard.pid"
		disown "$site_pid" # how it ends is not the shell's to tell
		world_wait 10 has_wg0 "$1" || world_fail 'wireguard-go does not start'
	fi
	if ! site_run "$1" wg set wg0 listen-port "$3" private-key "$world_dir/$1/plain.key" || ! site_run "$1" ip address add "$2/16" dev wg0 ||
		! site_run "$1" ip link set wg0 mtu 1420 up; then
		world_fail "wg0 of $1"
	fi
}
by_hand() {
	wg0 "$1" "$2" "$3"
	site_run "$1" wg set wg0 peer "$4" ${5:+endpoint "$5"} allowed-ips "$6" persistent-keepalive 25 || world_fail "wg0 of $1"
}

hears_iperf() {
	site_spawn "$1" iperf iperf3 -s
	world_wait 5 site_run "$1" ss -Hltn 'sport = 5201' | grep -q . || world_fail 'iperf3 does not listen'
}
mbits() {
	site_run "$1" timeout 60 iperf3 -c "$2" -t "$3" -J |
		python3 -c 'import json, sys; print(int(json.load(sys.stdin)["end"]["sum_received"]["bits_per_second"] / 1e5) / 10)'
}
rtt() { site_run "$1" ping -q -n -c "${3:-50}" -i 0.01 "$2" | sed -n 's|^rtt.* = [^/]*/\([^/]*\)/.*|\1|p'; }

in_turns() {
	local i way to
	for ((i = 0; i < $1; i++)); do
		for way in $(shuf -e ours theirs); do
			to=$3
			[ "$way" = ours ] || to=$4
			mbits "$2" "$to" 2 >>"$world_dir/$way"
			rtt "$2" "$to" >>"$world_dir/$way.rtt"
		done
	done
}

ratio() {
	paste "$1" "$2" | awk '{ r = log($1 / $2); sum += r; squares += r * r }
		END { mean = sum / NR; printf "%.3f, error %.3f", exp(mean), exp(mean) * sqrt((squares - NR * mean * mean) / (NR - 1) / NR) }'
}
