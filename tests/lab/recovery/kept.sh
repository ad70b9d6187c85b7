#!/bin/bash
# kept.sh - an expulsion that a kill of the hub's agent interrupts is whole or not at all, and kept if it was confirmed.
#
#   hub         directly on inet
#   ann, bob    at home
#   guest       directly on inet; comes in again and again, each time as another member, and is expelled
# shellcheck disable=SC2154 # of what is sourced
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/collective.sh
. tests/lab/collective.sh

sites=(hub ann bob)

begins() { at hub init --name home --endpoint 198.51.100.1 >"$world_dir/init" 2>&1 && lets_in ann bob; }

comes_as() {
	[ ! -e "$world_dir/guest/state/lock" ] || { loses_power guest; find "$world_dir/guest/state" -mindepth 1 -delete; }
	at hub invite "$1" 2>"$world_dir/guest/invite.log" | at guest join - >"$world_dir/guest/join.log" 2>&1 ||
		{ cat "$world_dir/guest/invite.log" "$world_dir/guest/join.log"; return 1; }
	world_wait 10 reaches guest "$bob"
}

is_peer() { site_run hub wg show collective0 peers | grep -qFx "$1"; }

# As soon as the hub is back: out as if nothing had happened, or in; and out, if somebody was told so.
interrupted() {
	local name=$1 ms=$2 pid key bob verdict=out
	bob=$(address_of bob)
	comes_as "$name" || return
	key=$(site_run guest wg show collective0 public-key)
	pid=$(agent_pid hub)
	at hub expel "$name" >"$world_dir/expel.log" 2>&1 &
	if [ "$ms" = confirmed ]; then wait $!; else sleep "$(printf '0.%03d' "$ms")"; fi
	kill -KILL "$pid" && world_wait 5 has_ended "$pid"
	if wait $! && grep -q 'other sites know' "$world_dir/expel.log"; then verdict=confirmed; fi
	at hub up >/dev/null || return
	if knows_without_words hub "'$name' in s"; then
		[ "$verdict" = out ] || { echo "$name was said to be out, and is in"; return 1; }
		verdict=in
	fi
	echo "$name $verdict" >>"$world_dir/verdicts"
	echo "killed in an expulsion, ms after it began: $ms; $verdict" | tee -a "$world_dir/shown"
	case $verdict in
	in) is_peer "$key" && world_wait 10 reaches guest "$bob" ;;
	out | confirmed) ! is_peer "$key" && misses guest "$bob" && misses guest 10.100.0.1 ;;
	esac
}

# Once all know the same, that is what the hub said.
verdicts_hold() {
	local name verdict site
	alike "${sites[@]}" || return
	while read -r name verdict; do
		for site in "${sites[@]}"; do
			if [ "$verdict" = in ]; then knows "$site" "'$name' in s"; else knows "$site" "'$name' not in s"; fi || return
		done
	done <"$world_dir/verdicts"
	grep -q ' confirmed$' "$world_dir/verdicts"
}

world_begin
world_public hub 198.51.100.1
world_public guest 198.51.100.4
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.7.0/24 home
settle "${sites[@]}" guest
check "a hub and two members" begins
number=0
for ms in 0 5 20 50 100 300 confirmed; do
	number=$((number + 1))
	check "an expulsion that a kill interrupts ($ms) is whole or not at all" interrupted "x$number" "$ms"
done
check "and everywhere it is as it was at the hub: all know the same" verdicts_hold
shows
finish
