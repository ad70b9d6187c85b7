# people.sh - what people type and read: sourced behind collective.sh, never run.
# shellcheck shell=bash disable=SC2034,SC2154 # what is the scripts', and of what is sourced
#
# The script sets work=$world_dir/work and makes it, once the world stands; the hub's name is "hub".

program="at" # what gives runs
path=PATH=/usr/sbin:/usr/bin:/sbin:/bin # that of somebody else than root

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

both_ways() { world_wait 10 reaches "$1" "$2" && world_wait 10 reaches "$3" "$4"; }

keys_of() { (cd "$world_dir/$1/state" && sha256sum ./*.key); }

# What a machine has of ours: interfaces, rules, routes, sockets.
ours_at() {
	site_run "$1" ip link show | grep collective
	site_run "$1" ip rule | grep -v 'lookup \(local\|main\|default\)'
	site_run "$1" ip route show table all | grep -E 'collective|unreachable|10\.100\.'
	site_run "$1" ss -Hlun
}
nothing_of_ours() { ! ours_at "$1" | grep .; }
