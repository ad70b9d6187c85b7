#!/bin/bash
# bench_compare.sh - the collective beside Nebula, tinc, serf and WireGuard by hand: same worlds, same faults, same run.
#
#   tools/bench compare [PART]... [--json FILE] [--write]
#
#   PART is one of those in `parts` below; without any, all of them. What was measured is kept in FILE, or
#   build/compare.json: parts that are measured again replace what stands there of them, so a long run can be cut into
#   pieces. --write makes docs/measurements.md and its figures of all that the file holds; with nothing but --write, nothing is
#   measured if the file is there.
#
# ROUNDS=N repeats what is repeated, PAIRS=N tries the first N pairs alone, WAIT=SECONDS is how long a pair may take.
# SETTLE and WINDOW are the seconds before and of being idle, HOMES how many homes are.
set -u -o pipefail
: "${SOURCE:?}" "${BUILD:?}"
cd "$SOURCE" || exit 1
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/collective.sh
. tests/lab/collective.sh
# shellcheck source=tests/lab/links.sh
. tests/lab/links.sh
# shellcheck source=tests/bench/rivals.sh
. tests/bench/rivals.sh
# shellcheck source=tests/bench/wireguard.sh
. tests/bench/wireguard.sh
# shellcheck source=tests/bench/cost.sh
. tests/bench/cost.sh

rounds=${ROUNDS:-3}
wait_s=${WAIT:-30}     # for a pair to be direct
fault_s=${FAULT:-120}  # for what broke to come back
settle_s=${SETTLE:-30} # before a site counts as idle
window_s=${WINDOW:-60} # in which it is looked at
homes=${HOMES:-7}
at_once=4
report=tests/bench/compare.py

# The parts, in the order in which they are measured, and the seconds that any of their worlds may take.
parts=(speed idle news direct switch dies moves pairs)
declare -A longest=([speed]=900 [idle]=900 [news]=900 [direct]=1200 [switch]=300 [dies]=1200 [moves]=1200 [pairs]=500)
programs=(collective nebula tinc)
meeting=(collective nebula nebula_unrelayed tinc)

