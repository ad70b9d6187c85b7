# people.sh - what people type and read, on a site of the world: sourced behind world.sh, never run.
# shellcheck shell=bash disable=SC2034,SC2154 # what is the scripts', and world.sh's
#
# The script sets work=$world_dir/work and makes it, once the world stands; the hub's name is "hub".

: "${BUILD:?}"
collective=$BUILD/gcc/agent/collective
program="at" # what gives runs
path=PATH=/usr/sbin:/usr/bin:/sbin:/bin # that of somebody else than root

# at SITE WORD... - a person there types a command.
at() {
	site_run "$1" "${as_unit[@]}" env COLLECTIVE_STATE="$world_dir/$1/state" COLLECTIVE_RUN="$world_dir/$1/home/run" \
		"$collective" "${@:2}"
}

# seen_by USER GROUP SITE WORD... - another user of that machine does.
seen_by() {
	site_run "$3" setpriv "--reuid=$1" "--regid=$2" --clear-groups env "$path" COLLECTIVE_RUN="$world_dir/$3/home/run" "$collective" "${@:4}"
}

# invite NAME OPTION... - at the hub; the invite comes into a file of that name.
invite() { at hub invite "$@" >"$work/$1.invite" 2>"$work/$1.words" </dev/null; }
invite_of() { cat "$work/$1.invite"; }

# joins SITE NAME - takes that invite from standard input.
joins() { at "$1" join - <"$work/$2.invite" >"$work/out" 2>"$work/err" || { cat "$work/out" "$work/err"; return 1; }; }
refused() {
	if at "$1" join - <"$work/$2.invite" >"$work/out" 2>"$work/err"; then cat "$work/out"; return 1; fi
	said err "$3"
}

is() { [ "$1" = "$2" ] || { printf '%s, not %s\n' "$1" "$2"; return 1; }; }
said() { grep -qF -- "$2" "$work/$1" || { echo "not in $1: $2"; cat "$work/$1"; return 1; }; }
has_said() { grep -qF -- "$2" "$work/$1"; }

# knows SITE EXPRESSION - of its status, d, this is true.
knows() {
	at "$1" status --json | python3 -c "import json, sys
d = json.load(sys.stdin); s = {s['name']: s for s in d['sites']}
sys.exit(0 if ($2) else json.dumps(d, indent=1))"
}

reaches() { site_run "$1" ping -q -c 1 -W "${3:-5}" "$2" >/dev/null 2>&1; }
misses() { ! reaches "$1" "$2" "${3:-0.5}"; }
both_ways() { world_wait 10 reaches "$1" "$2" 1 && world_wait 10 reaches "$3" "$4" 1; }

agent_pid() { cat "$world_dir/$1/state/lock"; }
agent_has_ended() { ! kill -0 "$1" 2>/dev/null; }

keys_of() { (cd "$world_dir/$1/state" && sha256sum ./*.key); }

# What a machine has of ours: interfaces, rules, routes, sockets.
ours_at() {
	site_run "$1" ip link show | grep collective
	site_run "$1" ip rule | grep -v 'lookup \(local\|main\|default\)'
	site_run "$1" ip route show table all | grep -E 'collective|unreachable|10\.100\.'
	site_run "$1" ss -Hlun
}
nothing_of_ours() { ! ours_at "$1" | grep .; }


# people_prepare SITE... - their directories, once the world stands.
people_prepare() {
	local site
	for site in "$@"; do
		chmod 700 "$world_dir/$site/state"
		install -d -o "$world_user" "$world_dir/$site/home"
		ln -s home/run/agent.log "$world_dir/$site/agent.log"
	done
}
