#!/bin/bash
# life.sh - agents come and go, traffic stays: killed, ended, taken down; and what they find when they begin again.
# shellcheck disable=SC2154 # of what is sourced
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/agents.sh
. tests/lab/agents.sh

# In a machine that is emulated everything takes its time.
many=1000
pieces=1000 # a second
gap_ms=1000
[ "$implementation" != kernel ] || many=100 pieces=200 gap_ms=3000

# streams COMMAND... - a TCP transfer from ann to bob, through the hub, while the command runs: in order and whole, with
# few packets sent twice and no silence that anybody would notice.
streams() {
	local dir id received retransmitted gap
	dir=$(mktemp -d "$world_dir/stream.XXXXXX")
	python3 tests/lab/stream.py "/run/netns/$world-ann" "/run/netns/$world-bob" 10.100.2.1 "$dir" "$pieces" >"$dir/log" 2>&1 &
	id=$!
	world_wait 10 test -e "$dir/running" || { cat "$dir/log"; return 1; }
	sleep 0.5
	"$@" || return
	sleep 0.5
	[ ! -e "$dir/result" ] || { echo "it broke: $(cat "$dir/result")"; return 1; }
	kill "$id"
	world_wait 15 test -e "$dir/result" || { cat "$dir/log"; return 1; }
	read -r received _ retransmitted _ gap _ <"$dir/result"
	printf '%s: %s\n' "$*" "$(cat "$dir/result")" | tee -a "$world_dir/shown"
	[[ $received =~ ^[0-9]+$ ]] && [ "$received" -gt "$pieces" ] && [ "$retransmitted" -le 10 ] && [ "$gap" -lt "$gap_ms" ]
}

# both_begin_again SIGNAL - the hub's agent and the sender's.
both_begin_again() {
	local site
	for site in hub ann; do
		agent_hears "$site"
		agent_end "$site" "$1" && sleep 0.3 && agent_start "$site" && agent_says "$site" started || return
	done
	sleep 1
	! agent_said hub 'put right' && ! agent_said ann 'put right'
}

has_peer() { site_run hub wg show collective0 peers | grep -qFx "$(sed -n 1p "$world_dir/$1/keys")"; }
lacks_peer() { ! has_peer "$1"; }

# While the hub's agent is dead, bob ceases to be a member. Nobody else runs who could tell the hub of him.
gone_meanwhile() {
	agent_hears hub
	has_peer bob && agent_end hub KILL && agent_end ann TERM && agent_end bob TERM && agent_answered ann 10.100.2.1 || return
	agent_forget hub bob
	has_peer bob && agent_start hub && world_wait 5 lacks_peer bob && agent_says hub 'does not belong there' &&
		! agent_answered ann 10.100.2.1 && agent_answered ann 10.100.0.1
}
# What was forgotten is heard again from those who know.
back_again() { agent_start ann && agent_start bob && world_wait 20 has_peer bob && agents_meet 10.100.2.1 ann; }

# Of many members the hub reads when it begins again.
learn() {
	python3 - "$world_dir/hub/state/state.db" "$world_dir/full.db" <<-'PYTHON'
		import sqlite3, sys
		with sqlite3.connect(sys.argv[1]) as state:
		    state.execute("ATTACH ? AS whole", (sys.argv[2],))
		    state.execute("INSERT OR IGNORE INTO fact SELECT * FROM whole.fact")
	PYTHON
	chown -R "$world_user:$world_user" "$world_dir/hub/state"
}
has_them_all() { [ "$(site_run hub wg show collective0 allowed-ips | grep -cE '	10\.100\.[0-9]+\.[0-9]+/(24|28)$')" -eq $((many + 2)) ]; }
many_appear() {
	local start
	agent_end hub KILL && learn || return
	start=${EPOCHREALTIME/[.,]/}
	agent_start hub
	world_wait 20 has_them_all || { echo "peers: $(site_run hub wg show collective0 peers | wc -l)"; return 1; }
	echo "$((many + 2)) peers after $(((${EPOCHREALTIME/[.,]/} - start) / 1000)) ms" | tee -a "$world_dir/shown"
}
idles() {
	local before
	before=$(cpu_of hub)
	sleep 2
	echo "$(($(cpu_of hub) - before)) ticks of 200"
	[ $(($(cpu_of hub) - before)) -le 60 ]
}
cpu_of() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$(agent_pid "$1")/stat"; }

takes_all_away() {
	agent_hears ann
	agent_end ann INT && same "$(cat "$world_dir/ground")" "$(ground ann)" || return
	same '' "$(site_run ann ls /run/wireguard)" && same '' "$(site_run ann ip -o link show | grep collective)" &&
		! agent_said ann 'could not'
}
leaves_it_all() {
	local before
	before=$(ground hub; tunnels hub)
	agent_end hub TERM && same "$before" "$(ground hub; tunnels hub)"
}

world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
world_public bob 203.0.113.3
agents_prepare 198.51.100.1:51821 "$many" hub ann bob
cp "$world_dir/hub/state/state.db" "$world_dir/full.db"
ground ann >"$world_dir/ground"
for site in hub ann bob; do
	agent_forget "$site" member-
	agent_start "$site"
done
check "spokes reach each other" agents_meet 10.100.2.1 ann
check "a transfer does not notice that agents are killed and begin again" streams both_begin_again KILL
check "nor that they end and begin again" streams both_begin_again TERM
check "what an agent that ends leaves is all that there was" leaves_it_all
agent_start hub
check "a member that is gone when the agent begins again is cut off" gone_meanwhile
check "and connected once the hub has heard of it again" back_again
check "a transfer does not notice that many members appear" streams many_appear
check "with many peers an agent idles" idles
check "what is interrupted takes all away, and nothing else" takes_all_away
sed "s/^/# | $implementation: /" "$world_dir/shown"
finish
