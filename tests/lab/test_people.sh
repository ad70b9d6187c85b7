#!/bin/bash
# test_people.sh - a collective as people meet it: what they type, what they read, and what holds meanwhile.
#
#   hub    directly on inet, with a network behind it, in which `box` stands
#   ann    at home; comes in while her router still drops what she sends
#   bob    at home, with the same LAN prefix; is expelled, and comes back
#   cam    at home; waits for a yes, and leaves in the end
#   eve    directly on inet; never becomes a member
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
sites=(hub ann bob cam eve)
# Founding. The hub's clock is two minutes slow at first: an invite for one minute has expired once it is right.

founds() {
	collective=$BUILD/gcc/tests/collective-lab
	export COLLECTIVE_CLOCK_OFFSET_MS=-120000
	gives 0 'this site is home, 10.100.0.0/24' -- hub init --name home --endpoint "$hub" &&
		said out 'forward UDP port 51821' && said out 'collective invite NAME' && said out 'collective backup FILE' &&
		invite late --expires 1m && gives 0 'down' -- hub down
}

twice() { gives 1 '' 'belongs to a collective already' -- hub init --name other && knows hub "d['site']['name'] == 'home'"; }

says_that_the_port_is_taken() {
	site_spawn hub taken python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 51821)); print("bound", flush=True); s.recv(1)'
	world_wait 5 grep -q bound "$world_dir/hub/taken.log" || return
	gives 0 'up' 'UDP port 51821 is in use' -- hub up && gives 0 'UDP port 51821 is in use' -- hub status && gives 0 down -- hub down || return
	kill "$site_pid"
}

# Inviting and joining.

invite_alone() {
	invite bob || return
	[ "$(wc -l <"$work/bob.invite")" -eq 1 ] && grep -qE '^collective1_[A-Za-z0-9_-]+$' "$work/bob.invite" &&
		said bob.words 'sudo collective join -' && said bob.words '10.100.' && ! grep -qF "$(invite_of bob)" "$work/bob.words"
}

invites_that_cannot_be() {
	gives 1 '' "this is already the name of an open invite" -- hub invite bob &&
		gives 1 '' "part of the collective's own network" -- hub invite dan --subnet 192.168.9.0/24 &&
		gives 1 '' 'this is already a network of a member' -- hub invite dan --subnet 10.100.0.0/24 &&
		gives 1 '' "outside the collective's own" -- hub invite dan --route 10.100.9.0/24 &&
		gives 2 '' 'is no name' -- hub invite 'Dan!' && gives 2 '' 'is no time' -- hub invite dan --expires soon &&
		gives 2 '' 'did you mean 192.168.9.0/24' -- hub invite dan --route 192.168.9.7/24
}

mistyped() {
	local word
	word=$(invite_of bob)
	gives 1 '' 'mistyped or cut off' -- bob join "${word%?}" && gives 1 '' 'mistyped or cut off' -- bob join "${word/_??/_zz}" &&
		gives 1 '' 'one long word that begins with "collective1_"' -- bob join hello && gives 2 '' 'no invite' -- bob join - &&
		knows bob "d['state'] == 'blank' and d['collective'] is None"
}

# Ann's router drops what she sends to the hub; she is told so, and comes in once it does not.
begins_to_join_in_silence() {
	site_run ann-router nft insert rule inet fw forw udp dport 51821 drop || return
	invite ann || return
	at ann join - <"$work/ann.invite" >"$work/ann.out" 2>"$work/ann.err" &
	echo $! >"$work/ann.pid"
}

is_told_of_silence() {
	world_wait 6 has_said ann.err 'the hub is silent: is it running' || { cat "$work/ann.err"; return 1; }
	[ ! -s "$work/ann.out" ] && gives 0 'joining the collective 10.100.0.0/16' -- ann status && said out 'the hub is silent'
}

comes_in_after_all() {
	tail --pid="$(cat "$work/ann.pid")" -f /dev/null
	said ann.out 'joined home as ann, 10.100.' && world_wait 10 reaches ann 10.100.0.1 1
}

