#!/bin/bash
# firewalld.sh - firewalld itself on a hub and on a spoke: what it rejects, though its chains accept by default, is
# named with the commands that open it; a spoke needs none until there is a network behind it.
#
#   hub    directly on inet, with firewalld and its zone "public"
#   ann    at home, with firewalld likewise; her LAN is announced, in which `box` stands
#   bob    at home
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
# shellcheck source=tests/lab/neighbours.sh
. tests/lab/neighbours.sh

runs_on_both() { firewalld_at hub && firewalld_at ann && site_run hub nft list chain inet firewalld filter_FORWARD | grep -q 'policy accept'; }

is_told_at_once() {
	at hub init --name home --endpoint 198.51.100.1 >"$world_dir/init" 2>&1 && says_with "$world_dir/init" 'nobody can call this hub' 'firewall-cmd --permanent --add-port=51821/udp && firewall-cmd --reload' &&
		says_with "$world_dir/init" 'nobody can join' 'firewall-cmd --permanent --zone=trusted --add-interface=collective0 && firewall-cmd --reload'
}

joins_in_silence() {
	at hub invite ann --tag gaming --route 192.168.7.0/24 >"$world_dir/ann/invite" 2>/dev/null || return
	at ann join - <"$world_dir/ann/invite" >"$world_dir/ann/join.log" 2>&1 &
	world_wait 10 says_with "$world_dir/ann/join.log" 'the hub is silent' ''
}

rejections_are_named() {
	finds hub trouble firewall 'the firewall (firewalld filter_INPUT, firewalld) drops what comes in to UDP port 51821' &&
		finds hub trouble firewall 'drops what comes in by collective0 to UDP ports 51822 and 51823' &&
		finds hub trouble forwarding 'the firewall (firewalld filter_FORWARD, firewalld) drops what is forwarded'
}
port_opens() { obeys hub firewall 51821 && finds hub trouble firewall 'by collective0' && ! is_told hub 'nobody can call' >/dev/null; }

# The zone "trusted" lets in what members say to the agent, and passes on what they say to each other.
zone_opens() {
	obeys hub firewall collective0 && silent_on hub firewall && silent_on hub forwarding && is_let_in ann
}

spoke_needs_nothing() {
	comes_in bob --tag gaming || return
	for site in hub ann bob; do address_of "$site" >"$world_dir/$site/address"; done
	ip -n "$world-box" route add "$supernet" via 192.168.7.2
	silent_on ann firewall && world_wait 5 reaches bob "$(inside ann)" && world_wait 5 reaches ann "$(inside bob)" && direct ann bob
}

lan_is_shut() {
	site_run ann sysctl -qw net.ipv4.conf.lan.forwarding=1
	world_wait 5 knows_without_words bob "'192.168.7.0/24' in s['ann']['subnets']" && misses bob 192.168.7.3 &&
		finds ann trouble forwarding 'drops what is forwarded between members and the networks behind this site' &&
		is_told ann 'members cannot reach the networks behind this site' 'firewall-cmd'
}
lan_opens() { obeys ann forwarding && world_wait 5 reaches bob 192.168.7.3 && silent_on ann forwarding && at bob unlink ann && by_hub ann bob && world_wait 5 reaches bob 192.168.7.3; }

# It takes all its tables away and sets them again, and forgets every connection where it is asked to.
reloads() {
	site_run hub firewall-cmd --reload && site_run hub firewall-cmd --complete-reload && site_run ann firewall-cmd --complete-reload &&
		world_wait 5 reaches bob "$(inside ann)" && world_wait 5 reaches bob 192.168.7.3 && ! grep -H 'not by us' "$world_dir"/{hub,ann}/agent.log
}
up_and_down() {
	local site
	for site in hub ann; do
		rules_of "$site" >"$world_dir/$site/rules"
		at "$site" down >/dev/null && same_rules "$site" "$world_dir/$site/rules" || return
		at "$site" up >/dev/null && same_rules "$site" "$world_dir/$site/rules" || return
	done
	world_wait 10 reaches ann 10.100.0.1 && silent_on hub firewall
}

for tool in firewalld firewall-cmd dbus-daemon; do
	command -v "$tool" >/dev/null || { echo "needs $tool, see tools/packages" >&2; exit 77; }
done
world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.8.0/24 home
world_sibling box ann
settle hub ann bob
check "firewalld runs on a hub and at a home, and its policy is to accept" runs_on_both
check "who founds a hub behind it is told both commands" is_told_at_once
check "a join meets silence" joins_in_silence
check "the doctor names what is rejected, what is forwarded as well" rejections_are_named
check "the port is opened by the command" port_opens
check "with the zone the join goes through" zone_opens
check "a spoke behind firewalld needs nothing: the hub, a direct link" spoke_needs_nothing
check "until there is a network behind it, which is named" lan_is_shut
check "the command opens it, by the hub and directly" lan_opens
check "firewalld reloads, and breaks nothing" reloads
check "up and down leave its rules as they are" up_and_down
finish
