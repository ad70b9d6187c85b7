#!/bin/bash
# members.sh - a member that has turned bad: what it says and says again from inside the tunnel harms nobody; flooded, the
# others still come to know the same; once it is expelled, nobody answers it any more.
#
#   hub, ann, bob   directly on inet
#   mal             the same; its agent is ended, and its keys and tunnels go on
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

# As much as there is to say: by newcomers, by who asks why, by a link that ends and begins, with new keys, by another admin, and
# by who passes on what the hub cannot.
begins() {
	takes_down said collective hub ann bob mal && links_begin ann bob mal && direct ann bob mal && at hub why ann bob >/dev/null && at ann ping bob >/dev/null &&
		at ann unlink bob && at ann link bob && at ann admin offer && world_wait 10 at hub admin add ann && world_wait 10 invites &&
		at bob rotate && alike hub ann bob mal && direct ann bob mal && is_passed_on && alike hub ann bob mal && taken_down said
}
is_passed_on() {
	site_run inet nft 'add table ip apart; add chain ip apart forw { type filter hook forward priority 0; }; add rule ip apart forw ip saddr 198.51.100.1 drop; add rule ip apart forw ip daddr 198.51.100.1 drop' &&
		at ann unlink bob && world_wait 10 is_apart ann bob && at ann link bob && world_wait 30 are_direct ann bob && site_run inet nft delete table ip apart
}
is_apart() { ! are_direct "$@"; }
invites() { at ann invite dan >"$world_dir/dan" 2>&1; }

turns_bad() { kills mal; }
mal() { guest mal member.py "$1" "$world_dir/said" "$(inside mal)" "${@:2}"; }
everybody() { mapfile -t all < <(inside hub && inside ann) && [ "${#all[@]}" -eq 2 ]; }

# Two honest ones speak over their link, of which the bad one knows nothing.
meanwhile() { flows ann bob 50; }
nobody_noticed() { loses_nothing "$1, between two honest ones" ann bob && direct ann bob; }

# Messages of every type; there is none between 7 and 15.
types=(1 2 3 4 5 6 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32)
keeps_silent() {
	local type
	everybody && meanwhile || return
	mal replay "${all[@]}" >"$world_dir/replayed" 2>&1 || { cat "$world_dir/replayed"; return 1; }
	cat "$world_dir/replayed"
	says "inside: $(sed -n 's/^sent //p' "$world_dir/replayed") datagrams that are no messages"
	for type in "${types[@]}"; do grep -q "^types.* $type\\b" "$world_dir/replayed" || { echo "none of type $type"; return 1; }; done
	nobody_noticed 'while it says what is no message' || return
	! grep answered "$world_dir/replayed"
}

are_mutated() { everybody && meanwhile && mal mutate "${all[@]}" && nobody_noticed 'while bits are turned'; }

# What WireGuard lets in from this member, by the hops that are left of it, one less behind the hub. It would be counted before the packet filter.
watches_forged() {
	site_run "$1" nft -f - <<-NFT
		table ip forged {
			chain pre { type filter hook prerouting priority -300; iifname "collective*" ip ttl { 76, 77 } counter
			}
		}
	NFT
}
forged() { site_run "$1" nft list table ip forged | sed -n 's/.*counter packets \([0-9]*\).*/\1/p'; }
are_forged() {
	local sent
	everybody && watches_forged hub && watches_forged ann && sent=$(mal forge "${all[@]}") || return
	says "in others' names: $sent, of which the hub got $(forged hub), ann $(forged ann)"
	[ "$sent" -gt 30 ] && [ "$(forged hub) $(forged ann)" = '0 0' ] || return
	sent=$(mal mark "${all[@]}") && says "in its own: $sent, of which the hub got $(forged hub), ann $(forged ann)"
	[ "$(forged hub)" -ge "$sent" ] && [ "$(forged ann)" -ge $((sent / 2)) ]
}
are_broken_up() {
	everybody && meanwhile && mal pieces "${all[@]}" >"$world_dir/answered" && nobody_noticed 'while there are pieces' || return
	! grep . "$world_dir/answered"
}

