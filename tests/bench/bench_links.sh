#!/bin/bash
# bench_links.sh - direct links as people feel them: how soon, what is lost, how long silence lasts, what it costs.
#
#   tools/bench links [--kernel] [--write]
#
# With the WireGuard that this machine has, without added delay where the kernel has no netem; or with the kernel's, in a virtual
# machine, 20 ms on every line. --write keeps what was measured in docs/measurements/links.json, and makes docs/measurements.md anew.
#
# ROUNDS=N repeats what is repeated so often. SKIP='planned dies beside idle' leaves parts out.
set -u -o pipefail
: "${SOURCE:?}" "${BUILD:?}"
cd "$SOURCE" || exit 1

lane=(native)
[[ " $* " != *' --kernel '* ]] || lane=(kernel --kernel)
case " $* " in
*' --write '*)
	"$0" "${lane[@]:1}" | tee "$BUILD/bench_links.${lane[0]}" || exit
	exec python3 tests/bench/links.py "$BUILD/bench_links.${lane[0]}" docs/measurements/links.json "${lane[0]}"
	;;
*' --kernel '*)
	# The machine's environment is its own, and its lane wants test lines: those of the benchmark stand before them.
	printf '#!/bin/bash\nROUNDS=%q SKIP=%q exec %q\n' "${ROUNDS:-}" "${SKIP:-}" "$SOURCE/tests/bench/bench_links.sh" >"$BUILD/bench_links.sh"
	chmod 755 "$BUILD/bench_links.sh"
	exec tests/kernel/boot.sh --timeout 5400 "$BUILD/bench_links.sh"
	;;
esac
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/collective.sh
. tests/lab/collective.sh
# shellcheck source=tests/bench/wireguard.sh
. tests/bench/wireguard.sh
# shellcheck source=tests/bench/cost.sh
. tests/bench/cost.sh

rounds=${ROUNDS:-20}
skip=" ${SKIP:-} "
look=$BUILD/gcc/tests/bench_links
gamers=(ann bob)