by_argument() {
	gives 0 "joined home as bob, 10.100." 'bob: admitted' -- bob join "$(invite_of bob)" && world_wait 10 reaches bob 10.100.0.1 1
}

again() {
	local before
	before=$(keys_of bob)
	gives 0 'joined home as bob, 10.100.' 'a member already: nothing was changed' -- bob join "$(invite_of bob)" && [ "$(keys_of bob)" = "$before" ]
}

used() { refused eve bob 'used on another machine already: if that was not you, tell whoever sent it at once (that site is bob)'; }

withdrawn() {
	invite dan && gives 0 'withdrawn' -- hub uninvite dan && gives 0 'withdrawn' -- hub invites && refused eve dan 'was withdrawn: ask for a new one' &&
		gives 1 '' 'not open any more' -- hub uninvite dan && gives 1 '' 'no invite for this name' -- hub uninvite nobody
}

# The same once more is answered once more, and soon.
withdrawn_again() {
	local start=$SECONDS
	refused eve dan 'was withdrawn' && [ $((SECONDS - start)) -le 5 ]
}

alerts() { gives 0 'another identity tried the invite of bob' -- hub events; }

waits_for_a_yes() {
	invite cam --approve && gives 0 'once it is used it waits for "collective approve cam"' -- hub invites || return
	at cam join - <"$work/cam.invite" >"$work/cam.out" 2>"$work/cam.err" &
	echo $! >"$work/cam.pid"
	world_wait 5 has_said cam.err 'waiting for an admin to approve' || { cat "$work/cam.err"; return 1; }
	gives 0 'it was used, and waits for "collective approve cam"' -- hub invites && gives 0 'cam waits to be let in' -- hub events &&
		[ ! -s "$work/cam.out" ] && misses cam 10.100.0.1 && knows hub "'cam' not in s"
}

approves() { gives 1 '' 'nothing of this name waits' -- hub approve nobody && gives 0 approved -- hub approve cam; }

lets_in() {
	tail --pid="$(cat "$work/cam.pid")" -f /dev/null
	said cam.out 'joined home as cam, 10.100.'
}

meet() {
	local from to address
	for to in ann bob cam; do
		address=$(address_of "$to")
		for from in ann bob cam; do
			[ "$from" = "$to" ] || world_wait 10 reaches "$from" "$address" 1 || { echo "$from does not reach $to"; return 1; }
		done
	done
}

# By the port of the links, which these routers keep.
sees_itself() {
	gives 0 "the hub sees this site at $2:$(site_run "$1" wg show collective1 listen-port)," -- "$1" netcheck
}

hubs_status() {
	knows hub "d['state'] == 'member' and d['collective']['supernet'] == '10.100.0.0/16' and len(d['collective']['id']) == 32 and
		d['site']['name'] == 'home' and d['site']['address'] == '10.100.0.1' and d['site']['subnets'] == ['10.100.0.0/24'] and {'hub', 'admin'} <= set(d['site']['roles']) and d['site']['tags'] == [] and
		set(s) == {'home', 'ann', 'bob', 'cam'} and s['home']['path'] == 'self' and d['troubles'] == [] and
		all(s[n]['path'] == 'hub' and s[n]['last_heard_s'] < 60 and s[n]['rx_bytes'] > 0 and s[n]['tx_bytes'] > 0 and s[n]['endpoint'].startswith('203.0.113.') and s[n]['version'] for n in ('ann', 'bob', 'cam')) and
		[x['address'] for x in d['sites']] == ['10.100.%d.1' % i for i in sorted(int(x['address'].split('.')[2]) for x in d['sites'])] and
		all(l['used'] <= l['most'] for l in d['limits'].values()) and d['limits']['members']['used'] == len(d['sites']) and d['counters']['gossip_received'] > 0"
}

