# rivals.sh - other programs in a small world, and the collective in the same way: sourced behind links.sh, never run.
# shellcheck shell=bash disable=SC2154 # of what is sourced
#
#   PROGRAM is collective, nebula, nebula_unrelayed, tinc, or wireguard: by hand, everything by the hub
#   rival_begins PROGRAM SITE...         at all sites, the first one being the hub; until each has an answer from there
#   rival_ends PROGRAM SITE...           and what it made goes
#   rival_address PROGRAM SITE           inside
#   rival_pid PROGRAM SITE               of the program itself
#
# Settings are those of each program's own sample or manual, but for what lets it do better here: Nebula's lighthouse also
# relays, and its punchy.respond is on, which its sample recommends for difficult routers; its firewall passes everything
# that comes from members. Where it relays, packets flow at once, but Nebula 1.6 then goes direct late, or not at all; so it is
# tried without, too. tinc has its defaults.

hub_outside=198.51.100.1

rival_begins() {
	local site
	"$1_begins" "${@:2}"
	for site in "${@:3}"; do
		world_wait 30 reaches "$site" "$(rival_address "$1" "$2")" || world_fail "$1: $site gets no answer from $2"
	done
}
rival_ends() { "$1_ends" "${@:2}"; }
rival_address() { "$1_address" "$2"; }
rival_pid() { if [ "$1" = collective ]; then agent_pid "$2"; else cat "$world_dir/$2/$1.pid"; fi; }

# rival_spawns PROGRAM SITE COMMAND...
rival_spawns() {
	# In a session of its own, as a unit's is: the kernel shares its time out among sessions.
	site_spawn "$2" "$1" setsid "${@:3}"
	echo "$site_pid" >"$world_dir/$2/$1.pid"
	disown "$site_pid" # how it ends is not the shell's to tell
}

# rival_ended PROGRAM SITE...
rival_ended() {
	local site
	for site in "${@:2}"; do kill -TERM "$(rival_pid "$1" "$site")"; done
	for site in "${@:2}"; do
		world_wait 10 has_ended "$(rival_pid "$1" "$site")" || world_fail "$1 of $site does not end"
	done
}

# number_of SITE - the hub is 1, the others come in their order.
number_of() { cat "$world_dir/$1/number"; }
are_numbered() {
	local site number=1
	for site in "$@"; do
		echo "$number" >"$world_dir/$site/number"
		number=$((number + 1))
	done
}

# The collective: founded once, and up again afterwards. Direct links are made when there is traffic, as the others do.

collective_begins() {
	local site
	if [ ! -e "$world_dir/init" ]; then
		settle "$@"
		for site in "$@"; do configure "$site" 'when: traffic'; done
		links_begin "${@:2}" >"$world_dir/words" 2>&1 || world_fail "$(cat "$world_dir/words")"
		return
	fi
	for site in "$@"; do at "$site" up >"$world_dir/words" 2>&1 || world_fail "$(cat "$world_dir/words")"; done
}
collective_ends() {
	local site
	for site in "$@"; do at "$site" down >"$world_dir/words" 2>&1 || world_fail "$(cat "$world_dir/words")"; done
}
collective_address() { inside "$1"; }

nebula_begins() {
	local site dir
	are_numbered "$@"
	nebula-cert ca -name compare -out-crt "$world_dir/ca.crt" -out-key "$world_dir/ca.key" || world_fail 'no authority of Nebula'
	for site in "$@"; do
		dir=$world_dir/$site/nebula
		mkdir "$dir"
		nebula-cert sign -name "$site" -ip "$(nebula_address "$site")/24" -ca-crt "$world_dir/ca.crt" -ca-key "$world_dir/ca.key" \
			-out-crt "$dir/host.crt" -out-key "$dir/host.key" || world_fail 'no certificate of Nebula'
		nebula_configures "$site" "$1" >"$dir/config.yml"
	done
	for site in "$@"; do rival_spawns nebula "$site" nebula -config "$world_dir/$site/nebula/config.yml"; done
}
nebula_ends() {
	local site
	rival_ended nebula "$@"
	rm -f "$world_dir"/ca.*
	for site in "$@"; do rm -r "$world_dir/$site/nebula"; done
}
nebula_unrelayed_begins() {
	nebula_relays=no
	nebula_begins "$@"
	nebula_relays=yes
}
nebula_unrelayed_ends() { nebula_ends "$@"; }
nebula_unrelayed_address() { nebula_address "$1"; }
nebula_address() { echo "10.201.0.$(number_of "$1")"; }
nebula_configures() {
	local lighthouse=false hosts='["10.201.0.1"]' relay='relays: ["10.201.0.1"], am_relay: false'
	[ "$1" != "$2" ] || lighthouse=true hosts='[]' relay='am_relay: true'
	[ "${nebula_relays:-yes}" = yes ] || relay='am_relay: false'
	cat <<-TEXT
		pki: { ca: $world_dir/ca.crt, cert: $world_dir/$1/nebula/host.crt, key: $world_dir/$1/nebula/host.key }
		static_host_map: { "10.201.0.1": ["$hub_outside:4242"] }
		lighthouse: { am_lighthouse: $lighthouse, interval: 60, hosts: $hosts, local_allow_list: { interfaces: { wg0: false } } }
		listen: { host: 0.0.0.0, port: 4242 }
		punchy: { punch: true, respond: true }
		relay: { $relay, use_relays: true }
		tun: { disabled: false, dev: nebula1, drop_local_broadcast: false, drop_multicast: false, tx_queue: 500, mtu: 1300 }
		logging: { level: info, format: text }
		firewall:
		  conntrack: { tcp_timeout: 12m, udp_timeout: 3m, default_timeout: 10m }
		  outbound: [{ port: any, proto: any, host: any }]
		  inbound: [{ port: any, proto: any, host: any }]
	TEXT
}

