#!/bin/bash
# test_begin.sh - how a site begins, what may stand in its way, and how its keys are kept.
#
#   hub    directly on inet; begins without an agent
#   ann    directly on inet; saves her invite first
#   bob    directly on inet; has one obstacle after the other
#   twin   an empty machine, for what was saved elsewhere
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/collective.sh
. tests/lab/collective.sh
# shellcheck source=tests/lab/people.sh
. tests/lab/people.sh

hub=198.51.100.1
sites=(hub ann bob twin)

# As root, as people are with sudo; the state is the agent's user's.
at_as_root() {
	local places
	mapfile -t places < <(places_of "$1")
	site_run "$1" env "${places[@]}" COLLECTIVE_CONFIG="$world_dir/$1/config.yaml" "$collective" "${@:2}"
}

founds_without_an_agent() {
	echo 'site: {name: castle}' >"$world_dir/hub/config.yaml"
	at_as_root hub init --no-start --endpoint "$hub" >"$work/out" 2>"$work/err" || { cat "$work/err"; return 1; }
	said out 'this site is castle, 10.100.0.0/24' && said out 'collective up' && nothing_of_ours hub &&
		is 0 "$(find "$world_dir/hub/state" ! -uid "$world_user" | wc -l)" && gives 1 '' 'no agent runs here' -- hub status
}

# What was written without an agent is what its agent begins with.
goes_on_with_an_agent() {
	gives 0 'the agent runs' -- hub up && knows hub "d['state'] == 'member' and d['site']['name'] == 'castle'" &&
		is 1 "$(at hub events | grep -c 'founded')" && is 1 "$(at hub events | grep -c 'started')"
}

is_not_founded_twice() { gives 1 '' 'belongs to a collective already' -- hub init --no-start --name other; }

# The picture has the very modules that another program draws.
is_drawn() {
	at hub invite ann --qr >"$work/ann.invite" 2>"$work/ann.words" || return
	is 1 "$(wc -l <"$work/ann.invite")" && said ann.words 'within 24 h' || return
	qrencode -8 -l L -m 4 -t ASCII "$(invite_of ann)" >"$work/theirs" || return
	python3 - "$work/ann.words" >"$work/ours" <<-'PYTHON'
		import re, sys
		for line in open(sys.argv[1], encoding="utf-8"):
		    if "\033[30;107m" not in line:
		        continue
		    cells = re.sub("\033\\[[0-9;]*m", "", line.rstrip("\n"))
		    for half in ("▀█", "▄█"):
		        print("".join("##" if cell in half else "  " for cell in cells))
	PYTHON
	# A picture of an odd height has one light row more.
	head -n "$(wc -l <"$work/theirs")" "$work/ours" | diff -q - "$work/theirs"
}

saves_the_invite() {
	at_as_root ann join --no-start - <"$work/ann.invite" >"$work/out" 2>"$work/err" || { cat "$work/err"; return 1; }
	said out '"collective up" joins' && nothing_of_ours ann && is 0 "$(find "$world_dir/ann/state" ! -uid "$world_user" | wc -l)" &&
		knows hub "'ann' not in s"
}

joins_later() {
	gives 0 'the agent runs' -- ann up && world_wait 10 knows ann "d['state'] == 'member' and 'castle' in s" >/dev/null && world_wait 10 reaches ann 10.100.0.1 1
}

# Obstacles.

# meets WORDS - bob joins and is told.
meets() {
	if at bob join - <"$work/bob.invite" >"$work/out" 2>"$work/err"; then cat "$work/out"; return 1; fi
	said err "$1"
}

overlaps() {
	invite bob && site_run bob ip link add name other type veth peer name another && site_run bob ip address add 10.100.77.1/24 dev other && site_run bob ip link set other up || return
	meets "this machine's 10.100.77.0/24 overlaps the collective's 10.100.0.0/16" && gives 0 'belongs to no collective' -- bob status
}
overlaps_at_init() { gives 1 '' 'choose another one with --supernet' -- bob init --name bob; }
is_fine_elsewhere() {
	site_run bob ip link del other && gives 0 down -- bob down
}

# Neither the kernel's nor another: in its place stands nothing that runs.
lacks_wireguard() {
	site_run bob mount --bind /dev/null "$(command -v wireguard-go)" || return
	at bob join - <"$work/bob.invite" >"$work/out" 2>"$work/err" &
	echo $! >"$work/bob.pid"
	world_wait 5 says_that_there_is_none || { cat "$work/err"; return 1; }
	gives 0 'apt install wireguard-go' -- bob status
}
says_that_there_is_none() { at bob status 2>/dev/null | grep -q 'there is no WireGuard here'; }

gives_up() {
	gives 0 'left' -- bob leave && gives 0 'belongs to no collective' -- bob status && is 0 "$(find "$world_dir/bob/state" -name '*.key' | wc -l)" || return
	tail --pid="$(cat "$work/bob.pid")" -f /dev/null
	nothing_of_ours bob && gives 0 down -- bob down && site_run bob umount "$(command -v wireguard-go)"
}

# A clock that is two hours slow.
is_told_of_the_clock() {
	echo 'site: {lan: [192.168.9.0/24]}' >"$world_dir/bob/config.yaml"
	COLLECTIVE_CLOCK_OFFSET_MS=-7200000 COLLECTIVE_CONFIG=$world_dir/bob/config.yaml collective=$BUILD/gcc/tests/collective-lab joins bob bob || return
	said out 'joined castle as bob, 10.100.' && grep -qE 'hub answers in [0-9.]+ (µs|ms)' "$work/out" && gives 0 'clock is off by' -- bob events
}