spokes_status() {
	knows ann "d['state'] == 'member' and d['site']['name'] == 'ann' and d['site']['roles'] == [] and set(s) == {'home', 'ann', 'bob', 'cam'} and
		s['ann']['path'] == 'self' and s['ann']['link'] is None and s['home']['link']['state'] == 'off' and s['home']['link']['reason'] == 'with_hub' and s['bob']['link']['reason'] == 'no_policy' and 0 < s['home']['rtt_ms'] == s['home']['hub_rtt_ms'] and s['home']['path'] == 'hub' and s['home']['endpoint'] == '$hub:51821' and s['home']['rx_bytes'] > 0 and s['home']['last_heard_s'] < 60 and
		s['bob']['endpoint'] is None and s['bob']['path'] == 'hub' and s['bob']['subnets'] and d['troubles'] == []"
}

for_people() {
	gives 0 'collective 10.100.0.0/16' -- ann status && grep -qE '^ann +10\.100\.[0-9]+\.1 +self ' "$work/out" && grep -qE '^home +10\.100\.0\.1 +hub ' "$work/out" &&
		gives 0 'bob is a member now' -- hub events
}

# Nothing is exposed.

only_wireguards_ports() {
	local site port found
	for site in hub ann; do
		[ -z "$(site_run "$site" ss -Hltn)" ] || { site_run "$site" ss -ltnp; return 1; }
		found=0
		while read -r port; do
			site_run "$site" wg show all listen-port | grep -q "	$port\$" || { site_run "$site" ss -lunp; return 1; }
			found=$((found + 1))
		done < <(site_run "$site" ss -Hlun | awk '$4 !~ /%collective(0:5182[23]|1:51822)$/ { sub(/.*:/, "", $4); print $4 }')
		is "$(site_run "$site" ss -Hlun | grep -c '%collective0:')" 2 && [ "$found" -ge 1 ] || return
	done
}

# Datagrams of all sorts, at WireGuard's ports and at those inside the tunnel: the former are silent, the latter not there.
is_silent() {
	site_run inet python3 - "$hub" "$(site_run hub wg show all listen-port | cut -f 2 | paste -sd,)" <<-'PYTHON'
		import os, random, select, socket, sys
		host, ports = sys.argv[1], [int(port) for port in sys.argv[2].split(",")]
		draw = random.Random(6)
		socks = {port: socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for port in ports + [51822, 51823]}
		for port, sock in socks.items():
		    sock.connect((host, port))
		    for i in range(300):
		        kind = draw.randrange(6).to_bytes(4, "little") if i % 2 else b""
		        try:
		            sock.send(kind + os.urandom(draw.choice((0, 1, 28, 60, 88, 144, 1200))))
		        except ConnectionRefusedError:
		            pass
		wait = 1.0
		while True:
		    ready = select.select([socks[port] for port in ports], [], [], wait)[0]
		    if not ready:
		        break
		    for sock in ready:
		        sys.exit("an answer: %r" % sock.recv(2000))
	PYTHON
	knows hub "len(s) == 4" && reaches ann 10.100.0.1 5
}

# Before admission. Eve's agent stands still while she has the temporary key in her interface, and does as she likes.

box_hears() {
	node_make box
	ip -n "$world-hub" -batch - <<-EOF || return
		link add name lan type veth peer name lan netns $world-box
		address add 192.168.99.1/24 dev lan
		link set dev lan up
	EOF
	ip -n "$world-box" -batch - <<-EOF || return
		address add 192.168.99.2/24 dev lan
		link set dev lan up
		route add default via 192.168.99.1
	EOF
	site_run hub sysctl -qw net.ipv4.conf.lan.forwarding=1
}

# A server for whatever comes: says what it was sent, and answers.
# shellcheck disable=SC2016 # not the shell's
server='
import select, socket
tcp = socket.socket(); tcp.bind(("", 8080)); tcp.listen()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("", 8080))
print("ready", flush=True)
while True:
    for sock in select.select([tcp, udp], [], [])[0]:
        if sock is tcp:
            tcp.accept()[0].sendall(b"served")
        else:
            data, who = udp.recvfrom(100)
            print("heard", data.decode(), flush=True)
            udp.sendto(b"served", who)