# Everybody connects to the hub, which alone has all keys.
tinc_begins() {
	local site
	are_numbered "$@"
	for site in "$@"; do tinc_configures "$site" "$1"; done
	for site in "${@:2}"; do
		cp "$world_dir/$site/tinc/hosts/$site" "$world_dir/$1/tinc/hosts/"
		cp "$world_dir/$1/tinc/hosts/$1" "$world_dir/$site/tinc/hosts/"
	done
	for site in "$@"; do tinc_spawns "$site"; done
}
# shellcheck disable=SC2086 # words, or none
tinc_spawns() { rival_spawns tinc "$1" tincd -c "$world_dir/$1/tinc" -D ${tinc_words:-} --pidfile="$world_dir/$1/tincd.pid"; }
tinc_ends() {
	local site
	rival_ended tinc "$@"
	for site in "$@"; do rm -r "$world_dir/$site/tinc"; done
}
tinc_address() { echo "10.202.$(number_of "$1").1"; }
tinc_configures() {
	local dir=$world_dir/$1/tinc number
	number=$(number_of "$1")
	mkdir -p "$dir/hosts"
	printf 'Name = %s\nInterface = tinc0\n' "$1" >"$dir/tinc.conf"
	printf 'Subnet = 10.202.%s.0/24\n' "$number" >"$dir/hosts/$1"
	if [ "$1" = "$2" ]; then
		echo "Address = $hub_outside" >>"$dir/hosts/$1"
	else
		echo "ConnectTo = $2" >>"$dir/tinc.conf"
	fi
	# shellcheck disable=SC2016 # tinc's
	printf '#!/bin/sh\nip address add 10.202.%s.1/16 dev $INTERFACE\nip link set $INTERFACE up\n' "$number" >"$dir/tinc-up"
	chmod 755 "$dir/tinc-up"
	tincd -c "$dir" -K2048 </dev/null >/dev/null 2>&1 || world_fail 'no key of tinc'
}

# WireGuard by hand.

wireguard_begins() {
	local site
	are_numbered "$@"
	wg0 "$1" "$(wireguard_address "$1")" 51999
	for site in "${@:2}"; do
		by_hand "$site" "$(wireguard_address "$site")" 51999 "$(wg_key "$1")" "$hub_outside:51999" 10.101.0.0/16
		site_run "$1" wg set wg0 peer "$(wg_key "$site")" allowed-ips "$(wireguard_address "$site")/32" || world_fail "wg0 of $1"
	done
	site_run "$1" sysctl -qw net.ipv4.ip_forward=1
}
wireguard_ends() {
	local site
	for site in "$@"; do
		site_run "$site" ip link del wg0
		[ ! -e "$world_dir/$site/wireguard.pid" ] || world_wait 10 has_ended "$(rival_pid wireguard "$site")" || world_fail 'wireguard-go does not end'
	done
}
wireguard_address() { echo "10.101.0.$(number_of "$1")"; }

# serf: on top of WireGuard, as homes do not let each other in.

serf_address() { wireguard_address "$1"; }
serf_spawns() {
	rival_spawns serf "$1" serf agent -node="$1" -bind="$(wireguard_address "$1")" -rpc-addr=127.0.0.1:7373 -log-level=info \
		"${@:2}"
}
serf_begins() {
	local site
	serf_spawns "$1"
	for site in "${@:2}"; do serf_spawns "$site" -retry-join="$(wireguard_address "$1")" -retry-interval=1s; done
	# Who misses the word of somebody's coming gets it by an exchange with a random other one, of which there is one in 30 s.
	world_pause=0.5 world_wait 120 serf_has "$#" "$@" || world_fail "the agents of serf do not meet: $(site_run "$1" serf members 2>&1)"
}
serf_has() {
	local site
	for site in "${@:2}"; do
		[ "$(site_run "$site" serf members -status=alive 2>/dev/null | grep -c alive)" -eq "$1" ] || return
	done
}
serf_ends() { rival_ended serf "$@"; }