# measured_as PART PROGRAM CASE NAME VALUE - or without the last two, lines of both from standard input.
measured_as() {
	local name value
	if [ $# -gt 3 ]; then
		printf '%s\t%s\t%s\t%s\t%s\n' "$@" >>"$COMPARE_RAW"
		return
	fi
	while read -r name value; do printf '%s\t%s\t%s\t%s\t%s\n' "$@" "$name" "$value" >>"$COMPARE_RAW"; done
}

says() { printf '# %s\n' "$*" >&2; }

# Worlds: each of them is a script of its own, since world.sh cleans up when a script ends.

# two_homes PROGRAM [TYPE TYPE] - the hub, ann and bob; all are up, and nothing has flowed between the two.
two_homes() {
	world_begin
	world_public hub "$hub_outside"
	world_stands ann "${2:-home}" 2
	world_stands bob "${3:-home}" 3
	[ "$1" = none ] || begins "$1"
}
begins() {
	rival_begins "$1" hub ann bob
	# What each of them still has to say to its hub.
	sleep 2
}
ends() {
	local site
	rival_ends "$1" hub ann bob
	for site in ann bob; do
		[ ! -d "$world_dir/$site-router" ] || world_reboot "$site"
		[ ! -d "$world_dir/isp$(number_of_home "$site")-router" ] || world_reboot "isp$(number_of_home "$site")"
	done
}
number_of_home() { [ "$1" = ann ] && echo 2 || echo 3; }

# flow SCENARIO PROGRAM SECONDS [// COMMAND...]... - A is ann, whose home may get another address; if $starter is bob, A is bob.
flow() {
	local a b ends
	a=(ann "$(rival_address "$2" ann)" "203.0.113.2,203.0.113.9")
	b=(bob "$(rival_address "$2" bob)" 203.0.113.3)
	ends=("${a[@]}" "${b[@]}")
	[ "${starter:-ann}" = ann ] || ends=("${b[@]}" "${a[@]}")
	python3 -B tests/bench/compare_flow.py "$1" "$world" "$3" "${ends[@]}" "${@:4}"
}

# One after the other, as routers that count are confused by whoever else goes out. Where nothing comes of it, the other end
# begins, in a second attempt.
world_pairs() {
	local program
	two_homes none "$1" "$2"
	for program in "${meeting[@]}"; do
		begins "$program"
		flow direct "$program" "$wait_s" >"$world_dir/words" || world_fail "$program: no flow"
		measured_as pairs "$program" "$1 $2" <"$world_dir/words"
		ends "$program"
		if [ "$1" = "$2" ] || ! grep -q 'direct_ms -' "$world_dir/words"; then continue; fi
		begins "$program"
		starter=bob flow direct "$program" "$wait_s" >"$world_dir/words" || world_fail "$program: no flow"
		sed -n 's/^direct_ms/direct_b_ms/p' "$world_dir/words" | measured_as pairs "$program" "$1 $2"
		ends "$program"
	done
}

# Each round is a new beginning of everything.
world_direct() {
	local i
	two_homes none "$2" "$3"
	for ((i = 0; i < rounds; i++)); do
		begins "$1"
		flow direct "$1" "$wait_s" | measured_as direct "$1" "$2 $3" || world_fail "$1: no flow"
		ends "$1"
	done
}

# As typed on ann, but for what the shell takes.
typed() {
	local places
	mapfile -t places < <(places_of "$1")
	person=(nsenter --target "$(cat "$world_dir/$1/holder")" --net --mount -- "${as_unit[@]}" env "${places[@]}" "$collective" "${@:2}")
}

# Only who can be told to go by the hub and back has such a thing.
world_switch() {
	local i away
	two_homes collective
	is_direct_now collective
	for ((i = 0; i < rounds; i++)); do
		typed ann unlink bob
		away=("${person[@]}")
		typed ann link bob
		flow switch collective 20 // "${away[@]}" // "${person[@]}" | measured_as switch collective 'home home' || world_fail 'no flow'
	done
}

# Packets flow until they do so directly.
is_direct_now() {
	flow direct "$1" "$fault_s" >"$world_dir/words" || world_fail "$1: no flow"
	! grep -q 'direct_ms -' "$world_dir/words" || world_fail "$1 does not go direct: $(cat "$world_dir/words")"
}

in_inet() { command=(nsenter --target "$(cat "$world_dir/inet/holder")" --net -- "$@"); }

# What goes between these two homes is dropped; the hub can be reached.
world_dies() {
	local i cut
	two_homes "$1"
	echo 'table ip broken { chain forw { type filter hook forward priority 0; ip saddr { 203.0.113.2, 203.0.113.3 } ip daddr { 203.0.113.2, 203.0.113.3 } drop; }; }' \
		>"$world_dir/cut.nft"
	in_inet nft -f "$world_dir/cut.nft"
	cut=("${command[@]}")
	in_inet nft delete table ip broken
	for ((i = 0; i < rounds; i++)); do
		is_direct_now "$1"
		flow dies "$1" "$fault_s" // "${cut[@]}" // "${command[@]}" | measured_as dies "$1" 'home home' || world_fail "$1: no flow"
	done
}

# ann's router gets another address, and so forgets what it knew.
world_moves() {
	local i
	two_homes none
	for ((i = 0; i < rounds; i++)); do
		begins "$1"
		is_direct_now "$1"
		# shellcheck disable=SC2016 # the inner shell's
		flow moves "$1" "$fault_s" // bash -c '. tests/lab/world.sh; world=$1 world_dir=$2; world_renumber ann 203.0.113.9' bash "$world" "$world_dir" |
			measured_as moves "$1" 'home home' || world_fail "$1: no flow"
		rival_ends "$1" hub ann bob
		world_renumber ann 203.0.113.2
		world_reboot bob
	done
}

# Beside WireGuard by hand, through the same routers.
world_speed() {
	local program way at
	two_homes none
	are_numbered hub ann bob
	by_hand ann 10.101.0.2 51999 "$(wg_key bob)" 203.0.113.3:51999 10.101.0.3/32
	by_hand bob 10.101.0.3 51999 "$(wg_key ann)" 203.0.113.2:51999 10.101.0.2/32
	# Only the first of these opens its router's way in for the other one.
	site_run bob ping -q -c 1 -W 1 10.101.0.2 >/dev/null
	world_wait 20 reaches ann 10.101.0.3 || world_fail 'wg0 does not meet'
	hears_iperf bob
	for program in "${programs[@]}"; do
		begins "$program"
		is_direct_now "$program"
		in_turns $((10 * rounds)) ann "$(rival_address "$program" bob)" 10.101.0.3
		for way in ours theirs; do
			at=("$program" 'beside wireguard')
			[ "$way" = ours ] || at=(wireguard "beside $program")
			sed 's/^/mbits /' "$world_dir/$way" | measured_as speed "${at[@]}"
			sed 's/^/rtt_ms /' "$world_dir/$way.rtt" | measured_as speed "${at[@]}"
			rm "$world_dir/$way" "$world_dir/$way.rtt"
		done
		rival_ends "$program" hub ann bob
	done
}

# Idle: the hub and homes, nothing flows.

names=(ann bob cam dan eve fay gus hal ian joe kim leo)
many_homes() {
	local site number=2
	spokes=("${names[@]:0:homes}")
	sites=(hub "${spokes[@]}")
	world_begin
	world_public hub "$hub_outside"
	for site in "${spokes[@]}" guest; do
		world_home "$site" "203.0.113.$number" "192.168.$number.0/24" home
		number=$((number + 1))
	done
	has_group "${sites[@]}" guest
}

# carriers SITE - each wireguard-go there.
carriers() {
	local process
	for process in $(ip netns pids "$world-$1"); do
		[ "$(cat "/proc/$process/comm")" != wireguard-go ] || echo "$process"
	done
}

# costs PROGRAM - of every site: its name, what its program and then all that carries for it were given so far, in ns, and
# what memory they have. A program that is not there is "-".
costs() {
	local site process given kept
	for site in "${sites[@]}"; do
		printf '%s' "$site"
		[ "$1" != wireguard ] && printf ' %s %s' "$(spent "$(rival_pid "$1" "$site")")" "$(memory "$(rival_pid "$1" "$site")")" || printf ' - -'
		given=- kept=-
		for process in $(carriers "$site"); do
			given=$((${given/#-/0} + $(spent "$process"))) kept=$((${kept/#-/0} + $(memory "$process")))
		done
		printf ' %s %s\n' "$given" "$kept"
	done
}

# looks_on PROGRAM - while nobody does anything.
looks_on() {
	local site start took
	sleep "$settle_s"
	for site in "${spokes[@]}"; do count_wire "$site" || world_fail "$site counts nothing"; done
	start=$(moment)
	costs "$1" >"$world_dir/before"
	sleep "$window_s"
	took=$(($(moment) - start))
	for site in "${spokes[@]}"; do
		counted "$site" | awk -v t="$took" '{ printf "bytes_s %.1f\n", $1 * 1e6 / t }'
	done | measured_as idle "$1" "$((homes + 1)) sites"
	costs "$1" | paste -d ' ' "$world_dir/before" - | awk -v t="$took" '{
		if ($7 != "-") printf "cpu_ms_min %.1f\nrss_kib %d\n", ($7 - $2) / 1e6 * 60e6 / t, $8
		if ($9 != "-") printf "wireguard_go_cpu_ms_min %.1f\nwireguard_go_rss_kib %d\n", ($9 - $4) / 1e6 * 60e6 / t, $10
	}' | measured_as idle "$1" "$((homes + 1)) sites"
}

world_idle() {
	local program
	many_homes
	for program in "${programs[@]}" wireguard; do
		rival_begins "$program" "${sites[@]}"
		looks_on "$program"
		[ "$program" = wireguard ] || rival_ends "$program" "${sites[@]}"
	done
	serf_begins "${sites[@]}"
	looks_on serf
}

# News: who comes in, says something, and goes.

news() { measured_as news "$1" "$((homes + 1)) sites"; }

# looked PROGRAM WHAT SECONDS TEXT FILE SITE... -- COMMAND...
looked() {
	local program=$1 what=$2 seconds=$3 text=$4 log=$5 logs=() out
	shift 5
	while [ "$1" != -- ]; do logs+=("$world_dir/$1/$log"); shift; done
	out=$(python3 -B tests/bench/compare_look.py "$seconds" "$text" "${logs[@]}" "$@") || world_fail "$program: nobody looks on"
	printf '%s_ms %s\n%s_spread_ms %s\n' "$what" "${out% *}" "$what" "${out#* }" | news "$program"
}

news_of_collective() {
	local i all fresh=$world_dir/guest/state/identity.key look=$BUILD/gcc/tests/bench_agent out
	settle guest
	mapfile -t all < <(printf "$world_dir/%s/state\n" "${sites[@]}")
	for ((i = 0; i < rounds; i++)); do
		at hub invite "guest-$i" >"$world_dir/invite" 2>>"$world_dir/words" || world_fail 'no invite'
		typed guest join -
		out=$("$look" 60 key "$fresh" - - "${all[@]}" -- "${person[@]}" <"$world_dir/invite" 2>>"$world_dir/words") || world_fail 'nobody looks on'
		read -r whole spread _ <<<"$out"
		printf 'joined_ms %s\njoined_spread_ms %s\n' "$whole" "$spread" | news collective
		# So that its record is one of a site that has been quiet.
		sleep 5
		typed guest admin offer
		out=$("$look" 30 key "$world_dir/guest/state/admin.key" - - "$world_dir/guest/state" "${all[@]}" -- "${person[@]}" 2>>"$world_dir/words") ||
			world_fail 'nobody looks on'
		read -r whole spread _ <<<"$out"
		printf 'record_ms %s\nrecord_spread_ms %s\n' "$whole" "$spread" | news collective
		typed hub expel "guest-$i"
		out=$("$look" 30 id "$fresh" - - "${all[@]}" -- "${person[@]}" 2>>"$world_dir/words") || world_fail 'nobody looks on'
		read -r whole spread _ <<<"$out"
		printf 'expelled_ms %s\nexpelled_spread_ms %s\n' "$whole" "$spread" | news collective
		at guest down >>"$world_dir/words" 2>&1 || world_fail 'the guest does not end'
		find "$world_dir/guest/state" -mindepth 1 -delete
	done
}

# tinc_of_guest starts|ends - in the background, as a daemon.
tinc_of_guest() {
	if [ "$1" = ends ]; then
		kill -TERM "$(head -n 1 "$world_dir/guest/tincd.pid")"
		world_wait 10 test ! -e "$world_dir/guest/tincd.pid" || world_fail 'the guest of tinc does not end'
		sleep 1
		return
	fi
	guest=(nsenter --target "$(cat "$world_dir/guest/holder")" --net --mount -- tincd -c "$world_dir/guest/tinc" "--pidfile=$world_dir/guest/tincd.pid")
}

# The guest's key is put on the hub's disk, as a person would; it comes in, has another network, and its key is taken away.
# Of its own networks tinc 1.0 hears when it starts.
news_of_tinc() {
	local i
	tinc_configures guest hub
	cp "$world_dir/hub/tinc/hosts/hub" "$world_dir/guest/tinc/hosts/"
	tinc_of_guest starts
	for ((i = 0; i < rounds; i++)); do
		cp "$world_dir/guest/tinc/hosts/guest" "$world_dir/hub/tinc/hosts/"
		looked tinc joined 60 'Got ADD_EDGE .* guest ' tinc.log "${sites[@]}" -- "${guest[@]}"
		sleep 2
		tinc_of_guest ends
		echo "Subnet = 10.202.$((100 + i)).0/24" >>"$world_dir/guest/tinc/hosts/guest"
		sleep 3
		looked tinc record 60 "Got ADD_SUBNET .*10\\.202\\.$((100 + i))\\.0/24" tinc.log "${sites[@]}" -- "${guest[@]}"
		sleep 5
		rm "$world_dir/hub/tinc/hosts/guest"
		# The hub says so, the others hear it.
		looked tinc expelled 60 '(Got|Sending) DEL_EDGE .* guest' tinc.log "${sites[@]}" -- kill -HUP "$(rival_pid tinc hub)"
		tinc_of_guest ends
	done
}

news_of_serf() {
	local i
	wireguard_admits guest
	for ((i = 0; i < rounds; i++)); do
		looked serf joined 60 'EventMemberJoin: guest ' serf.log "${sites[@]}" -- nsenter --target "$(cat "$world_dir/guest/holder")" --net --mount -- \
			sh -c "serf agent -node=guest -bind=$(serf_address guest) -join=$(serf_address hub) >>'$world_dir/guest/serf.log' 2>&1 & echo \$! >'$world_dir/guest/serf.pid'"
		sleep 5
		looked serf record 60 "Received event: user-event: news-$i" serf.log "${sites[@]}" -- \
			nsenter --target "$(cat "$world_dir/guest/holder")" --net --mount -- serf event -coalesce=false "news-$i"
		site_run guest serf leave >/dev/null 2>&1
		world_wait 20 has_ended "$(cat "$world_dir/guest/serf.pid")" || world_fail 'the guest of serf does not end'
		sleep 2
	done
}
wireguard_admits() {
	echo $((homes + 2)) >"$world_dir/$1/number"
	by_hand "$1" "$(wireguard_address "$1")" 51999 "$(wg_key hub)" "$hub_outside:51999" 10.101.0.0/16
	site_run hub wg set wg0 peer "$(wg_key "$1")" allowed-ips "$(wireguard_address "$1")/32" || world_fail 'wg0 of the hub'
	world_wait 20 reaches "$1" "$(wireguard_address hub)" || world_fail "wg0 of $1 does not meet"
}

world_news() {
	many_homes
	rival_begins collective "${sites[@]}"
	sleep 5
	news_of_collective
	rival_ends collective "${sites[@]}"
	tinc_words=-d5
	echo $((homes + 2)) >"$world_dir/guest/number"
	rival_begins tinc "${sites[@]}"
	sleep 5
	news_of_tinc
	rival_ends tinc "${sites[@]}"
	rival_begins wireguard "${sites[@]}"
	serf_begins "${sites[@]}"
	sleep 5
	news_of_serf
}

if [ "${1:-}" = --world ]; then
	: "${COMPARE_RAW:?}"
	shift
	"world_$1" "${@:2}"
	exit
fi

# The run.

declare -A running=()
work=$(mktemp -d /tmp/compare.XXXXXX) || exit 1
end() {
	local id
	for id in "${!running[@]}"; do kill -TERM "$id" 2>/dev/null; done
	wait
	rm -rf "$work"
}
trap end EXIT
trap 'exit 143' HUP INT TERM

# What a world measured counts when it has ended well. One that did not, say, since others took the machine, is tried once more;
# after that what there is of it counts, and the rest is missing.
one_ends() {
	local id name
	wait -n -p id "${!running[@]}"
	set -- $? "${running[$id]}"
	unset "running[$id]"
	name=${2// /-}
	if [ "$1" -ne 0 ]; then
		says "$2 ended with $1: $(tail -n 2 "$work/$name.err" | tr '\n' ' ')"
		if [ ! -e "$work/$name.again" ]; then
			: >"$work/$name.again"
			# shellcheck disable=SC2086 # the words that it was begun with
			begin_world $2
			return
		fi
	fi
	cat "$work/$name.raw" >>"$work/raw"
}
all_end() { while [ "${#running[@]}" -gt 0 ]; do one_ends; done; }

begin_world() {
	local name="$*"
	local files=$work/${name// /-}
	: >"$files.raw"
	COMPARE_RAW=$files.raw timeout -k 60 "${longest[$1]}" "$0" --world "$@" >"$files.out" 2>"$files.err" </dev/null &
	running[$!]=$name
}

# apart PART WORD... - in a world of its own, beside some others.
apart() {
	while [ "${#running[@]}" -ge "$at_once" ]; do one_ends; done
	begin_world "$@"
}

part_speed() { apart speed; }
part_idle() { apart idle; }
part_news() { apart news; }
part_switch() { apart switch; }
# Those that take long mostly wait.
part_direct() {
	local program
	for program in "${meeting[@]}"; do apart direct "$program" home home; done
	all_end
	for program in "${meeting[@]}"; do apart direct "$program" public home; done
}
part_dies() { local program; for program in "${programs[@]}"; do apart dies "$program"; done; }
part_moves() { local program; for program in "${programs[@]}"; do apart moves "$program"; done; }
part_pairs() {
	local a b _
	while read -r a b _; do apart pairs "$a" "$b"; done < <(grep -v '^#' tests/lab/pairs.txt | head -n "${PAIRS:-1000}")
}

chosen=() json=$BUILD/compare.json write=
while [ $# -gt 0 ]; do
	case $1 in
	--json) json=${2:?--json FILE} && shift ;;
	--write) write=docs ;;
	*)
		[ -n "${longest[$1]:-}" ] || world_fail "there is no part \"$1\"; parts: ${parts[*]}"
		chosen+=("$1")
		;;
	esac
	shift
done
if lack=$(world_lacks || routers_lack); then
	echo "$lack" >&2
	exit 77
fi
# With --write alone, what was measured before is written.
if [ ${#chosen[@]} -eq 0 ] && { [ -z "$write" ] || [ ! -e "$json" ]; }; then chosen=("${parts[@]}"); fi
for part in "${chosen[@]}"; do
	: >"$work/raw"
	begun=$SECONDS
	"part_$part"
	all_end
	says "$part: $((SECONDS - begun)) s"
	python3 -B "$report" merge "$json" "$part" "$work/raw" "wait_s=$wait_s" "fault_s=$fault_s" "window_s=$window_s" "homes=$homes" || exit 1
done
python3 -B "$report" table "$json" || exit 1
[ -z "$write" ] || python3 -B "$report" write "$json" "$write"