'

serves() {
	site_spawn "$1" server python3 -c "$server"
	echo "$site_pid" >"$work/$1.server"
	world_wait 5 grep -q ready "$world_dir/$1/server.log"
}

# asks SITE WORD SOURCE,... ADDRESS... - what is served there, by TCP and UDP. Succeeds when somebody answers.
asks() {
	site_run "$1" python3 - "${@:2}" <<-'PYTHON'
		import select, socket, sys
		word, sources, addresses = sys.argv[1], sys.argv[2].split(","), sys.argv[3:]
		socks = []
		for source in sources:
		    for address in addresses:
		        tcp = socket.socket(); tcp.bind((source, 0)); tcp.setblocking(False); tcp.connect_ex((address, 8080))
		        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind((source, 0)); udp.connect((address, 8080))
		        try:
		            udp.send(f"{word} from {source}".encode())
		        except OSError:
		            pass
		        socks += [tcp, udp]
		answers = 0
		while ready := select.select(socks, [], [], 0.7)[0]:
		    for sock in ready:
		        try:
		            if sock.recv(100):
		                answers += 1
		                print("answer from", sock.getpeername())
		        except OSError:
		            pass
		        socks.remove(sock)
		sys.exit(0 if answers else 1)
	PYTHON
}

members_are_served() { asks ann members "$(address_of ann)" 10.100.0.1 "$(address_of bob)" && grep -q 'heard members' "$world_dir/hub/server.log"; }

# Whatever eve asks for, under her temporary address and under a member's: nobody answers, and nothing is heard of it.
reaches_nothing() {
	local own ann bob address pings=() result=0
	own=$(site_run eve ip -4 -o address show dev collective0 | awk '{ sub("/.*", "", $4); print $4 }' | grep '^169\.254\.77\.') ||
		{ echo 'no temporary address'; return 1; }
	ann=$(address_of ann) bob=$(address_of bob)
	site_run eve nft delete table inet collective || return # hers is not what protects the others
	site_run eve ip -batch - <<-EOF || return
		address add 10.100.1.77/32 dev collective0
		route replace 192.168.99.0/24 dev collective0
		route replace 10.100.0.0/16 dev collective0
	EOF
	for address in 10.100.0.1 "$ann" 192.168.99.2; do
		site_run eve ping -q -c 1 -W 0.5 -I "$own" "$address" >"$work/ping-$address" &
		pings+=($!)
	done
	if asks eve "$1" "$own,10.100.1.77" 10.100.0.1 "$ann" "$bob" 192.168.99.1 192.168.99.2; then result=1; fi
	wait "${pings[@]}"
	if grep -l ' 0% packet loss' "$work"/ping-*; then result=1; fi
	if grep -HF "heard $1" "$world_dir"/{hub,ann,bob,box}/server.log; then result=1; fi
	# All that while she had a session with the hub.
	[ "$(site_run eve wg show collective0 latest-handshakes | cut -f 2)" -gt 0 ] || { echo 'no session'; result=1; }
	return "$result"
}

# afresh SITE - a machine that has forgotten all.
afresh() { gives 0 down -- "$1" down && find "$world_dir/$1/state" -mindepth 1 -delete; }

# with_the_keys_of INVITE CASE... - eve has them in her interface, and her agent stands still: before it was heard.
with_the_keys_of() {
	local pid result=0
	eve_is_cut_off
	at eve join - <"$work/$1.invite" >/dev/null 2>&1 &
	world_wait 5 eves_interface_is_there && pid=$(agent_pid eve) && kill -STOP "$pid" || return
	# The configuration anew: WireGuard forgets what it was to send; and once more, that it was not answered.
	site_run eve wg showconf collective0 | sed 's/^AllowedIPs.*/AllowedIPs = 0.0.0.0\/0/' >"$work/eve.conf"
	site_run eve wg setconf collective0 "$work/eve.conf" && site_run eve nft delete table ip cut &&
		site_run eve wg setconf collective0 "$work/eve.conf" && "${@:2}" || result=1
	eve_is_cut_off
	kill -KILL "$pid"
	world_wait 5 has_ended "$pid" && gives 0 up -- eve up && afresh eve || result=1
	site_run eve nft delete table ip cut
	return "$result"
}

