#!/bin/bash
# names.sh - a hub that is known by name is found: where it moved to, and once names can be asked for at all.
#
# A spoke takes a minute's silence of its hub for a reason to ask again, so both cases run side by side.
# shellcheck disable=SC2154 # of what is sourced
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/agents.sh
. tests/lab/agents.sh

endpoint() { site_run "$1" wg show collective0 endpoints | cut -f 2; }
is_called_at() { [ "$(endpoint "$1")" = "$2:51821" ]; }

moves() { world_renumber hub 198.51.100.7 && world_name 198.51.100.7 && ! agent_answered ann 10.100.0.1; }
found_again() { world_wait 90 is_called_at "$1" 198.51.100.7 && agents_meet 10.100.0.1 "$1"; }

world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
world_home bob 203.0.113.3 192.168.8.0/24 home
agents_prepare hub.example:51821 0 hub ann bob
world_name 198.51.100.1
world_serve_names || world_fail 'names are not served'
echo 'nameserver 192.0.2.2' >"$world_dir/ann/resolv.conf"
for site in hub ann bob; do
	agent_start "$site"
done
check "a hub is found by its name" agents_meet 10.100.0.1 ann
check "a name that nobody can be asked for is said" agent_says bob 'the name hub.example leads nowhere' 15
echo 'nameserver 192.0.2.2' >"$world_dir/bob/resolv.conf"
check "the hub moves" moves
check "whoever had found it finds it again" found_again ann
check "and so does one that learned late whom to ask" found_again bob
finish
