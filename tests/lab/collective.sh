# collective.sh - a collective that people founded, in a small world: sourced behind world.sh, never run.
# shellcheck shell=bash disable=SC2154 # what is world.sh's
#
#   settle SITE...                 directories of the unit's user
#   at SITE WORD...                a person there types a command; $collective is the program
#   lets_in NAME...                each is invited by the hub, and joins
#   knows SITE EXPRESSION          of its status, d, with sites by name, s, this is true
#   knows_without_words SITE EXPRESSION
#   reaches SITE ADDRESS [SECONDS] whether it gets an answer, within a second if nothing is said
#   alike SITE...                  their agents show the same sites, and keep the same facts, byte by byte
#   kept_at SITE                   those facts, a line each: kind, key, version, bytes
#   kills SITE                     its agent alone
#   loses_power SITE               whatever runs there ends, and what was not on disk is gone
#   measured WORDS MS COMMAND...   until the command succeeds; says how long it took, which is at most so long
#   pings FROM TO                  twenty a second, in the background; answers_since MOMENT FROM TO is the first one since
#   none_in_clear                  inet has met nothing that was meant for the inside
#   shows                          all that was measured
#
# MOMENT is what `moment` says: microseconds.

: "${BUILD:?}"
collective=$BUILD/gcc/agent/collective
supernet=10.100.0.0/16

settle() {
	local site
	for site in "$@"; do
		chmod 700 "$world_dir/$site/state"
		install -d -o "$world_user" "$world_dir/$site/home"
		ln -s home/run/agent.log "$world_dir/$site/agent.log"
	done
}

# places_of SITE - the environment in which its program finds its directories. That of the agent's socket it makes itself.
places_of() {
	printf '%s\n' "COLLECTIVE_STATE=$world_dir/$1/state" "COLLECTIVE_RUN=$world_dir/$1/home/run"
	[ ! -e "$world_dir/$1/config.yaml" ] || echo "COLLECTIVE_CONFIG=$world_dir/$1/config.yaml"
}

at() {
	local places
	mapfile -t places < <(places_of "$1")
	site_run "$1" "${as_unit[@]}" env "${places[@]}" "$collective" "${@:2}"
}

lets_in() {
	local site
	for site in "$@"; do
		at hub invite "$site" 2>"$world_dir/$site/invite.log" | at "$site" join - >"$world_dir/$site/join.log" 2>&1 ||
			{ cat "$world_dir/$site/invite.log" "$world_dir/$site/join.log"; return 1; }
	done
}

knows() {
	at "$1" status --json | python3 -c "import json, sys
d = json.load(sys.stdin); s = {s['name']: s for s in d['sites']}
sys.exit(0 if ($2) else json.dumps(d, indent=1))"
}

knows_without_words() { knows "$@" >/dev/null 2>&1; }

reaches() { site_run "$1" ping -q -n -c 1 -W "${3:-1}" "$2" >/dev/null 2>&1; }
misses() { ! reaches "$@"; }

# address_of SITE - inside.
address_of() { at "$1" status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["site"]["address"])'; }

# What it would begin with again. Of who is out, some still keep what it once said, and nobody is told.
kept_at() {
	# As the agent's user, who is to be able to write whatever SQLite makes beside it.
	site_run "$1" setpriv "--reuid=$world_user" "--regid=$world_user" --clear-groups env PATH=/usr/bin:/bin python3 - "$world_dir/$1/state/state.db" <<-'PYTHON'
		import hashlib, sqlite3, sys
		with sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True) as state:
		    facts = state.execute("SELECT kind, key, version, bytes FROM fact ORDER BY kind, key").fetchall()
		out = {key[:16] for kind, key, _, _ in facts if kind == 3}
		for kind, key, version, data in facts:
		    if kind not in (2, 5) or hashlib.blake2b(key[:32], digest_size=16).digest() not in out:
		        print(kind, key.hex(), version, data.hex())
	PYTHON
}

# That, and what it shows.
known_at() {
	at "$1" status --json | python3 -c 'import json, sys
for site in json.load(sys.stdin)["sites"]: print(site["name"], site["address"], *site["subnets"])' && kept_at "$1"
}

