#!/bin/bash
# rules.sh - what the doctor says of a packet filter is what packets meet: for one rule set after the other it is asked
# what becomes of a call to a hub's port, a call is made, and where it was dropped, the command that it gives lets it in.
#
#   ann    directly on inet; no agent runs
#   eve    directly on inet, somebody; calls
# shellcheck disable=SC2154 # of what is sourced
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/collective.sh
. tests/lab/collective.sh
# shellcheck source=tests/lab/neighbours.sh
. tests/lab/neighbours.sh

# Each call is counted where it comes in, before any filter, and where it has come through, behind them all.
counters='table ip counted {
	chain before { type filter hook input priority -400; udp dport 51821 counter
	}
	chain behind { type filter hook input priority 400; udp dport 51821 counter
	}
}
'
counts_are() { [ "$(site_run ann nft list table ip counted | sed -n 's/.*counter packets \([0-9]*\).*/\1/p' | paste -sd ' ')" = "$1" ]; }
has_come() { counts_are "$1 0" || counts_are "$1 1"; }

# Each time from another port, so that it is none that is known.
eve_waits() {
	mkfifo "$world_dir/eve/call"
	site_spawn eve calls python3 -c 'import socket, sys
while True:
    for line in open(sys.argv[1]): socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(bytes(148), ("198.51.100.2", 51821))' "$world_dir/eve/call"
}
calls() { echo >"$world_dir/eve/call" && world_wait 5 has_come "$1"; }

# Nobody says here what is said inside the tunnel, which these rules do not know.
doctor_says() {
	at_root ann doctor --json >"$world_dir/ann/said.json"
	[ "$(grep -c 'drops what comes in to UDP port 51821: a hub here cannot be called' "$world_dir/ann/said.json")" = "$1" ] || { cat "$world_dir/ann/said.json"; return 1; }
}

passes() { calls 1 && counts_are '1 1' && doctor_says 0; }
drops() { calls 1 && counts_are '1 0' && doctor_says 1 && obeys ann firewall 'comes in to UDP port' && calls 2 && counts_are '2 1' && doctor_says 0; }

may_pass() { calls 1 && counts_are '1 1' && doctor_says 0 && grep -q 'drops what comes in to UDP port 51821 (perhaps' "$world_dir/ann/said.json"; }