# What the configuration offers waits for an admin, who hears of it.
offers_its_network() {
	world_wait 10 says_what_waits && world_wait 10 hub_hears_of_it && gives 0 approved -- hub approve bob && world_wait 40 knows ann "'192.168.9.0/24' in s['bob']['subnets']" >/dev/null &&
		gives 1 '' 'under site.lan' -- bob route remove 192.168.9.0/24
}
says_what_waits() { at bob status | grep -qF '192.168.9.0/24 is offered, and not granted yet'; }
hub_hears_of_it() { at hub events | grep -qF 'bob asks for other networks'; }

# He forwards nothing for who is there, which the doctor notices.
is_no_gateway() {
	site_run bob ip link add home type veth peer name home-end && site_run bob ip address add 192.168.9.1/24 dev home && site_run bob ip link set home up || return
	gives 0 'sysctl -w net.ipv4.conf.home.forwarding=1' -- bob doctor && site_run bob sysctl -qw net.ipv4.conf.home.forwarding=1 &&
		! at bob doctor | grep -F 'conf.home.forwarding'
}

# A hub that forwards nothing says so, and that it does again.
says_that_it_drops() {
	site_run hub nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }' &&
		gives 0 'spokes cannot reach each other' -- hub status && said out 'iptables -I FORWARD -i collective0 -j ACCEPT' &&
		site_run hub nft 'insert rule ip filter FORWARD iifname "collective0" accept' && gives 0 castle -- hub status && ! has_said out 'cannot reach each other'
}

# Keys.

secret='correct horse battery staple'

# The agent runs all the while, and the copy is the same site.
is_backed_up() {
	echo "$secret" >"$work/passphrase"
	at_as_root hub backup --passphrase-file "$work/passphrase" "$work/hub.backup" >"$work/out" 2>"$work/err" || { cat "$work/err"; return 1; }
	reaches ann 10.100.0.1 1 || return
	at_as_root twin restore --passphrase-file "$work/passphrase" "$work/hub.backup" >"$work/out" 2>&1 || { cat "$work/out"; return 1; }
	is "$(keys_of hub)" "$(keys_of twin)" && is 0 "$(find "$world_dir/twin/state" ! -uid "$world_user" | wc -l)"
}

keeps_the_root_elsewhere() {
	at_as_root hub root export --passphrase-file "$work/passphrase" "$work/root.key" >"$work/out" 2>"$work/err" || { cat "$work/err"; return 1; }
	is 600 "$(stat -c %a "$work/root.key")" && gives 1 '' '--force removes it here' -- hub root remove </dev/null && gives 0 'off this machine' -- hub root remove --force &&
		[ ! -e "$world_dir/hub/state/root.key" ] && gives 0 'offers to be an admin' -- ann admin offer && gives 1 '' 'root key is not on this site' -- hub admin add ann
}
has_no_root() { gives 1 '' 'root key is not on this site' -- hub root export "$work/none"; }

takes_the_root_back() {
	echo 'wrong horse battery staple' >"$work/wrong"
	if at_as_root hub root import --passphrase-file "$work/wrong" "$work/root.key" >"$work/out" 2>"$work/err"; then return 1; fi
	said err 'not its passphrase' && at_as_root hub root import --passphrase-file "$work/passphrase" "$work/root.key" >"$work/out" 2>"$work/err" &&
		[ -e "$world_dir/hub/state/root.key" ] && gives 0 'an admin from now on' -- hub admin add ann
}

is_no_site() {
	mkdir "$work/none"
	if at_as_root twin --state "$work/none" restore --passphrase-file "$work/passphrase" "$work/root.key" >"$work/out" 2>"$work/err"; then return 1; fi
	said err 'root import'
}

hub_stays() { gives 1 '' 'leave --force' -- hub leave && knows hub "d['state'] == 'member'" && reaches ann 10.100.0.1 1; }

world_begin
work=$world_dir/work
mkdir "$work"
number=1
for site in "${sites[@]}"; do
	world_public "$site" "198.51.100.$number"
	number=$((number + 1))
done
settle "${sites[@]}"

check "init without an agent writes the state for its user, and begins nothing" founds_without_an_agent
check "up goes on with what was written" goes_on_with_an_agent
check "a second time it is refused, with and without an agent" is_not_founded_twice
check "an invite is drawn as another program draws it" is_drawn
check "join without an agent saves the invite" saves_the_invite
check "up joins by it" joins_later
check "who is in a network of the collective's otherwise is told which" overlaps
check "at init, too" overlaps_at_init
check "once it is gone there is nothing in the way" is_fine_elsewhere
check "where there is no WireGuard it is said how to get one" lacks_wireguard
check "who has begun to join can leave it at that" gives_up
check "a wrong clock is said, and is no obstacle" is_told_of_the_clock
check "what the configuration offers waits for an admin" offers_its_network
check "the doctor notices that nobody there could answer" is_no_gateway
check "a hub whose firewall drops what is forwarded says so" says_that_it_drops
check "a backup beside a running agent is that site" is_backed_up
check "the root key can be kept elsewhere" keeps_the_root_elsewhere
check "what is not there is not exported" has_no_root
check "and it comes back with its passphrase only" takes_the_root_back
check "a root key alone is restored as no site" is_no_site
check "the hub does not leave others behind unasked" hub_stays
finish
