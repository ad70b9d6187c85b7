#!/bin/bash
# systemctl.sh - what the unit and the package ask of a service manager, and no more: for tests/deb.sh.
set -u

service=/tmp/service # what was asked, the process, the agent's words; and the true systemctl, for what needs no manager
unit=/lib/systemd/system/collective.service
arguments=()
for word in "$@"; do
	case $word in -*) ;; *) arguments+=("$word") ;; esac
done
verb=${arguments[0]:-}
echo "${arguments[*]}" >>"$service/asked"

value() { sed -n "s/^$1=//p" "$unit"; }
capabilities() { value "$1" | sed 's/CAP_/+/g; s/ /,/g' | tr '[:upper:]' '[:lower:]'; }
id() { cat "$service/id" 2>/dev/null; }
is_active() { [ "$(cat "/proc/$(id)/comm" 2>/dev/null)" = collective ]; }

start() {
	is_active && return
	install -d -m 0750 -o "$(value User)" -g "$(value Group)" /run/collective /run/wireguard
	install -d -m 0700 -o "$(value User)" -g "$(value Group)" /var/lib/collective
	# shellcheck disable=SC2046 # a program and its words
	setsid setpriv --reuid="$(value User)" --regid="$(value Group)" --clear-groups \
		--inh-caps="$(capabilities AmbientCapabilities)" --ambient-caps="$(capabilities AmbientCapabilities)" \
		$(value ExecStart) >>"$service/words" 2>&1 </dev/null &
	echo $! >"$service/id"
}

# KillMode=process: the agent alone.
stop() {
	local i
	is_active || return 0
	kill -TERM "$(id)"
	for ((i = 0; i < 100; i++)); do
		is_active || return 0
		sleep 0.1
	done
	return 1
}

case $verb in
start) start ;;
stop) stop ;;
try-restart) ! is_active || { stop && start; } ;;
is-active) is_active ;;
enable | disable | is-enabled) SYSTEMD_OFFLINE=1 "$service/links" "$@" ;;
daemon-reload) ;;
*)
	echo "systemctl: this one does not know \"$verb\"" >&2
	exit 1
	;;
esac
