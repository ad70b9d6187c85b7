#!/bin/bash
# ufw.sh - ufw itself on a hub and on a spoke: what it shuts is named with the commands that open it, and once they
# were typed all goes well; a spoke needs none.
#
#   hub    directly on inet, with ufw, which denies what comes in but SSH
#   ann    at home, with ufw likewise
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

denies_on_both() { ufw_at hub && ufw_at ann && site_run hub ufw status verbose | grep -q 'deny (incoming)'; }

# What it says on standard error is for who founds.
is_told_at_once() {
	at hub init --name home --endpoint 198.51.100.1 >"$world_dir/init" 2>&1 && says_with "$world_dir/init" 'nobody can call this hub' 'ufw allow 51821/udp' &&
		says_with "$world_dir/init" 'nobody can join' 'ufw allow in on collective0 to any port 51822:51823 proto udp'
}

joins_in_silence() {
	at hub invite ann --tag gaming >"$world_dir/ann/invite" 2>/dev/null || return
	at ann join - <"$world_dir/ann/invite" >"$world_dir/ann/join.log" 2>&1 &
	world_wait 10 says_with "$world_dir/ann/join.log" 'the hub is silent' 'collective doctor'
}

port_is_named() {
	finds hub trouble firewall 'the firewall (filter INPUT, ufw) drops what comes in to UDP port 51821' &&
		finds hub trouble firewall 'drops what comes in by collective0 to UDP ports 51822 and 51823'
}
# The port alone does not do it.
port_opens() {
	obeys hub firewall 51821 && finds hub trouble firewall 'by collective0' && ! is_told hub 'nobody can call' >/dev/null &&
		world_wait 10 handshake_of hub && ! grep -q '^joined' "$world_dir/ann/join.log"
}
handshake_of() { site_run "$1" wg show collective0 latest-handshakes | awk '$2 > 0' | grep -q .; }
join_goes_through() {
	obeys hub firewall collective0 && silent_on hub firewall && is_let_in ann
}

spokes_are_apart() {
	comes_in bob --tag gaming || return
	for site in hub ann bob; do address_of "$site" >"$world_dir/$site/address"; done
	# Ann's own ufw answers pings; those between spokes the hub does not pass on.
	world_wait 10 knows_without_words bob "'ann' in s" && finds hub trouble forwarding 'ufw' && is_told hub 'spokes cannot reach each other' 'ufw route allow in on collective0'
}
spokes_meet() { obeys hub forwarding && silent_on hub forwarding && world_wait 5 reaches bob "$(inside ann)"; }

# What answers comes in.
spoke_needs_nothing() {
	silent_on ann firewall && silent_on ann forwarding && direct ann bob && reaches bob "$(inside ann)" && reaches ann "$(inside bob)"
}

# It empties its chains and fills them.
reloads() {
	local before
	before=$(site_run hub iptables -S) && site_run hub ufw reload && site_run ann ufw reload && [ "$before" = "$(site_run hub iptables -S)" ] &&
		reaches bob "$(inside ann)" && reaches ann 10.100.0.1 && ! grep -H 'not by us' "$world_dir"/{hub,ann}/agent.log
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
# Taken back, it is named again.
is_named_again() { site_run hub ufw delete allow 51821/udp && finds hub trouble firewall 'UDP port 51821'; }

command -v ufw >/dev/null || { echo 'needs ufw, see tools/packages' >&2; exit 77; }
world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.8.0/24 home
settle hub ann bob
check "ufw denies what comes in, on a hub and at a home" denies_on_both
check "who founds a hub behind it is told both commands" is_told_at_once
check "a join meets silence, and is told where to look" joins_in_silence
check "the doctor names what is shut: the port, and the agent inside" port_is_named
check "the port alone brings a handshake, and no join" port_opens
check "with the other one the join goes through" join_goes_through
check "what is forwarded is named as well" spokes_are_apart
check "and the command lets spokes meet" spokes_meet
check "a spoke behind ufw needs nothing: the hub, a direct link" spoke_needs_nothing
check "ufw reload breaks nothing" reloads
check "up and down leave its rules as they are" up_and_down
check "taken back, it is named again" is_named_again
finish
