#!/bin/bash
# control.sh - other users of the same machine at the agent's socket: they look where they may, command nothing, and keep nobody
# else from being answered.
#
#   hub, bob    directly on inet; at the hub there are a user of the agent's group, and one of no group of ours
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

user=12345

begins() { links_begin bob; }
# as GROUP COMMAND... - the program is not to be reached through directories of root's.
as() { site_run hub setpriv "--reuid=$user" "--regid=$1" --clear-groups env PATH=/usr/bin:/bin "${@:2}"; }
client() { as "$world_user" python3 "$world_dir/client.py" "$1" "$world_dir/hub/home/run/control.sock" "${@:2}"; }
# keeps NAME WORD... - in the background; $world_dir/hub/NAME is there when it has connected.
keeps() {
	site_spawn hub "$1" setpriv "--reuid=$user" "--regid=$world_user" --clear-groups env PATH=/usr/bin:/bin python3 "$world_dir/client.py" \
		"$2" "$world_dir/hub/home/run/control.sock" "${@:3}" "$world_dir/guest/$1"
	echo "$site_pid" >"$world_dir/hub/$1.pid"
	world_wait 30 test -e "$world_dir/guest/$1" || { cat "$world_dir/hub/$1.log"; return 1; }
}
ends_keeping() {
	kill "$(cat "$world_dir/hub/$1.pid")" && world_wait 5 has_ended "$(cat "$world_dir/hub/$1.pid")" && kept=$(tail -n 1 "$world_dir/hub/$1.log")
}

is_kept_out() {
	local words
	words=$(as "$user" python3 "$world_dir/client.py" commands "$world_dir/hub/home/run/control.sock" 2>&1) && { echo "$words"; return 1; }
	grep -q PermissionError <<<"$words" || { echo "$words"; return 1; }
}
# Of the brain's commands (site/site.h) those by which nothing is changed: ping, netcheck, why.
may_look_only() {
	local refused through
	read -r refused through < <(client commands) && says "commands refused: $refused, let through: $through"
	[ "$refused" -ge 19 ] && [ "$through" = '13 18 21' ] || return
	knows hub "set(s) == {'home', 'bob'}" && as "$world_user" env "COLLECTIVE_RUN=$world_dir/hub/home/run" "$collective" status | grep bob
}
makes_noise() { client noise >"$world_dir/noise" && cat "$world_dir/noise" && grep -qE '^(0:[0-9]+ )?3:[0-9]+$' "$world_dir/noise"; }

answers_others() { measured "$1" 3000 at hub status; }
# Root and the agent's own user have places that the group cannot take.
are_many() {
	keeps many many 1000 && answers_others 'the owner is answered while a thousand are connected' || return
	if as "$world_user" env "COLLECTIVE_RUN=$world_dir/hub/home/run" "$collective" status >"$world_dir/words" 2>&1; then cat "$world_dir/words"; return 1; fi
	ends_keeping many && grep -F 'too many ask it at once' "$world_dir/words" && says_figure 'of these the agent has kept' "$kept" 16 '' && [ "$kept" -gt 0 ]
}
are_deaf() { keeps deaf deaf 200 && answers_others 'the owner is answered while nobody reads' && ends_keeping deaf; }
# Once those before have left.
is_slow() {
	world_wait 10 holds_no_more hub >/dev/null || { holds_no_more hub; return 1; }
	client slow >"$world_dir/slow" 2>&1 || { cat "$world_dir/slow"; return 1; }
	[ "$(cat "$world_dir/slow")" -ge 9000 ] || { echo "it was let go after $(cat "$world_dir/slow") ms"; return 1; }
	says_figure 'a request of a byte a second is listened to for' "$(cat "$world_dir/slow")" 11500
}

world_begin
world_public hub 198.51.100.1
world_public bob 198.51.100.2
settle hub bob
install -m 644 tests/lab/guests/client.py "$world_dir/client.py"
install -d -m 700 -o "$user" "$world_dir/guest"
check "a hub and a member" begins
measures hub || world_fail 'nothing can be measured'
check "who is not of the group is not let to the socket" is_kept_out
check "who is may look, and every command is refused" may_look_only
check "noise, requests cut short, sizes that cannot be: refused in words, or with none" makes_noise
check "a thousand connections: few are kept, the owner is answered, and who is not is told why" are_many
check "so is it while others ask and never read" are_deaf
check "who speaks slowly is let go in time" is_slow
check "the agent has not grown" have_not_grown hub
check "and is the same" are_the_same hub
shows
finish