seconds=4
tunnels_at() {
	local id
	for id in $(ip netns pids "$world-$1"); do
		[ "$(cat "/proc/$id/comm" 2>/dev/null)" != wireguard-go ] || echo "$id"
	done
}
floods() {
	everybody || return
	site_spawn mal flood python3 "$SOURCE/tests/lab/guests/member.py" flood "$world_dir/said" "$(inside mal)" "$seconds" "${all[@]}"
	echo "$site_pid" >"$world_dir/flood"
	world_wait 20 grep -qx begun "$world_dir/mal/flood.log"
}
# What a site keeps has this endpoint in it. Its status would wait for an answer of whoever is bad.
has_heard() {
	site_run "$1" setpriv "--reuid=$world_user" "--regid=$world_user" --clear-groups env PATH=/usr/bin:/bin python3 -c 'import sqlite3, sys
with sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True) as state:
    sys.exit(not any(bytes.fromhex(sys.argv[2]) in row[0] for row in state.execute("SELECT bytes FROM fact")))' "$world_dir/$1/state/state.db" cb00710915b3
}
have_heard() { has_heard hub && has_heard bob; }
# The agent has no more to do with it than WireGuard, which opened each packet.
goes_on() {
	if have_heard; then echo "they have heard before"; return 1; fi
	local agent tunnels before_agent before_tunnels spent_agent spent_tunnels
	agent=$(agent_pid hub) && mapfile -t tunnels < <(tunnels_at hub) && before_agent=$(processor_of "$agent") && before_tunnels=$(processor_of "${tunnels[@]}") && meanwhile && floods || return
	at ann endpoint add 203.0.113.9:5555 && measured 'while one member floods, what another one says reaches all' 3000 have_heard || return
	! has_ended "$(cat "$world_dir/flood")" || { echo 'the flood was over before'; return 1; }
	world_wait $((seconds + 20)) has_ended "$(cat "$world_dir/flood")" || return
	breaks 'while one member floods, between two honest ones' 1000 ann bob && direct ann bob || return
	spent_agent=$(($(processor_of "$agent") - before_agent)) spent_tunnels=$(($(processor_of "${tunnels[@]}") - before_tunnels))
	says "flooded for $seconds s with $(tail -n 1 "$world_dir/mal/flood.log") messages: the hub's agent worked $spent_agent ms, its WireGuard $spent_tunnels ms"
	says_figure "of WireGuard's share, the agent's in percent" $((spent_agent * 100 / spent_tunnels)) 100 ''
}

# What comes to it is counted outside: by then its links are gone as well.
forgot() { ! site_run "$1" wg show all peers | grep -F -e "$mal_backbone" -e "$mal_links"; }
is_forgotten() { forgot hub && forgot ann && forgot bob; }
is_expelled() {
	mal_backbone=$(site_run mal wg show collective0 public-key) mal_links=$(site_run mal wg show collective1 public-key)
	at hub expel mal && world_wait 5 is_forgotten
}
nobody_listens() {
	local heard
	everybody && watches_answers 198.51.100.4 && site_spawn inet to-mal tcpdump -n -l -i mal -Q out dst 198.51.100.4 &&
		world_wait 10 grep -q listening "$world_dir/inet/to-mal.log" && heard=$(mal call 2 "${all[@]}") || return
	echo "it heard $heard, $(answers) packets came"
	if [ "$heard $(answers)" != '0 0' ]; then cat "$world_dir/inet/to-mal.log"; return 1; fi
}
# The same asks, and is heard, before.
is_listened_to() { local heard; everybody && heard=$(mal call 1 "${all[@]}") && says "a member that asks for a second hears $heard" && [ "$heard" -gt 10 ]; }

world_begin
number=1
for site in "${sites[@]}" mal; do
	world_public "$site" "198.51.100.$number"
	number=$((number + 1))
done
settle "${sites[@]}" mal
check "members say all that there is to say, and it is taken down" begins
check "one of them turns bad" turns_bad
measures "${sites[@]}" || world_fail 'nothing can be measured'
check "messages cut short, longer, of another collective: nobody answers" keeps_silent
check "what was said again, and with bits turned: they still answer" are_mutated
check "in others' names nothing of it arrives" are_forged
check "datagrams too long, and in pieces: nobody answers" are_broken_up
check "flooded by a member, the others come to know the same, and the agent is not what is busy" goes_on
check "no agent has grown" have_not_grown "${sites[@]}"
check "and all of them know the same" alike "${sites[@]}"
check "a member is answered" is_listened_to
check "expelled, it is forgotten" is_expelled
check "and nobody answers it, inside or outside" nobody_listens
check "the same agents run" are_the_same "${sites[@]}"
check "and still know the same" alike "${sites[@]}"
shows
finish
