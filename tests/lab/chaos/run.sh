#!/bin/bash
# run.sh - faults drawn from a seed happen to a collective of real agents; once they are over, all is well again.
#
#   hub             directly on inet
#   ann ... eve     each of another type of pairs.txt, and each wants a direct link with every other one; no more than cam
#                   where IMPLEMENTATION is "kernel"
#   fay             comes in meanwhile; another one is expelled
#
#   CHAOS_SEED=N            what happens is a function of it, and of the next one; it is told at the beginning
#   CHAOS_SECONDS=30        for so long
#   CHAOS_PATIENCE=0        so many seconds pairs that rest after failures are let rest, before they are asked to meet
#   CHAOS_BUILD=gcc         the build whose agents run; of sanitizers' no memory is measured
#   CHAOS_SPOILS=WORDS      for a shell, when all is healed: what the test then has to notice
#
# IMPLEMENTATION is "userspace" or "kernel", where lines can be slow, too. What is said of faults is in inet-faults.log, of
# what was seen meanwhile in inet-watch.log, where a run failed.
# shellcheck disable=SC2154 # of what is sourced
set -u
cd "${SOURCE:?}" || exit 1
: "${CHAOS_SEED:?}"
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/collective.sh
. tests/lab/collective.sh
# shellcheck source=tests/lab/links.sh
. tests/lab/links.sh

seconds=${CHAOS_SECONDS:-30}
patience=${CHAOS_PATIENCE:-0}
build=${CHAOS_BUILD:-gcc}
lane=lab ms=0 # each way, of every line
if [ "${IMPLEMENTATION:-userspace}" = kernel ]; then
	# The machine may be one that is emulated, where looking takes its time.
	lane=kernel ms=5 world_pause=0.2
fi
collective=$BUILD/$build/tests/collective-lab
heals=40      # seconds, until all that waited for something has got it
grows_kib=1024 # an agent, from before to after

spokes=() guest='' gone='' faults=0
declare -A type=() pid=() line=()
plan=()

# The agents. They are this shell's own, so it hears how each of them ends.

log() { printf '%s %s\n' "$EPOCHREALTIME" "$*" >>"$world_dir/inet/faults.log"; }
odd() { log "ODD: $*"; echo "$*" >>"$world_dir/odd"; }

begins() {
	local places
	[ -z "${pid[$1]:-}" ] || odd "$1: an agent begins, and nobody has ended the one before"
	mapfile -t places < <(places_of "$1")
	site_spawn "$1" agent "${as_unit[@]}" env "${places[@]}" "COLLECTIVE_CLOCK_OFFSET_MS=${2:-0}" "$collective" agent
	pid[$1]=$site_pid
	answers_again "$1"
}

# For watch.py, and for those who wait.
answers_again() { : >"$world_dir/$1/up.new" && mv "$world_dir/$1/up.new" "$world_dir/$1/up"; }
answers_not() { rm -f "$world_dir/$1/up"; }

# What ends takes what it has lost with it: it is looked at before.
has_grown() {
	local was is
	[[ $build != *-san ]] && was=$(cat "$world_dir/$1/memory" 2>/dev/null) && is=$(memory_of "$1") || return
	[ "$is" -le $((was + grows_kib)) ] || odd "$1: its agent has grown from $was to $is KiB"
}

# finishes SITE SIGNAL STATUS - its agent, with that exit status.
finishes() {
	local id=${pid[$1]:-} status=0
	answers_not "$1"
	[ -n "$id" ] || { odd "$1: there is no agent to end"; return; }
	has_grown "$1"
	unset "pid[$1]"
	kill "-$2" "$id" 2>/dev/null
	if ! world_wait 10 has_ended "$id"; then
		odd "$1: its agent does not end by SIG$2"
		kill -KILL "$id"
	fi
	wait "$id" 2>/dev/null || status=$?
	[ "$status" -eq "$3" ] || odd "$1: its agent ended by SIG$2 with status $status, not $3"
}

