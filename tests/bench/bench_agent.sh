#!/bin/bash
# bench_agent.sh - what an agent costs and how fast news travels, beside Nebula and tinc in the same world.
#
#   tools/bench agent             with the WireGuard that this machine has
#   tools/bench agent --kernel    with the kernel's, in a virtual machine
#
# Eight sites, the hub and seven behind home routers. One program after the other is idle for a minute. Its settings are
# those that its own sample or manual has: the point is what people get who follow it.
set -u -o pipefail
: "${SOURCE:?}" "${BUILD:?}"
cd "$SOURCE" || exit 1

if [ "${1:-}" = --kernel ]; then
	# The machine's lane wants test lines; those of the benchmark stand before them.
	exec tests/kernel/boot.sh --timeout 2400 "$SOURCE/tests/bench/bench_agent.sh"
fi

IMPLEMENTATION=userspace
! unshare --net ip link add name wg0 type wireguard 2>/dev/null || IMPLEMENTATION=kernel
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/agents.sh
. tests/lab/agents.sh
# shellcheck source=tests/bench/rivals.sh
. tests/bench/rivals.sh
# shellcheck source=tests/bench/cost.sh
. tests/bench/cost.sh

settle=${SETTLE:-30}  # seconds before a site counts as idle
window=${WINDOW:-60}  # seconds in which it is looked at
rounds=${ROUNDS:-20}  # of joining, a new record and expelling
members=1024
hub=198.51.100.1
spokes=(ann bob cam dan eve fay gus)
sites=(hub "${spokes[@]}")
look=$BUILD/gcc/tests/bench_agent

# world_of_eight - and a ninth, who comes in and goes.
world_of_eight() {
	local site number=2
	world_begin
	world_public hub "$hub"
	for site in "${spokes[@]}" guest; do
		world_home "$site" "203.0.113.$number" "192.168.$number.0/24" home
		number=$((number + 1))
	done
	has_group "${sites[@]}" guest
}

pid_of() { cat "$world_dir/$2/$1.pid"; }

# idle PROGRAM - its processes have their ids in SITE/PROGRAM.pid; results go to files named after it.
idle() {
	local site start took
	sleep "$settle"
	for site in "${spokes[@]}"; do count_wire "$site" || world_fail "$site counts nothing"; done
	start=${EPOCHREALTIME/[.,]/}
	for site in "${sites[@]}"; do spent "$(pid_of "$1" "$site")" >"$world_dir/$site/spent"; done
	sleep "$window"
	for site in "${sites[@]}"; do
		echo $(($(spent "$(pid_of "$1" "$site")") - $(cat "$world_dir/$site/spent")))
	done >"$world_dir/$1.ns"
	took=$((${EPOCHREALTIME/[.,]/} - start))
	for site in "${spokes[@]}"; do counted "$site"; done >"$world_dir/$1.bytes"
	for site in "${sites[@]}"; do memory "$(pid_of "$1" "$site")"; done >"$world_dir/$1.kib"
	echo "$took" >"$world_dir/$1.took"
}

# ends PROGRAM - at all sites.
ends() {
	local site
	for site in "${sites[@]}"; do kill -TERM "$(pid_of "$1" "$site")"; done
	for site in "${sites[@]}"; do
		world_wait 10 has_ended "$1" "$site" || world_fail "$1 of $site does not end"
	done
}
has_ended() { ! kill -0 "$(pid_of "$1" "$2")" 2>/dev/null; }

# meets PROGRAM ADDRESS... - each of the first and the last site gets answers from there.
meets() {
	local address site
	for address in "${@:2}"; do
		for site in ann gus; do
			world_wait 60 agent_answered "$site" "$address" || world_fail "$1: $site gets no answer from $address"
		done
	done
}

# The agents.

agents_begin() {
	local site
	agents_prepare "$hub:51821" 0 "${sites[@]}"
	for site in "${sites[@]}"; do agent_start "$site"; done
	agents_meet 10.100.0.1 "${spokes[@]}" || world_fail 'the agents do not meet'
	meets agent 10.100.1.1 10.100.7.1
}

# agents_leave SITE... - with all that is theirs. An emulated processor takes its time.
agents_leave() {
	local site
	for site in "$@"; do agent_signal "$site" INT; done
	for site in "$@"; do world_wait 60 agent_is_gone "$site" || agent_is_stuck "$site"; done
}

# It is said, and the figures of the others are not lost for it.
agent_is_stuck() {
	echo "# the agent of $1 did not end within a minute; it is killed, and its interfaces are removed"
	tail -n 5 "$world_dir/$1/agent.log" | sed 's/^/# /'
	agent_end "$1" KILL
	for interface in collective0 collective1; do site_run "$1" ip link del "$interface" 2>/dev/null; done
}

# wireguard-go, where it stands in for the kernel's: it costs beside the agent.
carriers() {
	local site process
	for site in "${sites[@]}"; do
		for process in $(ip netns pids "$world-$site"); do
			[ "$(cat "/proc/$process/comm")" != wireguard-go ] || memory "$process"
		done
	done
}

# as_person SITE WORD... - prints the command that a person there would type.
as_person() {
	person=(nsenter --target "$(cat "$world_dir/$1/holder")" --net --mount -- "${as_unit[@]}" env "COLLECTIVE_STATE=$world_dir/$1/state"
		"COLLECTIVE_RUN=$world_dir/$1/state/run" "COLLECTIVE_CONFIG=$world_dir/$1/config.yaml" "$agent_program" "${@:2}")
}

states() { local site; for site in "$@"; do printf '%s\n' "$world_dir/$site/state"; done; }

