#!/bin/bash
# test_doctor.sh - what is planted in a machine's way is found, with a remedy, and nothing is changed by looking.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh

doctor() { site_run ann "$BUILD/gcc/agent/collective" doctor --state "$world_dir/ann/state" --run "$world_dir/ann/run" "$@"; }

# finds WEIGHT SUBJECT TEXT [REMEDY] - in what was said last.
finds() {
	grep -F "$3" "$world_dir/said" | grep -q "^$1 *$2 " || { cat "$world_dir/said"; return 1; }
	[ $# -lt 4 ] || grep -A 1 -F "$3" "$world_dir/said" | grep -qF "$4" || { cat "$world_dir/said"; return 1; }
}

# planted STATUS - the doctor comes, and ends with this status.
comes() {
	local status=0
	doctor >"$world_dir/said" 2>&1 || status=$?
	[ "$status" -eq "$1" ] || { echo "status $status"; cat "$world_dir/said"; return 1; }
}

is_well() {
	comes 0 && finds well networks 'no network of this machine overlaps' && finds well forwarding 'no firewall drops' &&
		finds well port '51821 is free' && finds well mtu 'fit into those of wan'
}

# Before the local table, where a collective's rules cannot be.
a_rule_in_front() {
	site_run ann ip rule add fwmark 0x200/0xf00 lookup 2004 priority 0 && site_run ann ip -6 rule add lookup 2004 priority 0 &&
		comes 0 && finds note rules 'the rule of priority 0 ("ip rule" shows it)' 'a priority above 0' && finds note rules '"ip -6 rule"' &&
		site_run ann ip rule delete lookup 2004 && site_run ann ip -6 rule delete lookup 2004 && comes 0 && ! grep ' rules ' "$world_dir/said"
}

three_problems() {
	site_run ann ip link add name box type veth peer name box-end &&
		site_run ann ip address add 10.100.200.1/24 dev box && site_run ann ip link set box up &&
		site_run ann nft 'add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }; add chain ip filter DOCKER-USER; add rule ip filter FORWARD jump DOCKER-USER' &&
		site_run ann ip link set wan mtu 1400 || return 1
	comes 1 && finds trouble networks '10.100.200.0/24 of box overlaps' 'another network' &&
		finds trouble forwarding 'drops what is forwarded' 'iptables -I DOCKER-USER -i collective0 -j ACCEPT' &&
		finds note mtu '1400 bytes' 'set interfaces.backbone.mtu to 1320'
}

other_firewalls_have_their_own_remedy() {
	site_run ann nft 'add chain ip filter ufw-user-forward' && comes 1 &&
		finds trouble forwarding 'ufw' 'ufw route allow in on collective0' || return 1
	# It accepts by policy, and rejects by its last rule.
	site_run ann nft 'add chain ip filter FORWARD { policy accept; }; add table inet firewalld; add chain inet firewalld filter_FORWARD { type filter hook forward priority 10; policy accept; }; add rule inet firewalld filter_FORWARD ct state established accept; add rule inet firewalld filter_FORWARD reject' && comes 1 &&
		finds trouble forwarding 'firewalld' 'firewall-cmd --permanent --zone=trusted --add-interface=collective0' &&
		site_run ann nft 'delete table inet firewalld; add chain ip filter FORWARD { policy drop; }'
}

# The words that it gives, done: each in the way of its own firewall.
a_remedy_helps() {
	site_run ann nft 'add rule ip filter DOCKER-USER iifname "collective0" counter accept' && comes 1 && finds well forwarding 'lets collective0 through' &&
		site_run ann nft 'flush chain ip filter DOCKER-USER; add rule ip filter DOCKER-USER iifname "collective0" drop' && comes 1 && finds trouble forwarding 'drops what is forwarded' || return 1
	site_run ann nft 'flush ruleset' && comes 1 && finds well forwarding 'no firewall drops'
}

no_way_out() {
	site_run ann ip route del default && comes 1 && finds trouble 'way out' 'no default route'
}

port_is_taken() {
	site_spawn ann taken python3 -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", 51821)); print("bound", flush=True); time.sleep(60)'
	world_wait 10 grep -q bound "$world_dir/ann/taken.log" && comes 1 && finds note port 'another program'
}

# For scripts.
speaks_json() {
	doctor --json | python3 -c 'import json, sys
d = json.load(sys.stdin)["findings"]
sys.exit(not (len(d) > 4 and all(set(f) == {"weight", "subject", "text", "remedy"} for f in d) and any(f["weight"] == "trouble" for f in d)))'
}

nothing_changes() {
	local before
	before=$(site_run ann sh -c 'ip -d address; ip route show table all; ip rule; nft list ruleset')
	doctor >/dev/null 2>&1
	[ "$before" = "$(site_run ann sh -c 'ip -d address; ip route show table all; ip rule; nft list ruleset')" ]
}

works_for_anybody() {
	site_run ann setpriv --reuid=65534 --regid=65534 --clear-groups "$BUILD/gcc/agent/collective" doctor \
		--state "$world_dir/ann/state" --run "$world_dir/ann/run" >"$world_dir/said" 2>&1
	finds note capabilities 'lacks CAP_NET_ADMIN' 'sudo collective doctor'
}

world_begin
world_public hub 198.51.100.1
world_public ann 198.51.100.2
"$BUILD/gcc/tests/prepare" "$world_dir" 198.51.100.1:51821 0 hub ann || world_fail 'no states'

check "a machine without problems has none" is_well
check "a rule that those of a collective cannot stand before is named" a_rule_in_front
check "three planted problems are found, each with its remedy" three_problems
check "ufw and firewalld have remedies of their own" other_firewalls_have_their_own_remedy
check "who takes the obstacle away hears so" a_remedy_helps
check "a machine without a way out is told so" no_way_out
check "a port that another program has is named" port_is_taken
check "in JSON for scripts" speaks_json
check "looking changes nothing" nothing_changes
check "without root it looks at what it may" works_for_anybody
finish