# Whoever has ended without having been told to.
looks_after() {
	local site id status
	for site in "${!pid[@]}"; do
		id=${pid[$site]}
		has_ended "$id" || continue
		status=0
		wait "$id" 2>/dev/null || status=$?
		unset "pid[$site]"
		answers_not "$site"
		odd "$site: its agent ended by itself, with status $status"
	done
	if [ -e "$world_dir/$guest/invited" ] && [ -z "${pid[$guest]:-}" ]; then
		rm "$world_dir/$guest/invited"
		begins "$guest"
		log "the agent of $guest begins"
	fi
}

tunnels_of() {
	local id
	for id in $(ip netns pids "$world-$1"); do
		[ "$(cat "/proc/$id/comm" 2>/dev/null)" != wireguard-go ] || echo "$id"
	done
}

as_user() { site_run "$1" setpriv "--reuid=$world_user" "--regid=$world_user" --clear-groups "${@:2}"; }

# What happens, and how it is over. Each is done by this shell, and is soon done; what takes longer is a job.

fault_kill() { finishes "$1" KILL 137; }
over_kill() { begins "$1"; }
fault_term() { finishes "$1" TERM 0; }
over_term() { begins "$1"; }
fault_stop() {
	answers_not "$1"
	kill -STOP "${pid[$1]}"
}
over_stop() {
	kill -CONT "${pid[$1]}"
	answers_again "$1"
}
fault_sleep() {
	local ids
	answers_not "$1"
	ids=$(tunnels_of "$1")
	# shellcheck disable=SC2086 # one word each
	kill -STOP "${pid[$1]}" $ids
	echo "$ids" >"$world_dir/$1/asleep"
}
over_sleep() {
	# shellcheck disable=SC2046 # one word each
	kill -CONT $(cat "$world_dir/$1/asleep") "${pid[$1]}"
	answers_again "$1"
}
fault_clock() { finishes "$1" TERM 0 && begins "$1" "$2"; }
over_clock() { finishes "$1" TERM 0 && begins "$1"; }
fault_tunnel() {
	local ids
	if [ "$lane" = kernel ]; then
		site_run "$1" ip link del collective0
		site_run "$1" ip link del collective1
		return
	fi
	ids=$(tunnels_of "$1")
	# shellcheck disable=SC2086 # one word each
	[ -z "$ids" ] || kill -KILL $ids
}
fault_full() { ! as_user "$1" dd if=/dev/zero of="$world_dir/$1/state/fill" bs=4096 2>"$world_dir/dd" && grep -q 'No space' "$world_dir/dd"; }
over_full() { site_run "$1" rm -f "$world_dir/$1/state/fill"; }
fault_loss() { world_loss "${line[$1]}" "$2"; }
over_loss() { world_loss "${line[$1]}" 0; }
fault_slow() { world_delay "${line[$1]}" "$2"; }
over_slow() { world_delay "${line[$1]}" "$ms"; }
fault_part() {
	site_run inet nft -f - <<-NFT
		table inet part_$1_$2 {
			chain forw {
				type filter hook forward priority 0
				iifname "${line[$1]}" oifname "${line[$2]}" drop
				iifname "${line[$2]}" oifname "${line[$1]}" drop
			}
		}
	NFT
}
over_part() { site_run inet nft delete table inet "part_$1_$2"; }
fault_reboot() { world_reboot "$1"; }
fault_move() { world_renumber "$1" "$2"; }
fault_expel() {
	expels "$1" &
	echo $! >"$world_dir/expels.pid"
}
fault_invite() {
	invites "$1" &
	echo $! >"$world_dir/invites.pid"
}

# The owner says it again until it is done: the hub may be gone, or have no room, or both may go under meanwhile.

