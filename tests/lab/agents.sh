# agents.sh - a collective of agents in a small world: sourced behind world.sh, never run.
# shellcheck shell=bash disable=SC2154 # what is world.sh's
#
#   agents_prepare ENDPOINT MEMBERS SITE...  states and configurations; the words are those of prepare.c
#   agent_forget NAME MEMBER...              a member's state loses all facts of others; the agent does not run
#   agent_start NAME [VARIABLE=VALUE]...
#   agent_signal NAME SIGNAL                 and nothing else
#   agent_end NAME SIGNAL                    and waits until it has ended
#   agents_meet ADDRESS NAME...              until each of them gets an answer from there
#   agent_said NAME TEXT                     whether its log has a line with this text
#   agent_times NAME TEXT                    how many
#   agent_hears NAME                         its log begins anew
#   repaired NAME TEXT BREAK CHECK           another program does BREAK; within a second CHECK is true again, and
#                                            the agent said TEXT. Both are words for a shell in the site
#
# IMPLEMENTATION is "userspace" or "kernel". All that is remembered lies in files, so that cases may run in subshells.

: "${BUILD:?}"
implementation=${IMPLEMENTATION:-userspace}
# The kernel's may be one in a machine that is emulated: looking there takes its time, and takes it from all else.
repair_ms=1000 repair_pause=0.02
if [ "$implementation" = kernel ]; then
	# shellcheck disable=SC2034 # world.sh's
	world_pause=0.3
	repair_ms=3500 repair_pause=0.1
fi
agent_program=$BUILD/gcc/agent/collective

agents_prepare() {
	local site
	"$BUILD/gcc/tests/prepare" "$world_dir" "$@" || world_fail 'no states could be written'
	for site in "${@:3}"; do
		agent_configure "${site%%=*}" "implementation: $implementation"
	done
}

# agent_configure NAME LINE... - of the section about interfaces.
agent_configure() {
	chown -R "$world_user:$world_user" "$world_dir/$1/state"
	{ echo 'interfaces:' && printf '  %s\n' "${@:2}"; } >"$world_dir/$1/config.yaml"
}

agent_forget() {
	local site=$1
	shift
	python3 - "$world_dir/$site/state/state.db" "$@" <<-'PYTHON' || return
		import sqlite3, sys
		with sqlite3.connect(sys.argv[1]) as state:
		    for member in sys.argv[2:]:
		        state.execute("DELETE FROM fact WHERE instr(bytes, CAST(? AS BLOB)) > 0", (member,))
	PYTHON
	chown -R "$world_user:$world_user" "$world_dir/$site/state"
}

agent_start() {
	site_spawn "$1" agent "${as_unit[@]}" env "${@:2}" "$agent_program" agent --state "$world_dir/$1/state" --run "$world_dir/$1/state/run" \
		--config "$world_dir/$1/config.yaml"
	echo "$site_pid" >"$world_dir/$1/agent.pid"
	disown "$site_pid" # how it ends is not the shell's to tell
}

agent_pid() { cat "$world_dir/$1/agent.pid"; }

# What nobody has looked at since it died, is dead all the same.
agent_is_gone() {
	local state
	state=$(sed 's/.*) //; s/ .*//' "/proc/$(agent_pid "$1")/stat" 2>/dev/null)
	[ "${state:-Z}" = Z ]
}

agent_signal() { kill "-$2" "$(agent_pid "$1")"; }

agent_end() {
	agent_signal "$1" "$2" || return
	world_wait 10 agent_is_gone "$1" || { echo "the agent of $1 does not end"; return 1; }
}

agent_answered() { site_run "$1" ping -q -c 1 -W 1 "$2" >/dev/null 2>&1; }

# Before there are routes, a test would itself send in clear.
agent_goes_inside() { site_run "$1" ip route get "$2" 2>/dev/null | grep -q 'dev collective0 '; }

agents_meet() {
	local site
	for site in "${@:2}"; do
		world_wait 20 agent_goes_inside "$site" "$1" || { echo "$site has no way to $1"; return 1; }
		world_wait 20 agent_answered "$site" "$1" || { echo "$site gets no answer from $1"; return 1; }
	done
}

agent_said() { grep -qF -- "$2" "$world_dir/$1/agent.log"; }
agent_times() { grep -cF -- "$2" "$world_dir/$1/agent.log"; }
agent_hears() { : >"$world_dir/$1/agent.log"; }

agent_says() {
	world_wait "${3:-20}" agent_said "$1" "$2" && return
	echo "$1 does not say \"$2\", but:"
	tail -n 5 "$world_dir/$1/agent.log"
	return 1
}

agent_said_again() { [ "$(agent_times "$1" "$2")" -gt "$3" ]; }

# shellcheck disable=SC2016 # the inner shell's
agent_stopwatch='
eval "$1" || exit
start=${EPOCHREALTIME/[.,]/}
until eval "$2" >/dev/null 2>&1; do
	[ $((${EPOCHREALTIME/[.,]/} - start)) -lt 4000000 ] || exit
	sleep "$3"
done
echo $(((${EPOCHREALTIME/[.,]/} - start) / 1000))'

repaired() {
	local before took
	before=$(agent_times "$1" "$2")
	took=$(site_run "$1" bash -c "$agent_stopwatch" repaired "$3" "$4" "$repair_pause")
	echo "$1: $3: ${took:-never} ms"
	[ -n "$took" ] && [ "$took" -le "$repair_ms" ] || return
	world_wait 1 agent_said_again "$1" "$2" "$before" || { echo "without a word"; return 1; }
}

# same WANTED GIVEN - texts, line by line.
same() { diff <(printf '%s\n' "$1") <(printf '%s\n' "$2"); }

# What stands of a site's addresses, routes and rules, without what only counts time.
ground() {
	local family
	for family in -4 -6; do
		site_run "$1" ip "$family" -d address show
		site_run "$1" ip "$family" -d route show table all | sort
		site_run "$1" ip "$family" -d rule show
	done | grep -v fe80: | sed -E 's/expires [0-9]+sec//; s/valid_lft [0-9]+sec/valid_lft/; s/preferred_lft [0-9]+sec/preferred_lft/'
}

# What WireGuard was told at a site: all of its answer but what counts.
tunnels() {
	site_run "$1" wg show all dump | awk 'NF == 5 { print; next } { print $1, $2, $3, $4, $5, $9 }' | sort
}

# index NAME INTERFACE
index() { site_run "$1" cat "/sys/class/net/$2/ifindex"; }