eve_is_cut_off() { site_run eve nft 'add table ip cut; add chain ip cut outp { type filter hook output priority 0; }; add rule ip cut outp udp dport 51821 drop'; }

eves_interface_is_there() { site_run eve ip -4 address show dev collective0 2>/dev/null | grep -q '169\.254\.77\.' && site_run eve wg show collective0 peers | grep -q .; }

unredeemed() { invite fay && with_the_keys_of fay reaches_nothing unredeemed; }
used_already() { with_the_keys_of bob reaches_nothing used; }
taken_back() { with_the_keys_of dan reaches_nothing withdrawn; }

end_servers() {
	local file
	for file in "$work"/*.server; do kill "$(cat "$file")"; done
}

# The control socket.

socket_modes() {
	local run=$world_dir/hub/home/run
	[ "$(stat -c '%a %U' "$run")" = "750 nobody" ] && [ "$(stat -c '%a %U %F' "$run/control.sock")" = "660 nobody socket" ]
}

group_looks() {
	program="seen_by"
	gives 0 home -- 12345 "$world_user" hub status && gives 0 founded -- 12345 "$world_user" hub events &&
		gives 1 '' 'only root may do this' -- 12345 "$world_user" hub invite gil &&
		gives 1 '' 'only root may do this' -- 12345 "$world_user" hub invites &&
		gives 1 '' 'only root may do this' -- 12345 "$world_user" hub expel ann &&
		gives 1 '' 'only root may do this' -- 12345 "$world_user" hub down
}

others_do_not() {
	program="seen_by"
	gives 1 '' 'only root and the group "collective" may ask the agent' -- 12345 12345 hub status &&
		gives 0 home -- 0 0 hub status
}

# Nonsense from whoever may open it; in between, and beside all the places that the group can hold, root is served.
disturbed() {
	local pid run=$world_dir/hub/home/run
	pid=$(agent_pid hub)
	site_run hub setpriv --reuid=12345 "--regid=$world_user" --clear-groups env "$path" python3 - "$run/control.sock" <<-'PYTHON' || return
		import os, random, socket, sys
		draw = random.Random(7)
		def ask(*parts):
		    s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect(sys.argv[1])
		    said = b""
		    try:
		        for part in parts:
		            s.sendall(part)
		        s.shutdown(socket.SHUT_WR)
		    except BrokenPipeError:
		        pass
		    try:
		        while more := s.recv(4096):
		            said += more
		    except ConnectionResetError:
		        pass
		    s.close()
		    return said
		head = lambda n: n.to_bytes(4, "little")
		assert b"of this size" in ask(head(1 << 31), b"x" * 100)
		assert b"of this size" in ask(head(4093), b"x" * 4093)
		assert b"does not understand" in ask(head(5), b"\xff" * 5)
		assert b"only root" in ask(head(3), b"\x81", b"\x00\x01", b"trailing" * 10000)
		assert ask(head(100), b"half") == b""
		assert ask(b"") == b"" and ask(b"\x01\x00") == b""
		for i in range(200):
		    body = os.urandom(draw.randrange(1, 200))
		    ask(head(len(body)), body)
	PYTHON
	site_spawn hub flood setpriv --reuid=12345 "--regid=$world_user" --clear-groups env "$path" python3 -c '
import signal, socket, sys
held = []
for i in range(100):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); held.append(s)
    try:
        s.send(b"\x64\0\0\0h")
    except OSError:
        pass
print("held", flush=True)
signal.pause()' "$run/control.sock"
	world_wait 5 grep -q held "$world_dir/hub/flood.log" || return
	knows hub "len(s) == 4" && [ "$(agent_pid hub)" = "$pid" ] && reaches cam 10.100.0.1 5
}

# Changing keys, expelling, leaving.

begins_to_rotate() {
	site_run ann wg show collective0 public-key >"$work/ann.key"
	at ann rotate >"$work/rotate.out" 2>"$work/rotate.err" &
	echo $! >"$work/rotate.pid"
}

has_rotated() {
	tail --pid="$(cat "$work/rotate.pid")" -f /dev/null
	said rotate.out 'keys were changed' && [ "$(site_run ann wg show collective0 public-key)" != "$(cat "$work/ann.key")" ] &&
		both_ways ann 10.100.0.1 bob "$(address_of ann)"
}

expels() {
	local to from
	to=$(address_of bob) from=$(address_of ann)
	site_spawn cam meanwhile ping -i 0.02 -q 10.100.0.1
	gives 1 '' 'no member has the name "nobody"' -- hub expel nobody && gives 1 '' '"collective leave" takes it out' -- hub expel home &&
		gives 0 'other sites know after' -- hub expel bob || return
	misses ann "$to" && misses bob "$from" && misses bob 10.100.0.1 && knows hub "'bob' not in s" &&
		world_wait 5 knows ann "'bob' not in s" && gives 0 'bob was expelled' -- hub events || return
	kill -INT "$site_pid"
	wait "$site_pid" 2>/dev/null
	grep -q ' 0% packet loss' "$world_dir/cam/meanwhile.log" || { cat "$world_dir/cam/meanwhile.log"; return 1; }
}

stays_out() {
	gives 0 down -- bob down && gives 0 up -- bob up && misses bob 10.100.0.1 1 &&
		! site_run hub wg show collective0 peers | grep -F "$(site_run bob wg show collective0 public-key)"
}

comes_back_anew() {
	invite bob && afresh bob && joins bob bob && said out 'joined home as bob' && both_ways bob 10.100.0.1 ann "$(address_of bob)"
}

leaves() {
	gives 0 'left: interfaces, routes and rules' -- cam leave && nothing_of_ours cam && world_wait 5 knows hub "'cam' not in s" &&
		world_wait 5 knows ann "'cam' not in s" && gives 0 'cam has left' -- hub events &&
		gives 0 'this site left the collective' -- cam status
}

is_out_for_good() {
	invite gus && refused cam gus 'and remove its state' && gives 1 '' 'and remove its state' -- cam init --name gus &&
		gives 0 withdrawn -- hub uninvite gus
}

down_and_up() {
	local before
	before=$(keys_of ann)
	gives 0 'interfaces, routes and rules were taken away' -- ann down && nothing_of_ours ann &&
		gives 1 '' 'no agent runs here' -- ann status && gives 0 'the agent runs' -- ann up && [ "$(keys_of ann)" = "$before" ] &&
		world_wait 10 reaches ann 10.100.0.1 1 && gives 0 'the agent runs' -- ann up
}

killed() {
	local pid before
	pid=$(agent_pid "$1") before=$(keys_of "$1")
	kill -KILL "$pid" && world_wait 5 has_ended "$pid" && gives 1 '' '"collective up" starts it' -- "$1" status &&
		gives 0 'the agent runs' -- "$1" up && [ "$(keys_of "$1")" = "$before" ] && knows "$1" "d['state'] == 'member' and set(s) == {'home', 'ann', 'bob'}" &&
		both_ways ann 10.100.0.1 ann "$(address_of bob)"
}

# What a killed agent left is taken away as well, and comes back.
down_after_a_kill() {
	local pid
	pid=$(agent_pid "$1")
	kill -KILL "$pid" && world_wait 5 has_ended "$pid" &&
		gives 0 'interfaces, routes and rules were taken away' -- "$1" down && nothing_of_ours "$1" &&
		gives 0 'the agent runs' -- "$1" up && world_wait 10 reaches "$1" 10.100.0.1 1
}

# What a person would find in a list of processes.
is_called_collective() { [ "$(cat "/proc/$(agent_pid "$1")/comm")" = collective ]; }

# The logs of all agents, against every invite, every key, and every preshared key.
keeps_secrets() {
	local site file word count=0
	for file in "$work"/*.invite; do sed 's/^.*\(.\{20\}\)$/\1/' "$file"; cat "$file"; done >"$work/secrets"
	for site in "${sites[@]}"; do
		cat "$world_dir/$site/state/"*.key
		site_run "$site" wg show all preshared-keys | cut -f 3
		site_run "$site" wg show all private-key | cut -f 2
	done 2>/dev/null | grep -v '^(none)$' >>"$work/secrets"
	while read -r word; do
		[ ${#word} -ge 16 ] || continue
		count=$((count + 1))
		if grep -F -- "$word" "$world_dir"/*/home/run/agent.log; then return 1; fi
	done <"$work/secrets"
	[ "$count" -ge 20 ] && [ -s "$world_dir/hub/home/run/agent.log" ]
}

