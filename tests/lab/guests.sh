# guests.sh - a small world with bad guests in it: sourced behind collective.sh and links.sh, never run.
# shellcheck shell=bash disable=SC2154 # of what is sourced
#
#   takes_down NAME PREFIX SITE...      every UDP datagram that comes in by the interfaces of these sites with that prefix; what
#                                       never arrived would be taken when it comes, by whoever's hand
#   taken_down NAME                     no more of it; $world_dir/NAME has it all
#   guest SITE PROGRAM WORD...          one of tests/lab/guests/ runs there, as root; it does not send faster than $hosts take
#   watches_answers ADDRESS             counts what comes to an address of inet's from anybody
#   answers                             so much did, without what the kernel says of a TCP port that nobody listens at
#   measures SITE...                    what their agents hold: memory, descriptors, places in tables
#   have_not_grown SITE...              is not more than it was
#   are_the_same SITE...                and they are the agents that ran when it was measured; none has said that something is
#                                       wrong with itself
#   processor_of PID...                 what they have used of one so far, in ms
#   says WORDS                          among what shows shows

says() { echo "$*" | tee -a "$world_dir/shown"; }

hosts=()
grows_kib=1024 # an agent, from before to after

takes_down() {
	local site dir
	for site in "${@:3}"; do
		dir=$world_dir/$site/taken-$1
		mkdir "$dir" && site_spawn "$site" "taken-$1" python3 "$SOURCE/tests/lab/guests/packets.py" "$dir" "$2" || return
		echo "$site_pid" >"$dir/pid"
		world_wait 20 test -e "$dir/running" || { echo "nothing is taken down at $site"; cat "$world_dir/$site/taken-$1.log"; return 1; }
	done
}
taken_down() {
	local dir
	for dir in "$world_dir"/*/"taken-$1"; do
		kill "$(cat "$dir/pid")" && world_wait 10 has_ended "$(cat "$dir/pid")" && cat "$dir/datagrams" >>"$world_dir/$1" || return
	done
}

guest() {
	local site=$1 holders='' host
	for host in "${hosts[@]}"; do holders+=" $(cat "$world_dir/$host/holder")"; done
	site_run "$site" env "HOLDERS=$holders" python3 "$SOURCE/tests/lab/guests/$2" "${@:3}"
}

watches_answers() {
	site_run inet nft -f - <<-NFT
		table ip guest {
			chain pre {
				type filter hook prerouting priority -300
				ip daddr $1 tcp flags & rst == rst accept
				ip daddr $1 counter
			}
		}
	NFT
}
answers() { site_run inet nft list table ip guest | sed -n 's/.*counter packets \([0-9]*\).*/\1/p'; }

memory_of() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$1/status"; }
# What looks for traffic (agent/sight.c) is opened once, when a link first needs it, and kept.
descriptors_of() { tests/lab/chaos/descriptors.py "$1" | grep -vx 'packet 0003'; }
tables_of() {
	at "$1" status --json | python3 -c 'import json, sys
limits = {name: limit["used"] for name, limit in json.load(sys.stdin)["limits"].items()}
# Each other member may have one, and has it when it asks.
limits["reflection_sessions"] = max(limits["reflection_sessions"], limits["members"] - 1)
for name, used in limits.items():
    if name != "facts_bytes": print(name, used)'
}
measures() {
	local site id
	for site in "$@"; do
		id=$(agent_pid "$site") && echo "$id" >"$world_dir/$site/id" && memory_of "$id" >"$world_dir/$site/memory" &&
			descriptors_of "$id" >"$world_dir/$site/descriptors" && tables_of "$site" >"$world_dir/$site/tables" || return
	done
}

# Each table and the count of descriptors.
holds_no_more() {
	local id is
	id=$(cat "$world_dir/$1/id") is=$(tables_of "$1") || return
	awk 'NR == FNR { was[$1] = $2; next } $2 > was[$1] { print $1 ": " was[$1] " before, " $2 " after"; bad = 1 } END { exit bad }' \
		"$world_dir/$1/tables" - <<<"$is" || return
	is=$(descriptors_of "$id")
	[ "$(wc -l <<<"$is")" -le "$(wc -l <"$world_dir/$1/descriptors")" ] || { diff "$world_dir/$1/descriptors" - <<<"$is"; return 1; }
}
has_not_grown() {
	local was is
	was=$(cat "$world_dir/$1/memory") is=$(memory_of "$(cat "$world_dir/$1/id")")
	echo "$1: $was KiB before, $is KiB after"
	[ "$is" -le $((was + grows_kib)) ] || return
	world_pause=0.2 world_wait 10 holds_no_more "$1" >/dev/null || holds_no_more "$1"
}
# All at once, as each may wait for whoever does not answer it.
have_not_grown() {
	local site ids=() id bad=0
	for site in "$@"; do
		has_not_grown "$site" &
		ids+=($!)
	done
	for id in "${ids[@]}"; do wait "$id" || bad=1; done
	return $bad
}
are_the_same() {
	local site
	for site in "$@"; do
		if [ "$(agent_pid "$site")" != "$(cat "$world_dir/$site/id")" ] || has_ended "$(cat "$world_dir/$site/id")"; then echo "$site: another agent"; return 1; fi
	done
	! grep -HnE 'Assertion|assert|Sanitizer|runtime error|core dumped|Segmentation' "$world_dir"/*/home/run/agent.log
}

processor_of() {
	local id total=0 words
	for id in "$@"; do
		words=$(sed 's/.*) //' "/proc/$id/stat") || return
		# shellcheck disable=SC2086 # one word each
		set -- $words
		total=$((total + ${12} + ${13}))
	done
	echo $((total * 1000 / $(getconf CLK_TCK)))
}
