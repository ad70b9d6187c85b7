#!/bin/bash
# bench_carrier.sh - the carrier beside wg: peers, switches, and what traffic gets through while agents run.
#
#   tools/bench carrier             with the WireGuard that this machine has
#   tools/bench carrier --kernel    with the kernel's, in a virtual machine
set -u -o pipefail
: "${SOURCE:?}" "${BUILD:?}"
cd "$SOURCE" || exit 1
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh

rounds=5
seconds=3

if [ "${1:-}" = --kernel ]; then
	# The machine's lane wants test lines; those of the benchmark stand before them.
	exec tests/kernel/boot.sh --timeout 600 "$SOURCE/tests/bench/bench_carrier.sh"
fi

# The same keys and peers as an agent would set up, by hand. plain NAME PORT ADDRESS PEER-KEY PEER-ENDPOINT
plain() {
	if ! site_run "$1" ip link add wg0 type wireguard 2>/dev/null; then
		# In a session of its own, as the agent's is: the kernel shares its time out among sessions.
		WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1 site_spawn "$1" plain "${as_unit[@]}" setsid wireguard-go -f wg0
		world_wait 5 site_run "$1" wg show wg0 >/dev/null 2>&1 || world_fail 'wireguard-go does not start'
	fi
	site_run "$1" wg set wg0 listen-port "$2" private-key "$world_dir/$1/plain.key" \
		peer "$4" allowed-ips 10.101.0.0/16 ${5:+endpoint "$5"} || world_fail "wg0 of $1"
	site_run "$1" ip address add "$3/16" dev wg0 || world_fail "wg0 of $1"
	site_run "$1" ip link set wg0 mtu 1420 up || world_fail "wg0 of $1"
}

# Megabits a second to an address of the hub.
through() {
	site_run ann iperf3 -c "$1" -t "$seconds" -J |
		python3 -c 'import json, sys; print(int(json.load(sys.stdin)["end"]["sum_received"]["bits_per_second"] / 1e6))'
}

middle() { sort -n | sed -n "$(((rounds + 1) / 2))p"; }

throughput() {
	local site i ours theirs
	world_begin
	world_public hub 198.51.100.1
	world_public ann 198.51.100.2
	umask 077
	for site in hub ann; do
		wg genkey >"$world_dir/$site/plain.key"
		wg pubkey <"$world_dir/$site/plain.key" >"$world_dir/$site/plain.pub"
	done
	"$BUILD/gcc/tests/prepare" "$world_dir" 198.51.100.1:51821 0 hub ann || world_fail 'no states'
	for site in hub ann; do
		chown -R "$world_user:$world_user" "$world_dir/$site/state"
		site_spawn "$site" agent "${as_unit[@]}" "$BUILD/gcc/agent/collective" agent --state "$(site_dir "$site")/state" --run "$(site_dir "$site")/state/run"
	done
	plain hub 51999 10.101.0.1 "$(cat "$world_dir/ann/plain.pub")" ''
	plain ann 51999 10.101.1.1 "$(cat "$world_dir/hub/plain.pub")" 198.51.100.1:51999
	world_wait 20 site_run ann ping -q -c 1 -W 1 10.100.0.1 >/dev/null || world_fail 'the agents do not meet'
	world_wait 20 site_run ann ping -q -c 1 -W 1 10.101.0.1 >/dev/null || world_fail 'wg0 does not meet'
	site_spawn hub iperf iperf3 -s
	world_wait 5 site_run hub ss -Hltn 'sport = 5201' | grep -q . || world_fail 'iperf3 does not listen'
	for ((i = 0; i < rounds; i++)); do
		through 10.100.0.1 >>"$world_dir/ours"
		through 10.101.0.1 >>"$world_dir/theirs"
	done
	ours=$(middle <"$world_dir/ours")
	theirs=$(middle <"$world_dir/theirs")
	awk -v a="$ours" -v b="$theirs" \
		'BEGIN { printf "throughput, agents %6d Mbit/s   by hand %6d Mbit/s   ratio %.2f (goal 0.99)\n", a, b, a / b }'
}

"$BUILD/gcc/tests/bench_carrier" || exit
throughput
echo 'ok 1 - measured'
echo '1..1'