is_expelled() {
	as_user hub env PATH=/usr/bin:/bin python3 -c 'import sqlite3, sys
with sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True) as state:
    sys.exit(0 if state.execute("SELECT count(*) FROM fact WHERE kind = 3").fetchone()[0] else 1)' "$world_dir/hub/state/state.db" 2>/dev/null
}
expels() {
	until is_expelled; do
		log "expel $1: $(at hub expel "$1" 2>&1 | tail -n 1)"
		sleep 0.2
	done
	echo "$1 $(cat "$world_dir/$1/keys")" >"$world_dir/out.new"
	mv "$world_dir/out.new" "$world_dir/out"
	log "$1 is out"
}
invites() {
	local i
	for ((i = 0; ; i++)); do
		if at hub invite "$1" --tag gaming >"$world_dir/$1/invite" 2>"$world_dir/$1/invite.log" &&
			at "$1" join --no-start - <"$world_dir/$1/invite" >"$world_dir/$1/join.log" 2>&1; then break; fi
		log "invite $1: $(cat "$world_dir/$1/invite.log" "$world_dir/$1/join.log" 2>/dev/null | tail -n 1)"
		at hub uninvite "$1" >/dev/null 2>&1
		sleep 0.2
	done
	: >"$world_dir/$1/invited"
	log "$1 has its invite"
}

# The plan.

reads_plan() {
	local kind a b rest
	while read -r kind a b rest; do
		echo "# $kind $a $b $rest"
		case $kind in
		site) spokes+=("$a") type[$a]=$b ;;
		guest) guest=$a type[$a]=$b ;;
		fault)
			faults=$((faults + 1))
			plan+=("$a fault $rest")
			[ "$b" -eq 0 ] && [[ $rest != kill* && $rest != term* ]] || plan+=("$((a + b)) over $rest")
			[[ $rest != expel* ]] || gone=${rest#expel }
			;;
		esac
	done < <(tests/lab/chaos/plan.py "$CHAOS_SEED" "$seconds" "$lane" "$patience")
	mapfile -t plan < <(printf '%s\n' "${plan[@]}" | sort -s -n -k 1,1)
}

# until_ms MS - since it began; looks after the agents meanwhile.
until_ms() {
	local left
	while looks_after; left=$(($1 - ($(moment) - chaos_began) / 1000)); [ "$left" -gt 0 ]; do
		[ "$left" -le 100 ] || left=100
		sleep "$(printf '0.%03d' "$left")"
	done
}

happens() {
	local each at verb what words
	chaos_began=$(moment)
	for each in "${plan[@]}"; do
		read -r at verb what words <<<"$each"
		until_ms "$at"
		log "$verb $what $words"
		# shellcheck disable=SC2086 # one word each
		"${verb}_$what" $words >>"$world_dir/inet/faults.log" 2>&1 || odd "$verb $what $words: it could not be done"
	done
	until_ms $((seconds * 1000))
}

# Before and after.

stands_up() {
	local site
	at hub init --name hub --endpoint 198.51.100.1 --no-start || return
	begins hub
	world_wait 10 knows_without_words hub "d['state'] == 'member'" || return
	for site in "${spokes[@]}"; do
		at hub invite "$site" --tag gaming 2>/dev/null | at "$site" join --no-start - || return
		begins "$site"
	done
	for site in "${spokes[@]}"; do
		world_wait 20 knows_without_words "$site" "d['state'] == 'member'" || { tail -n 5 "$world_dir/$site/agent.log"; return 1; }
	done
}

# is_followed SITE - by watch.py, from now on.
is_followed() {
	local places address
	mapfile -t places < <(places_of "$1")
	printf '%s\n' nsenter --target "$(cat "$world_dir/$1/holder")" --net --mount --wdns="$PWD" -- "${as_unit[@]}" env "${places[@]}" \
		"$collective" status --json >"$world_dir/$1/status"
	address=$(address_of "$1") && echo "$address" >"$world_dir/$1/address" && keys_at "$1" >"$world_dir/$1/keys" &&
		echo "$1 $address ${address%.*}.0/24" >>"$world_dir/watched"
}
keys_at() { site_run "$1" wg show all public-key | cut -f 2 | paste -sd' '; }