world_begin
work=$world_dir/work
mkdir "$work"
world_public hub "$hub"
world_public eve 198.51.100.7
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.7.0/24 home
world_home cam 203.0.113.4 192.168.8.0/24 home
settle "${sites[@]}"

check "without an agent it is said how one starts" gives 1 '' 'no agent runs here' -- hub status
check "init founds, and says what to do next" founds
check "a port that is taken is said at once" says_that_the_port_is_taken
check "up brings it back" gives 0 'the agent runs' -- hub up
check "it goes by its own name" is_called_collective hub
check "init twice is refused with words" twice
check "an expired invite is refused" refused eve late 'has expired: ask for a new one'
check "an invite stands alone on standard output" invite_alone
check "one that cannot be is refused with the reason" invites_that_cannot_be
begins_to_join_in_silence
check "a mistyped invite is refused, and nothing is begun" mistyped
check "join by argument" by_argument
check "join again is harmless, and says so" again
check "a used invite names the site that used it" used
check "the hub's owner is told" alerts
check "a withdrawn invite is refused" withdrawn
check "and when it is tried once more, once more" withdrawn_again
check "who meets a silent hub is told so within seconds" is_told_of_silence
world_router ann home
check "with --approve a friend waits, and both are told" waits_for_a_yes
check "approve says yes" approves
check "who met silence comes in as soon as the hub speaks" comes_in_after_all
check "who waited comes in as soon as it is approved" lets_in
check "three sites reach each other" meet
check "what the hub's status says" hubs_status
check "what a spoke's status says" spokes_status
check "what people read" for_people
check "a site learns from where its links are seen" sees_itself ann 203.0.113.2
check "and so does one with the same numbers at home" sees_itself bob 203.0.113.3
check "the hub asks nobody" gives 1 '' 'this site is the hub' -- hub netcheck
check "only WireGuard's ports are bound on public addresses" only_wireguards_ports
check "they answer nothing that they do not know" is_silent

check "a network behind the hub" box_hears
for site in hub ann bob box; do
	check "$site serves something" serves "$site"
done
check "a member reaches what the hub serves" members_are_served
begins_to_rotate
check "down, and a machine forgets" afresh eve
check "with an unredeemed invite nothing of the collective is reached" unredeemed
check "nor with a used one" used_already
check "nor with a withdrawn one" taken_back
end_servers

check "the control socket is for its user and its group" socket_modes
check "the group may look, and no more" group_looks
check "others may nothing" others_do_not
check "nonsense and crowds at it disturb nobody" disturbed

check "expel cuts off at once, and nobody else" expels
check "with its old keys it does not come back" stays_out
check "with a new invite and new keys it does" comes_back_anew
check "leave takes everything off, and others lose it" leaves
check "who is out is told how to come in again" is_out_for_good
check "rotate changes the keys" has_rotated
check "down and up keep the keys" down_and_up
check "down takes away what a killed agent left" down_after_a_kill ann
check "a spoke's agent that was killed is a member still" killed ann
check "the hub's too" killed hub
check "no log tells a secret" keeps_secrets
finish