# A round: the guest joins, has something new to say, is expelled, and forgets all.
round() {
	local all fresh=$world_dir/guest/state/identity.key
	as_person hub invite "guest-$1"
	"${person[@]}" >"$world_dir/invite" 2>>"$world_dir/guest/words.log" || world_fail 'no invite'
	mapfile -t all < <(states "${sites[@]}")
	as_person guest join -
	"$look" 60 key "$fresh" "$world-guest" 10.100.0.1 "${all[@]}" -- "${person[@]}" <"$world_dir/invite" \
		>>"$world_dir/joins" 2>>"$world_dir/guest/words.log" || world_fail 'nobody looks on'
	# So that its record is one of a site that has been quiet.
	sleep 5
	as_person guest admin offer
	"$look" 30 key "$world_dir/guest/state/admin.key" - - "$world_dir/guest/state" "${all[@]}" -- "${person[@]}" \
		>>"$world_dir/records" 2>>"$world_dir/guest/words.log" || world_fail 'nobody looks on'
	as_person hub expel "guest-$1"
	"$look" 30 id "$fresh" - - "${all[@]}" -- "${person[@]}" >>"$world_dir/expulsions" 2>>"$world_dir/guest/words.log" ||
		world_fail 'nobody looks on'
	as_person guest down
	"${person[@]}" >>"$world_dir/guest/words.log" 2>&1 || world_fail 'the guest does not end'
	find "$world_dir/guest/state" -mindepth 1 -delete
}

speed() {
	local i
	agent_configure guest "implementation: $implementation"
	chmod 700 "$world_dir/guest/state"
	for ((i = 1; i <= rounds; i++)); do round "$i"; done
}

# The ledger of the hub and of ann has so many members, of whom these two run.
crowd() {
	local site
	for site in hub ann; do find "$world_dir/$site/state" -mindepth 1 -delete; done
	agents_prepare "$hub:51821" $((members - 2)) hub ann
	for site in hub ann; do agent_start "$site"; done
	agents_meet 10.100.0.1 ann || world_fail 'with so many members they do not meet'
	sleep "$settle"
	for site in hub ann; do memory "$(pid_of agent "$site")" >"$world_dir/crowd.$site"; done
}

# The table.

# per PROGRAM WHAT - the middle of the sites.
per() {
	local took value
	took=$(cat "$world_dir/$1.took")
	value=$(middle <"$world_dir/$1.$2")
	case $2 in
	kib) echo "$value" ;;
	ns) awk -v v="$value" -v t="$took" 'BEGIN { printf "%.1f\n", v / 1e6 * 60e6 / t }' ;;
	bytes) awk -v v="$value" -v t="$took" 'BEGIN { printf "%.1f\n", v * 1e6 / t }' ;;
	esac
}

# compared WORDS GOAL WHAT
compared() {
	local own nebula tinc
	own=$(per agent "$3") nebula=$(per nebula "$3") tinc=$(per tinc "$3")
	awk -v w="$1" -v g="$2" -v o="$own" -v n="$nebula" -v t="$tinc" \
		'BEGIN { printf "%-46s %10s %6s  %12s %6.2f  %12s %6.2f\n", w, o, g, n, o / n, t, o / t }'
}

alone() { printf '%-46s %10s %6s\n' "$1" "$2" "$3"; }

# timed WORDS FILE COLUMN - those that never knew are the worst.
timed() {
	local times
	times=$(awk -v c="$3" '{ print $c == "-" ? 999999 : $c }' "$world_dir/$2")
	alone "$1, p50" "$(middle <<<"$times")" "${4:-}"
	alone "$1, worst of $(wc -l <<<"$times")" "$(worst <<<"$times")" "${5:-}"
}

table() {
	printf 'WireGuard: %s%s\n' "$IMPLEMENTATION" "$(emulated)"
	printf '%-46s %10s %6s  %12s %6s  %12s %6s\n' "${#sites[@]} sites, idle for $window s; the middle one" collective goal "nebula$(version nebula)" ratio "tinc$(version tinc)" ratio
	compared 'memory of the program (VmRSS), KiB' 6144 kib
	compared 'processor, ms a minute' 15 ns
	compared 'a spoke on its line (IP, both ways), B/s' 40 bytes
	[ ! -s "$world_dir/carriers" ] || alone 'beside it: wireguard-go, KiB' "$(middle <"$world_dir/carriers")" ''
	alone "$members members: the hub, KiB" "$(cat "$world_dir/crowd.hub")" 16384
	alone "$members members: a spoke, KiB" "$(cat "$world_dir/crowd.ann")" 16384
	timed 'a record: from the command, ms' records 1 100 1000
	timed 'a record: from its own disk, ms' records 2
	timed 'a member: from its admission, ms' joins 2 100 1000
	timed 'an expulsion: from the command, ms' expulsions 1 100 1000
	timed "an expulsion: from the hub's disk, ms" expulsions 2
	timed 'a join: from Enter to a ping, ms' joins 3 2000 2000
	timed 'a join: until the command ends, ms' joins 4
}

version() { dpkg-query -W -f ' ${Version}' "$1" | sed 's/[-+].*//'; }
emulated() { ! grep -q 'QEMU TCG' /proc/cpuinfo || printf ' in a machine whose processor is emulated, some 20 times slower: of times only the ratios mean something'; }

world_of_eight
agents_begin
idle agent
carriers >"$world_dir/carriers"
speed
agents_leave "${sites[@]}"
crowd
agents_leave hub ann
nebula_begins "${sites[@]}"
meets nebula 10.201.0.1 10.201.0.2 10.201.0.8
idle nebula
ends nebula
tinc_begins "${sites[@]}"
meets tinc 10.202.1.1 10.202.2.1 10.202.8.1
idle tinc
ends tinc
table
echo 'ok 1 - measured'
echo '1..1'