# row WHAT MEASURED GOAL [VALUE BOUND]... - of each value, which is to be no more than its bound, it is told whether it is.
row() {
	local what=$1 measured=$2 goal=$3 holds=
	shift 3
	while [ $# -gt 0 ]; do
		if ! awk -v value="$1" -v bound="$2" 'BEGIN { exit !(value ~ /^-?[0-9.]+$/ && value + 0 <= bound + 0) }'; then
			holds=missed
		fi
		[ -n "$holds" ] || holds=held
		shift 2
	done
	printf '| %-58s | %-34s | %-24s | %-6s |\n' "$what" "$measured" "$goal" "$holds"
}

# begins WHEN - the hub and two homes, joined, with that policy.
begins() {
	local site
	world_begin
	world_public hub 198.51.100.1
	world_home ann 203.0.113.2 192.168.2.0/24 home
	world_home bob 203.0.113.3 192.168.3.0/24 home
	delay=0
	if world_delay hub 20 2>/dev/null && world_delay ann 20 2>/dev/null && world_delay bob 20 2>/dev/null; then delay=20; fi
	settle hub "${gamers[@]}"
	mkdir -p "$world_dir/config"
	chmod 755 "$world_dir/config"
	printf 'links:\n  when: %s\n' "$1" >"$world_dir/config/collective.yaml"
	export COLLECTIVE_CONFIG=$world_dir/config/collective.yaml
	at hub init --name home --endpoint 198.51.100.1 >"$world_dir/words" 2>&1 || world_fail "$(cat "$world_dir/words")"
	for site in "${gamers[@]}"; do
		at hub invite "$site" --tag gaming 2>"$world_dir/words" | at "$site" join - >"$world_dir/words" 2>&1 || world_fail "$(cat "$world_dir/words")"
	done
	bob=$(address_of bob)
	ann=$(address_of ann)
}

# As typed on ann, but for what the shell takes.
typed() { person=(nsenter --target "$(cat "$world_dir/$1/holder")" --net --mount -- "${as_unit[@]}" env "COLLECTIVE_STATE=$world_dir/$1/state" "COLLECTIVE_RUN=$world_dir/$1/home/run" "$collective" "${@:2}"); }

# What the agent is asked for without a program that has to begin first.
asked() { person=(ask "$world_dir/$1/home/run" "$2"); }

flow() { "$look" "$1" "$2" "$world-ann" "$ann" "$world-bob" "$bob" -- "${@:3}"; }

is_direct() { knows_without_words "$1" "'$2' in s and s['$2']['path'] == 'direct'"; }
are_direct() { is_direct ann bob && is_direct bob ann; }
are_not() { ! is_direct ann bob && ! is_direct bob ann; }
know_where_they_are() { at ann netcheck >/dev/null && at bob netcheck >/dev/null; }

cut_off() { printf 'table ip broken { chain forw { type filter hook forward priority 0; ip saddr { 203.0.113.2, 203.0.113.3, 203.0.113.9 } ip daddr { 203.0.113.2, 203.0.113.3, 203.0.113.9 } drop; }; }\n'; }
mend() { site_run inet nft delete table ip broken; }
write_cuts() {
	cut_off >"$world_dir/cut.nft"
	cut=(nsenter --target "$(cat "$world_dir/inet/holder")" --net -- nft -f "$world_dir/cut.nft")
}

# one_round RATE WISH - link, as typed or asked, then unlink, beside so many packets a second: when the first of them went directly is `soon`, and `lost` are
# those of `sent` that did not arrive. Who has not come to be direct in that time is later than all others.
one_round() {
	local both lost_ab sent_ab lost_ba sent_ba change_ab change_ba ttls
	know_where_they_are || world_fail 'the hub does not say where they are'
	"$2"
	both=$(flow 3 "$1" "${person[@]}" 2> >(sed "s/^# /# link beside $1 packets\/s, /" >>"$world_dir/lost.log")) || world_fail 'no flow'
	read -r lost_ab sent_ab lost_ba sent_ba _ _ change_ab change_ba _ _ ttls <<<"$both"
	[ "$ttls" = '64 64' ] || { echo "# beside $1 packets/s: $both"; at ann why bob | sed 's/^/# /'; }
	soon=$(printf '%s\n%s\n' "${change_ab/#-/9999}" "${change_ba/#-/9999}" | sort -n | head -n 1)
	lost=$((lost_ab + lost_ba)) sent=$((sent_ab + sent_ba))
	[ "$ttls" != '64 64' ] || direct_rtt=${direct_rtt:-$(rtt ann "$bob")}
	typed ann unlink bob
	both=$(flow 4 "$1" "${person[@]}" 2> >(sed "s/^# /# unlink beside $1 packets\/s, /" >>"$world_dir/lost.log")) || world_fail 'no flow'
	read -r lost_ab sent_ab lost_ba sent_ba _ <<<"$both"
	lost=$((lost + lost_ab + lost_ba)) sent=$((sent + sent_ab + sent_ba))
	world_wait 5 are_not || world_fail 'the link does not end'
}

types() { typed ann link bob; }
asks() { asked ann bob; }

# What a command takes beside that traffic, whatever it is for, in ms.
command_alone() {
	typed ann status
	# shellcheck disable=SC2016 # the inner shell's
	flow 2 "$1" bash -c 'TIMEFORMAT=%R; { time "${@:2}" >/dev/null 2>&1; } 2>>"$1"' bash "$world_dir/alone" "${person[@]}" >/dev/null 2>&1
}

# How soon, and what two planned switches lose: link and unlink, again and again. How soon is seen beside little traffic, as a machine that is
# emulated has enough to do with much.
planned() {
	local i first bound hub_rtt soon lost sent direct_rtt='' all_lost=0 all_sent=0
	begins asked
	# What is asked for goes nowhere else: it is the first packet that ever goes between the two.
	first=$(site_run ann ping -q -n -c 1 -W 5 "$bob" | sed -n 's|^rtt.* = \([^/]*\)/.*|\1|p')
	hub_rtt=$(rtt ann "$bob")
	row "first packet ever, by the hub: answered after" "${first:-never} ms" "at once" "${first:-never}" "$(awk -v h="$hub_rtt" 'BEGIN { print 2 * h + 20 }')"
	for ((i = 0; i < rounds; i++)); do
		one_round 1000 types
		[ "$lost" -eq 0 ] || echo "# round $i: first direct after $soon ms" >>"$world_dir/lost.log"
		all_lost=$((all_lost + lost)) all_sent=$((all_sent + sent))
		one_round 100 asks
		echo "$soon" >>"$world_dir/direct"
		command_alone 100
	done
	grep -E ' lost |first direct' "$world_dir/lost.log" | head -n 20
	row "R_hub / R_direct between the two" "$hub_rtt / $direct_rtt ms" "(lines of $delay ms)"
	bound=$(awk -v h="$hub_rtt" -v d="$direct_rtt" 'BEGIN { printf "%.0f", h + 2 * d + 100 }')
	row "time to direct, p50 (worst of $rounds), from the wish" "$(middle <"$world_dir/direct") ($(worst <"$world_dir/direct")) ms" "$bound (1500) ms" \
		"$(middle <"$world_dir/direct")" "$bound" "$(worst <"$world_dir/direct")" 1500
	row "a command takes beside that" "$(awk '{ print $1 * 1000 }' <"$world_dir/alone" | middle) ms" ""
	row "lost by $((2 * rounds)) planned switches, 1,000 packets/s each way" "$all_lost of $all_sent" "0" "$all_lost" 0
}

# The direct way dies under traffic, and comes back. A way that has come and gone six times within an hour is left alone for ten
# minutes: four deaths here, one behind the rest, and the beginning make six.
dies() {
	local i both deaths=4
	begins always
	world_wait 20 are_direct || world_fail "$(at ann why bob)"
	write_cuts
	for ((i = 0; i < deaths; i++)); do
		both=$(flow 5 200 "${cut[@]}" 2>>"$world_dir/lost.log") || world_fail 'no flow'
		read -r _ _ _ _ gap_ab gap_ba _ _ _ _ ttl_ab ttl_ba <<<"$both"
		[ "$ttl_ab$ttl_ba" = 6363 ] || echo "# round $i: $both"
		printf '%s\n%s\n' "$gap_ab" "$gap_ba" >>"$world_dir/outage"
		mend
		# Traffic brings it back.
		"$look" 8 20 "$world-ann" "$ann" "$world-bob" "$bob" >/dev/null
		world_wait 60 are_direct || { at ann why bob | sed 's/^/# /'; world_fail 'the link does not come back'; }
	done
	row "outage when the direct way dies, p50 (worst of $((2 * i)))" "$(middle <"$world_dir/outage") ($(worst <"$world_dir/outage")) ms" "1200 (2000) ms" \
		"$(middle <"$world_dir/outage")" 1200 "$(worst <"$world_dir/outage")" 2000
	# At rest nothing is probed: who comes first finds it dead.
	sleep 50
	"${cut[@]}"
	both=$("$look" 6 100 "$world-ann" "$ann" "$world-bob" "$bob" 2>>"$world_dir/lost.log")
	mend
	read -r lost_ab _ lost_ba _ <<<"$both"
	lost_ab=$((10 * (lost_ab > lost_ba ? lost_ab : lost_ba)))
	row "first packets after a rest on a way that died" "$lost_ab ms lost" "2500 ms" "$lost_ab" 2500
	"$look" 8 20 "$world-ann" "$ann" "$world-bob" "$bob" >/dev/null
	world_wait 90 are_direct || world_fail 'the link does not come back'
	moves
}

# One home's router gets another address.
moves() {
	local both
	# shellcheck disable=SC2016 # the inner shell's
	both=$("$look" 20 200 "$world-ann" "$ann" "$world-bob" "$bob" -- \
		bash -c '. tests/lab/world.sh; world=$1 world_dir=$2; world_renumber ann 203.0.113.9' bash "$world" "$world_dir" 2>>"$world_dir/lost.log")
	read -r _ _ _ _ gap_ab gap_ba _ _ again_ab again_ba ttl_ab ttl_ba <<<"$both"
	gap_ab=$(printf '%s\n%s\n' "$gap_ab" "$gap_ba" | worst)
	row "a router's new address: silence until it goes by the hub" "$gap_ab ms" "3000 ms" "$gap_ab" 3000
	[ "$ttl_ab$ttl_ba" = 6464 ] || { echo "# $both"; at ann why bob | sed 's/^/# /'; again_ab=never; }
	[ "$again_ab" = never ] || again_ab=$(printf '%s\n%s\n' "$again_ab" "$again_ba" | worst)
	row "and direct again, both ways, after" "$again_ab ms" "5000 ms" "$again_ab" 5000
}

beside() {
	local found
	begins always
	world_wait 20 are_direct || world_fail "$(at ann why bob)"
	by_hand ann 10.101.0.1 51999 "$(wg_key bob)" 203.0.113.3:51999 10.101.0.0/16
	by_hand bob 10.101.0.2 51999 "$(wg_key ann)" 203.0.113.2:51999 10.101.0.0/16
	# Only the first packet of each opens its router's way in for the other one.
	site_run bob ping -q -c 1 -W 1 10.101.0.1 >/dev/null
	world_wait 20 reaches ann 10.101.0.2 || world_fail 'wg0 does not meet'
	hears_iperf bob
	in_turns $((3 * rounds)) ann "$bob" 10.101.0.2
	row "throughput, Mbit/s: link / WireGuard by hand" "$(middle <"$world_dir/ours") / $(middle <"$world_dir/theirs")" ""
	found=$(ratio "$world_dir/ours" "$world_dir/theirs")
	# The other way round, as what is to be no less.
	row "throughput, of that of WireGuard by hand" "$found" ">= 0.98" 0.98 "${found%%,*}"
	row "round trip, ms: link / WireGuard by hand" "$(middle <"$world_dir/ours.rtt") / $(middle <"$world_dir/theirs.rtt")" ""
	found=$(ratio "$world_dir/ours.rtt" "$world_dir/theirs.rtt")
	row "round trip, of that of WireGuard by hand" "$found" "<= 1.02" "${found%%,*}" 1.02
}

says_who_is_not() {
	local other
	for other in $(at "$1" status | awk '$3 == "hub" && $1 != "home" { print $1 }'); do
		printf '# %s: %s\n# %s: %s\n' "$1" "$(at "$1" why "$other")" "$other" "$(at "$other" why "$1")"
	done
}

# Eight gamers, all linked with all.
idle() {
	local number=2 site
	world_begin
	world_public hub 198.51.100.1
	for site in ann bob cam dan eve fay gus hal; do
		world_home "$site" "203.0.113.$number" "192.168.$number.0/24" home
		number=$((number + 1))
	done
	settle hub ann bob cam dan eve fay gus hal
	unset COLLECTIVE_CONFIG
	at hub init --name home --endpoint 198.51.100.1 >"$world_dir/words" 2>&1 || world_fail "$(cat "$world_dir/words")"
	for site in ann bob cam dan eve fay gus hal; do
		at hub invite "$site" --tag gaming 2>"$world_dir/words" | at "$site" join - >"$world_dir/words" 2>&1 || world_fail "$(cat "$world_dir/words")"
	done
	for site in ann bob cam dan eve fay gus hal; do
		world_wait 60 knows_without_words "$site" "sum(x['path'] == 'direct' for x in d['sites']) == 7" || { says_who_is_not "$site"; world_fail "$site is not linked with all"; }
	done
	sleep 60
	for site in ann dan hal; do
		count_wire "$site" || world_fail "$site counts nothing"
		spent "$(agent_pid "$site")" >"$world_dir/$site/spent"
	done
	sleep 60
	for site in ann dan hal; do
		echo $((($(spent "$(agent_pid "$site")") - $(cat "$world_dir/$site/spent")) / 1000000)) >>"$world_dir/cpu"
		echo $(($(counted "$site") / 60)) >>"$world_dir/bytes"
		memory "$(agent_pid "$site")" >>"$world_dir/rss"
	done
	row "8 gamers all linked, idle: B/s on a site's line" "$(middle <"$world_dir/bytes")" "300" "$(middle <"$world_dir/bytes")" 300
	row "the same: processor of an agent, ms a minute" "$(middle <"$world_dir/cpu")" "60" "$(middle <"$world_dir/cpu")" 60
	row "the same: VmRSS of an agent, KiB" "$(middle <"$world_dir/rss")" ""
}

# world.sh cleans up when the script ends: each part is one of its own.
part() { case $skip in *" $1 "*) ;; *) ("$1") || failed=1 ;; esac; }

failed=0
row what measured goal 0 0 | sed 's/held /holds/'
for one in planned dies beside idle; do part "$one"; done
[ "$failed" -eq 0 ] && echo 'ok 1 - measured' || echo 'not ok 1 - measured'
echo '1..1'
