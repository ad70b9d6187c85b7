#!/bin/bash
# idle.sh - a direct way dies that nobody used for long: the first packets after that.
#
#   hub             directly on inet
#   ann, bob, cam   at home
# shellcheck disable=SC2154 # of what is sourced
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/collective.sh
. tests/lab/collective.sh
# shellcheck source=tests/lab/links.sh
. tests/lab/links.sh

homes=(ann bob cam)
pairs=(ann-bob ann-cam bob-cam)

begins() {
	links_begin "${homes[@]}" && direct "${homes[@]}" || return
	for pair in "${pairs[@]}"; do reaches "${pair%-*}" "$(inside "${pair#*-}")" || return; done
}

# Between homes, outside.
counts() {
	site_run inet nft -f - <<-EOF
		table ip between { chain forw { type filter hook forward priority -10; ip saddr 203.0.113.0/24 ip daddr 203.0.113.0/24 counter
		}
		}
	EOF
}
counted() { site_run inet nft list table ip between | sed -n 's/.*counter packets \([0-9]*\).*/\1/p'; }

# Probes stop 45 s after the last packet; what is left are keepalives, of which each end of a link sends one in 25 s.
is_quiet() {
	local before
	sleep 48 && before=$(counted) && sleep 4 && says_figure 'of three links that nobody uses, packets in 4 s' "$(($(counted) - before))" 6 '' && are_direct "${homes[@]}"
}
first_packets() {
	local pair start
	parts "${homes[@]}" || return
	for pair in "${pairs[@]}"; do
		start=$(moment)
		pings "${pair%-*}" "$(inside "${pair#*-}")" && echo "$start" >"$world_dir/start-$pair" || return
	done
	for pair in "${pairs[@]}"; do
		answers_since "$(cat "$world_dir/start-$pair")" "after a minute of silence on a way that died, $pair" 2500 "${pair%-*}" "$(inside "${pair#*-}")" || return
	done
	end_pings
}

world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.8.0/24 home
world_home cam 203.0.113.4 192.168.9.0/24 home
settle hub "${homes[@]}"
counts
check "three homes go direct" begins
check "links that nobody uses are not probed" is_quiet
check "the first packets after that on a way that died arrive by the hub" first_packets
shows
finish
