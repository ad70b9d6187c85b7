#!/bin/bash
# tunnels.sh - what another program breaks in WireGuard itself is put right within a second, and said; interfaces that
# vanish are made anew.
# shellcheck disable=SC2154,SC2016 # of what is sourced; what is quoted is for a shell in the site
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh
# shellcheck source=tests/lab/agents.sh
. tests/lab/agents.sh

# breaks CLAIM SITE TEXT BREAK CHECK
breaks() { check "$1" repaired "${@:2}"; }

port() { site_run "$1" wg show collective0 listen-port; }

# Both sockets of the tunnel, bound to the interface as it is now.
has_sockets() { [ "$(site_run "$1" ss -ulnH | grep -cE '%collective0:5182[23] ')" -eq 2 ]; }

wireguard_go() {
	local id
	for id in $(ip netns pids "$world-$1"); do
		[ "$(tr '\0' ' ' <"/proc/$id/cmdline" 2>/dev/null)" != "wireguard-go -f $2 " ] || echo "$id"
	done
}

is_another() { [ "$(index ann collective0)" != "$1" ]; } 2>/dev/null

# overcome TEXT COMMAND... - the interface is made anew as it was, and everything about it.
overcome() {
	local old_index old_port
	agent_hears ann
	old_index=$(index ann collective0) && old_port=$(port ann) || return
	"${@:2}" || return
	agent_says ann "$1" 10 && world_wait 10 is_another "$old_index" && agents_meet 10.100.0.1 ann || return
	same "$old_port" "$(port ann)" || { cat "$world_dir/ann/agent.log"; return 1; }
	world_wait 5 has_sockets ann && hears_the_hub
}

# Nobody behind a port is answered by the kernel at once; agents do not answer what is no message.
hears_the_hub() {
	site_run hub python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("10.100.1.1", 51822))
s.settimeout(0.5)
s.send(b"no message")
try:
    s.recv(1)
except socket.timeout:
    pass'
}

kill_program() { kill "-$1" "$(wireguard_go ann collective0)"; }
delete_interface() { site_run ann ip link del collective0; }

# Another's WireGuard of our name, in the place of ours.
takes_name() {
	local before
	agent_end ann INT && agent_hears ann || return
	case $implementation in
	kernel) site_run ann ip link add collective0 type wireguard ;;
	*)
		site_spawn ann other "${as_unit[@]}" env WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1 wireguard-go -f collective0
		world_wait 5 site_run ann test -S /run/wireguard/collective0.sock
		;;
	esac || return
	(umask 077 && wg genkey >"$world_dir/ann/other.key")
	site_run ann wg set collective0 private-key "$world_dir/ann/other.key" || return
	before=$(site_run ann ip -d link show dev collective0; tunnels ann | grep ^collective0)
	agent_start ann && agent_says ann 'the interface collective0 belongs to somebody else' || return
	sleep 1.5
	same "$before" "$(site_run ann ip -d link show dev collective0; tunnels ann | grep ^collective0)"
}
goes_on_with_name() { site_run ann ip link del collective0 && agents_meet 10.100.0.1 ann; }

world_begin
world_public hub 198.51.100.1
world_home ann 203.0.113.2 192.168.7.0/24 home
agents_prepare 198.51.100.1:51821 0 hub ann=192.168.7.0/24
agent_start hub
agent_start ann
check "a spoke reaches its hub" agents_meet 10.100.0.1 ann

peer=$(sed -n 1p "$world_dir/ann/keys")
shows() { printf "wg show collective0 %s | grep -F '%s' | grep" "$1" "$peer"; }
breaks "a peer" hub "the peer ${peer::8}… of collective0 was removed" "wg set collective0 peer $peer remove" "$(shows allowed-ips) '10.100.1.0/24 192.168.7.0/24'"
breaks "a prefix of a peer" hub '192.168.7.0/24 was taken from its peer' "wg set collective0 peer $peer allowed-ips 10.100.1.0/24" "$(shows allowed-ips) '10.100.1.0/24 192.168.7.0/24'"
breaks "a preshared key" hub 'was given another preshared key' "wg genpsk >/run/other; wg set collective0 peer $peer preshared-key /run/other" "! wg show collective0 preshared-keys | grep -F \"\$(cat /run/other)\""
breaks "a preshared key that is gone" hub 'was given another preshared key' "wg set collective0 peer $peer preshared-key /dev/null" "! $(shows preshared-keys) none"
breaks "a port" hub 'collective0 was given another port' 'wg set collective0 listen-port 5555' '[ "$(wg show collective0 listen-port)" = 51821 ]'
breaks "a private key" hub 'collective0 was given another key' 'wg genkey >/run/other; wg set collective0 private-key /run/other' "[ \"\$(wg show collective0 public-key)\" = $(sed -n 1p "$world_dir/hub/keys") ]"
breaks "a peer that does not belong there" hub 'had a peer' 'wg set collective0 peer "$(wg genkey | wg pubkey)" allowed-ips 10.99.0.0/16' '! wg show collective0 allowed-ips | grep 10.99'
breaks "a peer among the links" hub 'collective1 had a peer' "wg set collective1 peer $peer allowed-ips 10.99.0.0/16" '! wg show collective1 peers | grep .'
breaks "a prefix that does not belong there" hub '10.99.0.0/16 belongs to no peer' "wg set collective0 peer $peer allowed-ips 10.100.1.0/24,192.168.7.0/24,10.99.0.0/16" '! wg show collective0 allowed-ips | grep 10.99'
breaks "a prefix that another peer was given" hub 'had a peer' 'wg set collective0 peer "$(wg genkey | wg pubkey)" allowed-ips 192.168.7.0/24' "$(shows allowed-ips) '10.100.1.0/24 192.168.7.0/24'"
check "the spoke reaches its hub again" agents_meet 10.100.0.1 ann
hub_key=$(sed -n 1p "$world_dir/hub/keys")
breaks "a keepalive" ann 'was given another keepalive' "wg set collective0 peer $hub_key persistent-keepalive 7" "wg show collective0 persistent-keepalive | grep 25"


check "an interface that is deleted is made anew" overcome 'the interface collective0 is gone' delete_interface
if [ "$implementation" = userspace ]; then
	check "a wireguard-go that is killed is started anew" overcome 'the interface collective0 is gone' kill_program KILL
	check "one that hangs is replaced" overcome 'the program behind collective0 does not answer' kill_program STOP
fi
check "another's WireGuard of our name is said, and left alone" takes_name
check "once it is gone, we go on" goes_on_with_name
finish
