#!/bin/bash
# claims.sh - inside the virtual machine, when systemd has started everything else: installs the package and looks at what
# becomes of it. Which boot it is, /run/out/boot says. What it prints goes to /run/out/tap, its exit status to
# /run/out/status; then the machine goes off.
#
# The collective is the unit's site here, "home", and "other" in a network namespace, with an agent of its own.
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
exec >/run/out/tap 2>&1 </dev/null
# shellcheck source=tests/tap.sh
. /run/out/tap.sh

unit=collective.service
exposure_most=25                # in tenths; 24 were measured
capabilities=0000000000003000   # NET_ADMIN and NET_RAW
work=/var/lib/claims            # which the second boot finds again
theirs=/srv/other
deb=$work/collective.deb

is() { [ "$1" = "$2" ] || { printf '%s, not %s\n' "$1" "$2"; return 1; }; }
same() { diff <(printf '%s\n' "$1") <(printf '%s\n' "$2"); }

# await SECONDS COMMAND... - until it succeeds.
await() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || { "$@"; return; }
		sleep 0.2
	done
}

by_apt() { apt-get -qq -o Dpkg::Use-Pty=0 --no-install-recommends "$@"; }
show() { systemctl show -P "$1" "$unit"; }
agent() { show MainPID; }

processes() { cat /proc/[0-9]*/comm 2>/dev/null | grep -x collective; }
on_the_network() {
	local family
	ip -o link show | grep collective
	for family in -4 -6; do
		ip "$family" rule | grep -v 'lookup \(local\|main\|default\)'
		ip "$family" route show table all proto 110
	done
}
nothing_runs() { ! processes && ! on_the_network | grep .; }
keys() { (cd /var/lib/collective && sha256sum ./*.key); }
site() {
	collective status --json | python3 -c 'import json, sys
d = json.load(sys.stdin)
print(d["state"], d["collective"]["id"], d["site"]["name"], d["site"]["id"])'
}

# The tunnel: the interface itself, and of its peers what does not only count.
tunnel() {
	cat /sys/class/net/collective0/ifindex
	wg show collective0 dump | awk 'NR == 1 { print $2, $3; next } { print $1, $4 }'
}

# Installing.

nothing_is_there() { [ ! -e /usr/sbin/collective ] && is "$(show LoadState)" not-found && nothing_runs; }
installs() { by_apt install "$deb"; }
# A unit that was started once since this boot has an identifier.
nothing_was_started() {
	is "$(show LoadState) $(show ActiveState) $(show UnitFileState) $(show InvocationID)" 'loaded inactive disabled ' &&
		nothing_runs
}

# The service.

is_active() { is "$(show Type) $(show ActiveState) $(show SubState)" 'notify active running'; }
founds() {
	collective init --name home --endpoint 198.51.100.1 && is_active && is "$(show UnitFileState)" enabled && is "$(processes | wc -l)" 1 &&
		[[ $(site) == 'member '*' home '* ]]
}
is_the_users() {
	is "$(stat -c '%U:%G' "/proc/$(agent)")" collective:collective &&
		is "$(sed -n 's/^Groups:\t*//p' "/proc/$(agent)/status" | xargs)" "$(id -g collective)" &&
		! find /var/lib/collective \( ! -user collective -o -perm /077 \) -printf '%M %u %p\n' | grep .
}
has_two_capabilities() {
	sed -n 's/^Cap\(Inh\|Prm\|Eff\|Bnd\|Amb\):\t//p' "/proc/$(agent)/status" >"$work/capabilities"
	is "$(sort "$work/capabilities" | uniq -c | xargs)" "5 $capabilities"
}
gains_nothing() { is "$(sed -n 's/^\(NoNewPrivs\|Seccomp\):\t//p' "/proc/$(agent)/status" | xargs)" '1 2'; }
in_its_place() { nsenter -t "$(agent)" -m "$@"; }
writes_its_own_places_only() {
	local place
	# As root would; in /run it is its user that may not.
	for place in /etc /usr /var/lib /root /home; do
		! in_its_place touch "$place/claims" 2>/dev/null || { echo "$place can be written"; return 1; }
	done
	for place in /var/lib/collective /run/collective /tmp; do
		in_its_place touch "$place/claims" && in_its_place rm "$place/claims" || return
	done
	echo secret >/tmp/claims && ! in_its_place test -e /tmp/claims
}
is_not_exposed() {
	systemd-analyze --no-pager security --threshold="$exposure_most" "$unit" >"$work/exposure" 2>&1 && return
	tail -n 1 "$work/exposure"
	return 1
}

make_people() { useradd -G collective friend && useradd stranger; }
answers() { runuser -u "$1" -- collective status; }
answers_whom_it_may() { make_people && answers root | grep home && answers friend | grep home; }
answers_nobody_else() {
	if answers stranger >"$work/words" 2>&1; then cat "$work/words"; return 1; fi
	grep -F 'only root and the group "collective" may ask the agent' "$work/words"
}

# The other site.

make_line() {
	ip link add wan type veth peer name far && ip address add 198.51.100.1/24 dev wan && ip link set wan up || return
	ip netns add other && ip link set far netns other && ip -n other address add 198.51.100.2/24 dev far &&
		ip -n other link set lo up && ip -n other link set far up || return
	# As if the world lay behind: who joins comes from an address for which there is no other way back.
	ip route add default via 198.51.100.2 && ip -n other route add default via 198.51.100.1
}
at_other() {
	ip netns exec other setpriv --reuid=collective --regid=collective --clear-groups --inh-caps=-all,+net_admin,+net_raw \
		--ambient-caps=-all,+net_admin,+net_raw env COLLECTIVE_STATE="$theirs/state" COLLECTIVE_RUN="$theirs/run" collective "$@"
}
joins() {
	install -d -o collective -g collective "$theirs" && install -d -m 700 -o collective -g collective "$theirs/state" &&
		collective invite other >"$work/invite" 2>"$work/words" && at_other join - <"$work/invite" && return
	tail -n 20 "$theirs/run/agent.log"
	return 1
}
reaches() { ping -q -n -c 1 -W 1 10.100.1.1 >/dev/null; }
# The peer of the invite itself stays for seven days.
meets() { joins && await 30 reaches && is "$(wg show collective0 peers | wc -l)" 2; }

# Traffic goes on: of five pings a second, no answer is missing between the first and one that came after it was done.

answered() { sed -n 's/.*icmp_seq=\([0-9]*\) .*time=.*/\1/p' "$work/pings"; }
answered_more() { [ "$(answered | wc -l)" -gt "$1" ]; }
without_a_gap() { is "$(answered | sort -nu | wc -l)" "$(answered | sort -n | tail -n 1)"; }

# under_traffic COMMAND...
under_traffic() {
	local pings status=0
	ping -n -i 0.2 10.100.1.1 >"$work/pings" &
	pings=$!
	await 10 answered_more 0
	tunnel >"$work/tunnel"
	"$@" || status=$?
	await 20 answered_more $(($(answered | wc -l) + 2)) || status=1
	kill -INT "$pings"
	wait "$pings"
	without_a_gap && same "$(cat "$work/tunnel")" "$(tunnel)" && return "$status"
}

another_runs() { [ "$(agent)" != 0 ] && [ "$(agent)" != "$1" ] && is_active >/dev/null && answers root; }
runs_what_is_installed() { [ "/proc/$(agent)/exe" -ef /usr/sbin/collective ]; }

restarts() {
	local old
	old=$(agent)
	systemctl restart "$unit" && another_runs "$old"
}
reinstalls() {
	local old
	old=$(agent)
	by_apt reinstall "$deb" && await 20 another_runs "$old" && runs_what_is_installed && is "$(show UnitFileState)" enabled
}
# ends_by SIGNAL SECONDS
ends_by() {
	local old restarts
	old=$(agent)
	restarts=$(show NRestarts)
	# 0 would be this very script.
	[ "$old" != 0 ] || { echo 'no agent runs'; return 1; }
	kill "-$1" "$old" && await "$2" another_runs "$old" && is "$(show NRestarts)" $((restarts + 1))
}
is_killed() { ends_by KILL 20; }
stands_still() { ends_by STOP 90 && journalctl -q -u "$unit" | grep -i watchdog; }

goes_down() {
	collective down && nothing_runs_here && is "$(show ActiveState) $(show UnitFileState)" 'inactive disabled'
}
# The other's agent runs on.
nothing_runs_here() { is "$(processes | wc -l)" 1 && ! on_the_network | grep .; }
comes_up() { collective up && is_active && is "$(show UnitFileState)" enabled && await 30 reaches; }

remember() { site >"$work/site" && keys >"$work/keys" && tunnel | tail -n +2 >"$work/peers" && [ -s "$work/peers" ]; }

# The second boot.

started_by_itself() {
	is_active && is "$(processes | wc -l)" 1 && is "$(stat -c %U "/proc/$(agent)")" collective &&
		[ "$(show ActiveEnterTimestampMonotonic)" -lt "$(systemctl show -P ActiveEnterTimestampMonotonic multi-user.target)" ]
}
is_as_before() {
	same "$(cat "$work/site")" "$(site)" && same "$(cat "$work/keys")" "$(keys)" && same "$(cat "$work/peers")" "$(tunnel | tail -n +2)"
}
removes() { by_apt remove collective && nothing_runs && [ ! -e /usr/sbin/collective ]; }
nothing_is_enabled() { is "$(show LoadState) $(show ActiveState)" 'not-found inactive' && ! find /etc/systemd -name '*collective*' | grep .; }
state_stays() { same "$(cat "$work/keys")" "$(keys)"; }
purges() {
	local place
	by_apt purge collective || return
	for place in /var/lib/collective /etc/collective /run/collective; do
		[ ! -e "$place" ] || { ls -lA "$place"; return 1; }
	done
}

first_boot() {
	mkdir -p "$work" && cp /run/out/collective.deb "$deb"
	check "nothing of it is there before" nothing_is_there
	check "a line to another site can be made" make_line
	check "it is installed" installs
	check "nothing was started or enabled by that" nothing_was_started
	check "init starts the unit, which says itself that it is ready" founds
	check "it runs as its own user, in no other group, and so does its state belong" is_the_users
	check "it has its two capabilities and can have no other" has_two_capabilities
	check "it cannot gain privileges, and its system calls are filtered" gains_nothing
	check "it can write its own places and no other" writes_its_own_places_only
	check "its exposure is $exposure_most tenths at most" is_not_exposed
	printf '# %s\n' "$(tail -n 1 "$work/exposure")"
	check "it answers root and a member of its group" answers_whom_it_may
	check "it answers nobody else" answers_nobody_else
	check "another site joins and is reached" meets
	check "restarted by systemctl, tunnel and traffic go on" under_traffic restarts
	check "reinstalled by apt, the installed program runs, and tunnel and traffic go on" under_traffic reinstalls
	check "killed, it is started again, and tunnel and traffic go on" under_traffic is_killed
	check "standing still, it is noticed and started again, and tunnel and traffic go on" under_traffic stands_still
	check "down leaves nothing, and it will not start again" goes_down
	check "up brings it back" comes_up
	check "the next boot has something to be compared with" remember
}

second_boot() {
	check "after a reboot it was started before anybody asked" started_by_itself
	check "after a reboot site, keys and peers are the same" is_as_before
	check "removed, it takes interfaces, routes, rules and processes away" removes
	check "removed, nothing of it is enabled or running" nothing_is_enabled
	check "removed, it leaves its keys" state_stays
	check "purged, it leaves no state" purges
}

ends() {
	local status=$?
	[ "$status" -eq 0 ] || journalctl --no-pager -q -b >/run/out/journal 2>&1
	echo "$status" >/run/out/status
	sync
	systemctl --no-block poweroff
}
trap ends EXIT
"$(cat /run/out/boot)_boot"
finish
