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
# shellcheck source=tests/bench/wireguard.sh
. tests/bench/wireguard.sh

rounds=${ROUNDS:-20}

if [ "${1:-}" = --kernel ]; then
	# The machine's lane wants test lines; those of the benchmark stand before them.
	exec tests/kernel/boot.sh --timeout 600 "$SOURCE/tests/bench/bench_carrier.sh"
fi

throughput() {
	local site
	world_begin
	world_public hub 198.51.100.1
	world_public ann 198.51.100.2
	"$BUILD/gcc/tests/prepare" "$world_dir" 198.51.100.1:51821 0 hub ann || world_fail 'no states'
	for site in hub ann; do
		chown -R "$world_user:$world_user" "$world_dir/$site/state"
		site_spawn "$site" agent "${as_unit[@]}" "$BUILD/gcc/agent/collective" agent --state "$(site_dir "$site")/state" --run "$(site_dir "$site")/state/run"
	done
	# The same peers as the agents set up.
	by_hand hub 10.101.0.1 51999 "$(wg_key ann)" '' 10.101.0.0/16
	by_hand ann 10.101.1.1 51999 "$(wg_key hub)" 198.51.100.1:51999 10.101.0.0/16
	world_wait 20 site_run ann ping -q -c 1 -W 1 10.100.0.1 >/dev/null || world_fail 'the agents do not meet'
	world_wait 20 site_run ann ping -q -c 1 -W 1 10.101.0.1 >/dev/null || world_fail 'wg0 does not meet'
	hears_iperf hub
	in_turns "$rounds" ann 10.100.0.1 10.101.0.1
	printf 'throughput, agents / by hand, of %d rounds: %s (goal 0.99)\n' "$rounds" "$(ratio "$world_dir/ours" "$world_dir/theirs")"
	printf 'round trip, agents / by hand, of %d rounds: %s\n' "$rounds" "$(ratio "$world_dir/ours.rtt" "$world_dir/theirs.rtt")"
}

"$BUILD/gcc/tests/bench_carrier" || exit
throughput
echo 'ok 1 - measured'
echo '1..1'
