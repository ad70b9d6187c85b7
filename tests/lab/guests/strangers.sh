#!/bin/bash
# strangers.sh - to whoever is no member nothing answers, whatever it sends; nothing grows by it, and nobody notices.
#
#   hub, ann, bob   directly on inet, where every packet for them arrives; ann and bob have a direct link
#   eve             a stranger there, who also sends in others' names
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
# shellcheck source=tests/lab/guests.sh
. tests/lab/guests.sh

sites=(hub ann bob)
hosts=("${sites[@]}")
declare -A outside=([hub]=198.51.100.1 [ann]=198.51.100.2 [bob]=198.51.100.3 [eve]=198.51.100.66)

begins() { takes_down lines wan "${sites[@]}" && links_begin ann bob && direct ann bob && is_reflected && taken_down lines; }
# From where each is seen, it has asked the hub and been told.
is_reflected() {
	at ann netcheck >/dev/null && at bob netcheck >/dev/null
}

# The ports of WireGuard, at which the agent listens, too; of one site or of each.
ports_of() {
	local site
	for site in "$@"; do
		site_run "$site" wg show all listen-port | awk -v a="${outside[$site]}" '{ print a ":" $2 }'
	done
}
meanwhile() { flows ann bob 50; }
nobody_noticed() { loses "$1, between two members" 0 ann bob; }
nothing_comes_back() { [ "$(answers)" = 0 ] || { echo "$(answers) packets"; site_run inet tcpdump -n -c 20 -r "$world_dir/inet/all.pcap" "dst ${outside[eve]} and not (tcp[tcpflags] & tcp-rst != 0)" 2>&1; return 1; }; }
is_counted() {
	site_run hub ping -q -n -c 1 -W 1 "${outside[eve]}" >/dev/null
	[ "$(answers)" = 1 ] && site_run inet nft delete table ip guest && watches_answers "${outside[eve]}"
}

shouts() {
	local places
	mapfile -t places < <(ports_of hub ann)
	[ "${#places[@]}" -eq 4 ] && meanwhile && guest eve stranger.py shout "${places[@]}" >"$world_dir/count" &&
		says "a stranger: $(cat "$world_dir/count") datagrams to four ports" && nobody_noticed 'while it shouts'
}
knocks() {
	local site taken
	for site in hub ann; do
		mapfile -t places < <(ports_of "$site")
		taken=$(guest eve stranger.py knock "${outside[$site]}" "${places[@]#*:}" 51822 51823)
		[ "$taken" = 0 ] || { echo "$site takes $taken"; return 1; }
	done
}

# Sealed datagrams among members: a few, every twenty seconds.
counts_sealed() {
	site_run inet nft -f - <<-NFT
		table ip sealed {
			set ours { type ipv4_addr; elements = { ${outside[hub]}, ${outside[ann]}, ${outside[bob]} }
			}
			chain pre { type filter hook prerouting priority -300; iifname { "hub", "ann", "bob" } ip saddr @ours ip daddr @ours @th,64,64 0xc06c6c6563747601 counter
			}
			chain passed { type filter hook forward priority 0; iifname "eve" ip saddr @ours counter
			}
		}
	NFT
}
# In members' names, and passed on to them: none of it was dropped for the name.
posed() { site_run inet nft list chain ip sealed passed | sed -n 's/.*counter packets \([0-9]*\).*/\1/p'; }
sealed() { site_run inet nft list chain ip sealed pre | sed -n 's/.*counter packets \([0-9]*\).*/\1/p'; }
replays() {
	local kind
	meanwhile && counts_sealed && guest eve stranger.py replay "$world_dir/lines" >"$world_dir/kinds" && nobody_noticed 'while what was said is said again' || return
	cat "$world_dir/kinds"
	says "said again: $(paste -sd, "$world_dir/kinds")"
	for kind in sealed wireguard-1 wireguard-2 wireguard-4; do grep -q "^$kind " "$world_dir/kinds" || { echo "no $kind"; return 1; }; done
	says "in members' names: $(posed) datagrams"
	[ "$(sed -n 's/^sealed //p' "$world_dir/kinds")" -ge 12 ] && [ "$(posed)" -ge 120 ]
}
# Each of them was said again ten times, and would have an answer each.
is_not_answered() { says_figure 'sealed datagrams among members meanwhile' "$(sealed)" 24 ''; }

breaks_up() {
	local places
	mapfile -t places < <(ports_of hub ann)
	meanwhile && guest eve stranger.py pieces "${places[@]}" >"$world_dir/count" && nobody_noticed 'while there are fragments without an end'
}

world_begin
for site in "${sites[@]}" eve; do world_public "$site" "${outside[$site]}"; done
settle "${sites[@]}"
check "two members have a direct link, and all that is said outside is taken down" begins
watches_answers "${outside[eve]}"
check "what comes to a stranger is counted" is_counted
measures "${sites[@]}" || world_fail 'nothing can be measured'
check "datagrams of every size at the ports of a hub and a spoke: nobody notices" shouts
check "they take no connection" knocks
check "what was said outside, again and mutated, from elsewhere and from where it came: nobody notices" replays
check "nobody answers it to whom it came from" is_not_answered
check "datagrams in fragments, and fragments without an end: nobody notices" breaks_up
check "to all of that nothing came back" nothing_comes_back
check "no agent has grown" have_not_grown "${sites[@]}"
check "the same agents run" are_the_same "${sites[@]}"
check "and all of them know the same" alike "${sites[@]}"
shows
finish