# pairs_of SITE... - those that can meet.
pairs_of() {
	local a b
	for a in "$@"; do
		for b in "$@"; do
			[[ ! $a < $b ]] || echo "$a $b ${type[$a]} ${type[$b]}"
		done
	done | awk 'NR == FNR { if ($3 == "yes") meets[$1, $2] = meets[$2, $1] = 1; next } meets[$3, $4] { print $1, $2 }' tests/lab/pairs.txt -
}
# pairs_apart SITE... - of those that can meet, the ones whose packets do not go directly. Without delay on lines, what is
# measured of both ways is chance, and the one by the hub may be the faster one: then a link lives, and carries nothing.
pairs_apart() {
	local site
	for site in "$@"; do
		at "$site" status --json >"$world_dir/$site/status.json" 2>/dev/null
		site_run "$site" ip route show dev collective1 >"$world_dir/$site/links" 2>/dev/null
	done
	pairs_of "$@" | python3 -c 'import json, sys
directory, lane = sys.argv[1:]
def has_link(name, other):
    try:
        with open(f"{directory}/{name}/status.json") as file:
            there = {s["name"]: s for s in json.load(file)["sites"]}[other]
    except (ValueError, KeyError):
        return False
    with open(f"{directory}/{name}/links") as file:
        routes = [line.split()[0] for line in file]
    if lane == "lab" and there["link"]["reason"] == "hub_better" and there["link"]["direct"]["rtt_ms"]:
        return True
    return there["path"] == "direct" and set(there["subnets"]) <= set(routes)
for line in sys.stdin:
    a, b = line.split()
    if not has_link(a, b) or not has_link(b, a):
        print(a, b)' "$world_dir" "$lane"
}
none_apart() { [ -z "$(pairs_apart "$@")" ]; }

# Of each agent: its memory in KiB, and its descriptors.
memory_of() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/${pid[$1]}/status"; }
descriptors_of() { tests/lab/chaos/descriptors.py "${pid[$1]}"; }
measures() {
	local site
	for site in "${!pid[@]}"; do
		memory_of "$site" >"$world_dir/$site/memory"
		descriptors_of "$site" >"$world_dir/$site/descriptors"
	done
}

job_is_over() { [ ! -e "$world_dir/$1.pid" ] || has_ended "$(cat "$world_dir/$1.pid")"; }
jobs_end() {
	local job
	for job in expels invites; do world_wait "$heals" job_is_over "$job" || odd "$job: it does not come to an end"; done
	looks_after
	[ -z "${pid[$guest]:-}" ] || world_wait "$heals" is_member "$guest" || odd "$guest: does not come in"
	[ -z "${pid[$guest]:-}" ] || is_followed "$guest"
}
is_member() { knows_without_words "$1" "d['state'] == 'member'"; }

# Claims.

claim() {
	local start=$SECONDS
	check "$@"
	[ $((SECONDS - start)) -lt 5 ] || echo "# took $((SECONDS - start)) s"
}

has_stood_up() { [ "$status" -eq 0 ] || { cat "$world_dir/words"; return 1; }; }
were_direct() { world_pause=0.5 world_wait 30 none_apart "${spokes[@]}" || { pairs_apart "${spokes[@]}"; return 1; }; }