are_alike() {
	local site first
	first=$(known_at "$1") && [ -n "$first" ] || return
	for site in "${@:2}"; do
		diff <(printf '%s\n' "$first") <(known_at "$site") >"$world_dir/difference" || { sed -i "1i $1 and $site:" "$world_dir/difference"; return 1; }
	done
}

# What was lost on the way is found when summaries are compared: every ten seconds to a minute.
alike() { world_pause=0.2 world_wait 70 are_alike "$@" 2>"$world_dir/words" || { tail -n 3 "$world_dir/words"; cut -c 1-200 "$world_dir/difference"; return 1; }; }

agent_pid() { site_run "$1" cat "$world_dir/$1/state/lock"; }
has_ended() { ! kill -0 "$1" 2>/dev/null; }

# ends SITE SIGNAL - its agent.
ends() {
	local pid
	pid=$(agent_pid "$1") && kill "-$2" "$pid" && world_wait 10 has_ended "$pid"
}
kills() { ends "$1" KILL; }

# What runs in a site's namespaces and is ours: its agent, and WireGuard.
running_at() {
	local pid
	for pid in $(ip netns pids "$world-$1"); do
		case $(cat "/proc/$pid/comm" 2>/dev/null) in collective* | wireguard-go) echo "$pid" ;; esac
	done
}

loses_power() {
	local pids pid
	pids=$(running_at "$1")
	# shellcheck disable=SC2086 # one word each
	kill -KILL $pids || return
	for pid in $pids; do world_wait 5 has_ended "$pid" || return; done
	# shellcheck disable=SC2016 # the inner shell's
	site_run "$1" sh -c '
		for family in -4 -6; do
			while ip $family rule del pref 1010 2>/dev/null; do :; done
			ip $family route flush table all proto 110 2>/dev/null
		done
		ip link del collective0 2>/dev/null; ip link del collective1 2>/dev/null
		rm -f /run/wireguard/* "$1"/*.sock
		! ip -o link show | grep collective' sh "$world_dir/$1/home/run"
}

moment() { printf '%s\n' "${EPOCHREALTIME/[.,]/}"; }

# says_figure WORDS FIGURE MOST [UNIT] - milliseconds, where nothing else is said.
says_figure() {
	printf '%s: %s%s, at most %s\n' "$1" "$2" "${4- ms}" "$3" | tee -a "$world_dir/shown"
	[ "$2" -le "$3" ]
}

measured() {
	local words=$1 most=$2 start
	shift 2
	start=$(moment)
	world_wait $((most / 1000 + 1)) "$@" || { echo "$words: not within $most ms"; return 1; }
	says_figure "$words" $((($(moment) - start) / 1000)) "$most"
}

pings() {
	site_spawn "$1" "pings-$2" ping -n -D -i 0.05 "$2"
	echo "$site_pid" >"$world_dir/$1/pings-$2.pid"
}

end_pings() {
	local file
	for file in "$world_dir"/*/pings-*.pid; do kill "$(cat "$file")"; done
	rm -f "$world_dir"/*/pings-*.pid
}

# The moment of the first answer since then.
answer_since() {
	awk -v since="$1" -F '[][]' '/bytes from/ { at = $2; sub(/\./, "", at); if (at + 0 >= since + 0) { print at; exit } }' \
		"$world_dir/$2/pings-$3.log" | grep .
}

# answers_since MOMENT WORDS MS FROM TO
answers_since() {
	local at
	at=$(world_wait $(($3 / 1000 + 2)) answer_since "$1" "$4" "$5") || { echo "$4 got no answer from $5"; tail -n 3 "$world_dir/$4/pings-$5.log"; return 1; }
	says_figure "$2" $(((at - $1) / 1000)) "$3"
}

# Of what inet sees, nothing is addressed to the inside.
watches_for_clear() {
	site_run inet nft -f - <<-EOF
		table ip clear {
			chain pre { type filter hook prerouting priority -300; ip daddr $supernet counter
			}
		}
	EOF
}
seen_in_clear() { site_run inet nft list table ip clear | sed -n 's/.*counter packets \([0-9]*\).*/\1/p'; }
none_in_clear() { [ "$(seen_in_clear)" = 0 ] || { site_run inet nft list table ip clear; return 1; }; }

shows() { sed 's/^/# | /' "$world_dir/shown"; }