# nft_rules WORDS COMMAND POLICY RULE... - a chain of these, for what comes in.
nft_rules() {
	local rule text="flush ruleset
$counters
table inet own {
	set ports { type inet_service; flags interval; elements = { 500-600, 51000-52000 }
	}
	chain aside { counter
	}
	chain inpt {
		type filter hook input priority 0; policy $3
"
	for rule in "${@:4}"; do text+="$rule
"; done
	site_run ann nft -f - <<<"$text}
}" || world_fail "no rules: $*"
	check "$1" "$2"
}

# rule_set WORDS COMMAND LINE - in the words of sh.
rule_set() {
	if ! site_run ann nft -f - <<<"flush ruleset
$counters" || ! site_run ann sh -ec "$3"; then world_fail "no rules: $3"; fi
	check "$1" "$2"
}

command -v iptables >/dev/null || { echo 'needs iptables, see tools/packages' >&2; exit 77; }
world_begin
world_public ann 198.51.100.2
world_public eve 203.0.113.9
settle ann eve
eve_waits

nft_rules "a policy to accept" passes accept
nft_rules "a policy to drop" drops drop
nft_rules "a reject at the end" drops accept 'ct state established,related accept' 'reject'
nft_rules "the port itself" passes drop 'udp dport 51821 accept'
nft_rules "TCP of that number" drops drop 'tcp dport 51821 accept'
nft_rules "a port beside it" drops drop 'udp dport 51820 accept'
nft_rules "a port in a set" passes drop 'udp dport { 53, 51821 } accept'
nft_rules "a set without it" drops drop 'udp dport { 53, 51820 } accept'
nft_rules "a range in a set with a name" passes drop 'udp dport @ports accept'
nft_rules "just below a range" drops drop 'udp dport { 53, 51822-51900 } accept'
nft_rules "the end of a range" passes drop 'udp dport { 53, 51800-51821 } accept'
nft_rules "all but a set" drops accept 'udp dport != { 53, 67 } drop'
nft_rules "a range" passes drop 'udp dport 51000-52000 accept'
nft_rules "outside a range" drops accept 'udp dport != 1-1024 drop'
nft_rules "a map of verdicts by state" passes drop 'ct state vmap { established : accept, related : accept, new : accept }'
nft_rules "a map of verdicts that rejects the new" drops accept 'ct state vmap { established : accept, new : drop }'
nft_rules "another interface" drops drop 'iifname "lan*" accept'
nft_rules "this interface, by a beginning of its name" passes drop 'iifname "wa*" accept'
nft_rules "an address that is not this one" drops drop 'ip daddr 198.51.100.9 accept'
nft_rules "this address in its network" passes drop 'ip daddr 198.51.100.0/24 udp dport 51821 accept'
nft_rules "what is local" passes drop 'fib daddr type local accept'
nft_rules "a chain that returns" drops drop 'jump aside'
nft_rules "a limit above what there is" passes drop 'udp dport 51821 limit rate 10/second accept'
nft_rules "an interface and a port as one key" passes drop 'iifname . udp dport vmap { "wan" . 51821 : accept }'
nft_rules "a protocol and a port as one key" passes drop 'meta l4proto . th dport vmap { udp . 51821 : accept, tcp . 22 : accept }'
nft_rules "a port and an address as one key" drops drop 'ip daddr 198.51.100.2 udp dport . ip daddr vmap { 51821 . 198.51.100.2 : drop, * : accept }'
nft_rules "a port and a network as one key" passes drop 'udp dport . ip daddr { 51000-52000 . 198.51.100.0/24 } accept'
nft_rules "all but those of a map" passes drop 'udp dport vmap { 53 : drop, * : accept }'
nft_rules "a mark that a rule has set" may_pass drop 'meta mark set udp dport map { 51821 : 0x1, 53 : 0x2 }' 'meta mark 0x1 accept'
rule_set "a counter with a name" drops \
	"nft 'table inet a { counter x {
		}
		chain i { type filter hook input priority 0; udp dport 51821 counter name x drop
		}
	}'"
rule_set "a table that is asleep" passes \
	"nft 'table inet a { flags dormant; chain i { type filter hook input priority 0; policy drop
		}
	}'"
rule_set "a second table drops what the first accepts" drops \
	"nft 'table ip a { chain i { type filter hook input priority -1; accept
		}
	}
	table inet b { chain i { type filter hook input priority 1; policy drop
		}
	}'"
rule_set "what translates drops nothing" passes "nft 'table ip a { chain i { type nat hook input priority 100; counter
		}
	}'"
rule_set "iptables: a policy" drops 'iptables -P INPUT DROP'
rule_set "iptables: the port" passes 'iptables -P INPUT DROP; iptables -A INPUT -p udp --dport 51821 -j ACCEPT'
rule_set "iptables: many ports" passes 'iptables -P INPUT DROP; iptables -A INPUT -p udp -m multiport --dports 53,51000:52000 -j ACCEPT'
rule_set "iptables: many others" drops 'iptables -P INPUT DROP; iptables -A INPUT -p udp -m multiport --dports 53,51822:52000 -j ACCEPT'
rule_set "iptables: what is known, and a reject" drops 'iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT; iptables -A INPUT -j REJECT'
rule_set "iptables: what is new" passes 'iptables -P INPUT DROP; iptables -A INPUT -m conntrack --ctstate NEW -m comment --comment all -j ACCEPT'
rule_set "iptables: not to this machine" drops 'iptables -N X; iptables -A X -m addrtype --dst-type LOCAL -j RETURN; iptables -A X -j ACCEPT; iptables -A INPUT -j X; iptables -P INPUT DROP'
finish