nothing_odd() { [ ! -s "$world_dir/odd" ] || { cat "$world_dir/odd"; return 1; }; }
all_are_up() {
	local site
	for site in hub "${stay[@]}" "$gone"; do
		if [ -z "${pid[$site]:-}" ] || has_ended "${pid[$site]}"; then echo "$site: no agent runs"; return 1; fi
	done
}
say_nothing_bad() { ! grep -HnE 'Assertion|assert|Sanitizer|runtime error|core dumped|Segmentation' "$world_dir"/*/home/run/agent.log; }

names() { printf "'%s', " hub "${stay[@]}"; }
all_are_members() {
	local site
	for site in hub "${stay[@]}"; do
		world_wait "$heals" knows_without_words "$site" "set(s) == {$(names)} and d['troubles'] == []" ||
			{ echo "$site:"; knows "$site" "set(s) == {$(names)} and d['troubles'] == []"; return 1; }
	done
}
reaches_inside() { world_wait 10 reaches "$1" "$(inside "$2")" || { echo "$1 gets no answer from $2"; return 1; }; }
all_reach_all() { each_pair reaches_inside -- hub "${stay[@]}"; }

# Who failed rests, longer each time, unless somebody asks for it; one pair after the other, as a port that is foretold
# can be taken by another attempt.
all_are_direct() {
	local a b
	world_pause=0.5 world_wait $((20 + patience)) none_apart "${stay[@]}" && return
	while read -r a b; do
		says_rest "$a" "$b" && at "$a" link "$b" >/dev/null || return
		echo "$a-$b" >>"$world_dir/asked"
		world_wait 10 none_apart "$a" "$b"
	done < <(pairs_apart "${stay[@]}")
	world_pause=1 world_wait 45 none_apart "${stay[@]}" && return
	while read -r a b; do
		echo "$a and $b (${type[$a]}, ${type[$b]}):"
		at "$a" why "$b"
		at "$b" why "$a"
	done < <(pairs_apart "${stay[@]}")
	return 1
}
says_rest() {
	knows_without_words "$1" "s['$2']['link']['state'] in ('direct', 'hub', 'meeting') or s['$2']['link']['state'] == 'waiting' and s['$2']['link']['next_attempt_s'] is not None" ||
		{ at "$1" why "$2"; return 1; }
}

nobody_came_back() { ! grep -E 'again|still a peer' "$world_dir/violations"; }
no_dead_route() { ! grep -E 'over a link' "$world_dir/violations"; }
# Each time the agent's words, its routes and its peers, several times a minute where it runs.
has_watched() {
	local site judged
	if grep 'not looked at' "$world_dir/violations"; then return 1; fi
	for site in hub "${stay[@]}"; do
		judged=$(sed -n "s/^$site //p" "$world_dir/judged")
		[ "${judged:-0}" -gt $((seconds / 10)) ] || { echo "$site was looked at ${judged:-0} times"; return 1; }
	done
	awk '$3 > 0 && $4 == 0 { print $1 " never had an answer from " $2; bad = 1 } { n += $4 } END { exit bad || !n }' "$world_dir/answers"
}
# Nobody lets it in, whatever it believes itself.
is_shut_out() {
	local site
	for site in hub "${stay[@]}"; do
		# Its network may be that of the guest by now.
		[ "$(inside "$gone")" != "$(inside "$site")" ] || continue
		if reaches "$gone" "$(inside "$site")" 0.2; then echo "$gone gets an answer from $site"; return 1; fi
		[ "$(inside "$gone")" != "$(inside "$guest")" ] || continue
		if reaches "$site" "$(inside "$gone")" 0.2; then echo "$site gets an answer from $gone"; return 1; fi
	done
}

is_as_demanded() {
	local site invites
	for site in hub "${stay[@]}"; do
		at "$site" status --json >"$world_dir/$site/status.json" && site_run "$site" wg show all dump >"$world_dir/$site/peers" &&
			{ site_run "$site" ip -4 route show table all proto 110; site_run "$site" ip -6 route show table all proto 110; } >"$world_dir/$site/routes" || return
	done
	# Whoever was expelled does not come by its own any more.
	invites=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["limits"]["invites"]["used"] - 1)' "$world_dir/hub/status.json")
	tests/lab/chaos/demanded.py "$world_dir" "$invites" hub "${stay[@]}" >"$world_dir/demanded" 2>&1
}
demanded_soon() { world_pause=0.5 world_wait 20 is_as_demanded || { cat "$world_dir/demanded"; return 1; }; }

no_more_descriptors() {
	local site was is
	for site in hub "${stay[@]}"; do
		was=$(before "$site" descriptors) is=$(descriptors_of "$site")
		# What looks for traffic (agent/sight.c) is opened once, when a link first needs it, and kept.
		grep -qx 'packet 0003' <<<"$was" || was+=$'\npacket 0003'
		[ "$(wc -l <<<"$is")" -le "$(wc -l <<<"$was")" ] || { echo "$site:" && diff <(echo "$was") <(echo "$is"); return 1; }
	done
}
descriptors_soon() { world_pause=0.5 world_wait 30 no_more_descriptors >/dev/null || no_more_descriptors; }
# Who came in late is compared with a spoke that was there.
before() { cat "$world_dir/$1/$2" 2>/dev/null || cat "$world_dir/${spokes[0]}/$2"; }
memory_is_bounded() {
	local site was is bad=0
	for site in hub "${stay[@]}"; do
		was=$(before "$site" memory) is=$(memory_of "$site")
		echo "$site: $was KiB before, $is KiB after"
		[ "$is" -le $((was + grows_kib)) ] || bad=1
	done
	return $bad
}

world_begin
reads_plan
[ "${#plan[@]}" -gt 0 ] || world_fail 'there is no plan'
world_public hub 198.51.100.1
line[hub]=hub
number=2
for site in "${spokes[@]}" "$guest"; do
	world_stands "$site" "${type[$site]}" "$number"
	line[$site]=$site
	[ "${type[$site]}" != cgnat ] || line[$site]=isp$number
	number=$((number + 1))
done
settle hub "${spokes[@]}" "$guest"
for site in hub "${spokes[@]}" "$guest"; do
	site_run "$site" mount -t tmpfs -o "size=4m,mode=700,uid=$world_user,gid=$world_user" state "$world_dir/$site/state" || world_fail 'no small disk'
	install -d -o "$world_user" -g "$world_user" -m 750 "$world_dir/$site/home/run"
done
if [ "$lane" = kernel ]; then
	for site in "${line[@]}"; do
		world_delay "$site" "$ms" || { echo 'needs netem'; exit 77; }
	done
fi
watches_for_clear
stay=()
for site in "${spokes[@]}" "$guest"; do [ "$site" = "$gone" ] || stay+=("$site"); done

printf '# again: IMPLEMENTATION=%s CHAOS_SEED=%s CHAOS_SECONDS=%s CHAOS_PATIENCE=%s CHAOS_BUILD=%s tests/lab/chaos/run.sh\n' \
	"${IMPLEMENTATION:-userspace}" "$CHAOS_SEED" "$seconds" "$patience" "$build"
began=$SECONDS
status=0
stands_up >"$world_dir/words" 2>&1 || status=$?
claim "seed $CHAOS_SEED: a hub and ${#spokes[@]} members" has_stood_up
[ "$status" -eq 0 ] || { finish; exit 1; }
for site in hub "${spokes[@]}"; do is_followed "$site" || world_fail "$site has no address"; done
: >"$world_dir/violations"
python3 tests/lab/chaos/watch.py "$world_dir" "$world" >"$world_dir/inet/watch.log" 2>&1 &
watch=$!
claim "those who can meet are direct" were_direct
measures
stood=$((SECONDS - began))
happens
log healed
jobs_end
[ -z "${CHAOS_SPOILS:-}" ] || eval "$CHAOS_SPOILS"
healed=$SECONDS
claim "$faults faults begin and end, and no agent ends but by them" nothing_odd
claim "everybody who was let in is a member everywhere, and nobody who was expelled; nobody is in trouble" all_are_members
claim "everybody reaches everybody" all_reach_all
claim "all know the same" alike hub "${stay[@]}"
claim "those who can meet are direct again" all_are_direct
claim "peers and routes are those that members and links demand" demanded_soon
claim "who was expelled is shut out" is_shut_out
kill "$watch"
wait "$watch"
looks_after
claim "at no time did a route lead over a link that was dead, or that its agent did not know" no_dead_route
claim "and at no time was somebody back who had been expelled" nobody_came_back
claim "all that was looked at all the time" has_watched
claim "no agent has more descriptors than before" descriptors_soon
case $build in
*-san) ;;
*) claim "nor much more memory" memory_is_bounded ;;
esac
claim "nothing has left in clear" none_in_clear
claim "all agents run, to the end" all_are_up
claim "and have begun and ended as they were told" nothing_odd
claim "none of them says that something is wrong with itself" say_nothing_bad
printf '# | chaos, seed %s: %d faults in %d s; %d s before, %d s after; asked to meet again: %s\n' "$CHAOS_SEED" "$faults" "$seconds" "$stood" \
	$((SECONDS - healed)) "$(paste -sd, "$world_dir/asked" 2>/dev/null)"
finish
