#!/bin/bash
# deb.sh - the Debian package: built, looked at, and in the hands of somebody who installs, upgrades, removes and purges it.
#
# That happens in a root of its own: an overlay over this machine's files, which keeps what is written in memory, with
# processes, a network and /dev, /proc, /run and /tmp of its own. Nothing is installed on this machine. No service manager
# runs there; in the second half tests/deb/systemctl.sh stands for one.
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/lab/world.sh
. tests/lab/world.sh # for world_wait

out=${BUILD:?}/deb-test
self=tests/deb.sh
patience=60

lacks() {
	local tool
	[ "$(id -u)" -eq 0 ] || { echo 'needs root'; return; }
	for tool in dh lintian dpkg-deb apt-get man systemd-analyze systemd-sysusers setpriv ip wg wireguard-go; do
		command -v "$tool" >/dev/null || { echo "needs $tool, see tools/packages"; return; }
	done
	[ -c /dev/net/tun ] || { echo 'needs /dev/net/tun'; return; }
	[ ! -e /var/lib/dpkg/info/collective.list ] || { echo 'collective is installed on this machine'; return; }
	unshare --mount --net --pid --uts --ipc --fork --kill-child bash "$self" root "$work" true >/dev/null 2>&1 ||
		{ echo 'needs namespaces and an overlay over / of the kernel'; return; }
	return 1
}

# The root. Upper and work of the overlay lie in a tmpfs that goes with the namespace.

# as_it_was - what this machine may have of ours or against us, nobody has met there.
as_it_was() {
	rm -rf /var/lib/collective /etc/collective /etc/systemd/system/*.wants/collective.service
	# Some images forbid starting; nobody here looks for words in manuals, which takes its time.
	rm -f /usr/sbin/policy-rc.d /var/lib/man-db/auto-update
	! getent passwd collective >/dev/null || userdel collective
	! getent group collective >/dev/null || groupdel collective
}

make_root() {
	local device
	mount --make-rprivate / && mount -t tmpfs -o mode=755 deb "$work" && mkdir "$work"/{upper,work,root} || return
	mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" overlay "$root" || return
	mount -t proc proc "$root/proc" && mount -t sysfs sysfs "$root/sys" || return
	mount -t tmpfs -o mode=755 run "$root/run" && mount -t tmpfs -o mode=1777 tmp "$root/tmp" || return
	mount -t tmpfs -o mode=755 dev "$root/dev" && mkdir "$root/dev/net" && ln -s /proc/self/fd "$root/dev/fd" || return
	mknod -m 666 "$root/dev/net/tun" c 10 200 || return
	for device in null zero full random urandom tty; do
		: >"$root/dev/$device" && mount --bind "/dev/$device" "$root/dev/$device" || return
	done
	mkdir "$root/dev/pts" && mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts" && ln -s pts/ptmx "$root/dev/ptmx" || return
	ip link set lo up && mkdir "$root/run/lock" && inside bash -c "$(declare -f as_it_was); as_it_was"
}

# inside COMMAND... - in that root, as a login of root's would run it.
inside() {
	timeout -k 5 "$patience" chroot "$root" env -i PATH="$path" HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@" </dev/null
}

is() { [ "$1" = "$2" ] || { printf '%s, not %s\n' "$1" "$2"; return 1; }; }
same() { diff <(printf '%s\n' "$1") <(printf '%s\n' "$2"); }

# People use apt; dpkg does the same in half the time.
by_apt() { inside apt-get -qq -o Dpkg::Use-Pty=0 --no-install-recommends "$@"; }
brings() { cp "$1" "$root/tmp/this.deb"; }
installs() { brings "$1" && inside dpkg -i /tmp/this.deb; }
installs_by_apt() { brings "$1" && by_apt install /tmp/this.deb; }

# The package as it is.

is_built() {
	local deb
	rm -rf "$out"
	deb=$(tools/deb "$out" 2>"$work/err" | tail -n 1)
	[ -f "$deb" ] || { cat "$work/err"; return 1; }
	echo "$deb" >"$work/deb"
	dpkg-deb -x "$deb" "$work/files" && dpkg-deb -e "$deb" "$work/control"
}

is_clean() { lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$deb"; }

# Everything but the scenarios, which are those of the simulator: mode, owner, name.
holds_what_is_expected() {
	local name
	name=$(dpkg-deb -f "$deb" Package)
	dpkg-deb -c "$deb" | awk '{ print $1, $2, $6 }' >"$work/listing"
	grep -vE '/$|/scenarios/' "$work/listing" | sort -k 3 | diff - <(sort -k 3 <<-EOF
		-rwxr-xr-x root/root ./usr/sbin/$name
		-rwxr-xr-x root/root ./usr/bin/$name-sim
		-rw-r--r-- root/root ./lib/systemd/system/$name.service
		-rw-r--r-- root/root ./usr/lib/sysusers.d/$name.conf
		-rw-r--r-- root/root ./usr/lib/systemd/networkd.conf.d/$name.conf
		-rw-r--r-- root/root ./usr/lib/tmpfiles.d/$name.conf
		-rw-r--r-- root/root ./usr/share/bash-completion/completions/$name
		-rw-r--r-- root/root ./usr/share/bash-completion/completions/$name-sim
		-rw-r--r-- root/root ./usr/share/doc/$name/CHANGELOG.md.gz
		-rw-r--r-- root/root ./usr/share/doc/$name/README.md.gz
		-rw-r--r-- root/root ./usr/share/doc/$name/changelog.gz
		-rw-r--r-- root/root ./usr/share/doc/$name/copyright
		-rw-r--r-- root/root ./usr/share/fish/vendor_completions.d/$name-sim.fish
		-rw-r--r-- root/root ./usr/share/fish/vendor_completions.d/$name.fish
		-rw-r--r-- root/root ./usr/share/man/man1/$name-sim.1.gz
		-rw-r--r-- root/root ./usr/share/man/man5/$name.yaml.5.gz
		-rw-r--r-- root/root ./usr/share/man/man8/$name.8.gz
		-rw-r--r-- root/root ./usr/share/zsh/site-functions/_$name
		-rw-r--r-- root/root ./usr/share/zsh/site-functions/_$name-sim
	EOF
	) || return
	diff <(sed -nE 's|^-rw-r--r-- root/root \./usr/share/collective/scenarios/||p' "$work/listing" | sort) <(cd simulator/scenarios && find . -type f -printf '%P\n' | sort)
}

directories_are_plain() { ! grep '/$' "$work/listing" | grep -v '^drwxr-xr-x root/root '; }

unit_names_a_program() {
	local program
	program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$work/files/lib/systemd/system/collective.service")
	[ -x "$work/files/${program:?}" ]
}

is_hardened() {
	local program bad=0
	for program in "$work"/files/usr/sbin/collective "$work"/files/usr/bin/collective-sim; do
		readelf -hW "$program" | grep -q 'Type: *DYN' || { echo "$program: not position independent"; bad=1; }
		readelf -lW "$program" | grep -q GNU_RELRO || { echo "$program: no RELRO"; bad=1; }
		readelf -dW "$program" | grep -q BIND_NOW || { echo "$program: no BIND_NOW"; bad=1; }
		readelf -lW "$program" | grep GNU_STACK | grep -q 'RW ' || { echo "$program: a stack that runs"; bad=1; }
		readelf --dyn-syms -W "$program" | grep -q '__stack_chk_fail' || { echo "$program: no stack protector"; bad=1; }
		readelf --dyn-syms -W "$program" | grep -q '_chk@' || { echo "$program: not fortified"; bad=1; }
	done
	return $bad
}

asserts() { readelf --dyn-syms -W "$work/files/usr/sbin/collective" | grep -q __assert_fail; }
names_no_build_path() { ! grep -rlaF -e "$PWD" -e "$out" "$work/files" "$work/control"; }
has_own_version() { is "$(dpkg-deb -f "$deb" Version)" "$(sed -n "s/^  version: '\(.*\)',/\1/p" meson.build)"; }

# The next version: the same files under a higher number, which is all that an upgrade sees.
make_next() {
	dpkg-deb -R "$deb" "$work/next" && sed -i 's/^Version: .*/&+next/' "$work/next/DEBIAN/control" &&
		dpkg-deb -Znone -b "$work/next" "$work/next.deb" >/dev/null
}

# What a machine has.

processes() { cat "$root"/proc/[0-9]*/comm 2>/dev/null | grep -xE 'collective|wireguard-go'; }
on_the_network() {
	ip -o link show | grep -v ': lo: '
	ip rule | grep -v 'lookup \(local\|main\|default\)'
	ip -6 rule | grep -v 'lookup \(local\|main\|default\)'
	ip route show table all proto 110
	ip -6 route show table all proto 110
}
nothing_runs() { ! processes | grep . && ! on_the_network | grep .; }
nothing_is_enabled() { ! find "$root/etc/systemd" -name '*collective*' | grep .; }
nothing_happens() { [ -x "$root/usr/sbin/collective" ] && nothing_runs && nothing_is_enabled; }

# left_over - what was written into the root, and in memory beside it, but by dpkg, apt, systemd and those who keep users.
left_over() {
	local name
	(cd "$work/upper" && find . -mindepth 1) | sed 's|^\./||' |
		grep -vE '^(var/(lib/(dpkg|apt)|cache|log)/|etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|etc/\.pwd\.lock$)' |
		while read -r name; do
			# A directory that is there anyway was only opened.
			[ -d "$work/upper/$name" ] && [ -d "/$name" ] || printf '%s\n' "$name"
		done
	(cd "$root/run" && find . -mindepth 1 ! -path './systemd*')
}
nothing_is_left() { left_over | sort | diff "$work/before" -; }

# What a site is.

agent_id() { cat "$root/var/lib/collective/lock"; }
agent_is_new() { inside test "/proc/$(agent_id)/exe" -ef /usr/sbin/collective; }
site() {
	inside collective status --json | python3 -c 'import json, sys
d = json.load(sys.stdin)
print(d["state"], d["collective"]["id"], d["site"]["name"], d["site"]["id"])'
}
keys() { (cd "$root/var/lib/collective" && sha256sum ./*.key); }
tunnel() {
	printf 'collective0 is %s, %s, port %s\n' "$(cat "$root/sys/class/net/collective0/ifindex")" "$(wg show collective0 public-key)" \
		"$(wg show collective0 listen-port)"
	wireguard_programs
}
wireguard_programs() { grep -lx wireguard-go "$root"/proc/[0-9]*/comm 2>/dev/null; }

configured() {
	mkdir -p "$root/etc/collective" && printf 'interfaces:\n  implementation: userspace\n' >"$root/etc/collective/collective.yaml"
}

founds() {
	configured && inside bash -c 'exec 9>/tmp/held; collective init --name home --endpoint 198.51.100.1' || return
	site >"$work/site" && grep '^member [0-9a-f]* home ' "$work/site" && tunnel >"$work/tunnel" && keys >"$work/keys"
}

# Installing.

user_exists() {
	local entry
	entry=$(inside getent passwd collective) || { echo 'no user'; return 1; }
	echo "$entry"
	[[ $entry =~ ^collective:[^:]*:([0-9]+):([0-9]+):[^:]*:/var/lib/collective:/usr/sbin/nologin$ ]] && [ "${BASH_REMATCH[1]}" -lt 1000 ]
}
directories_belong() {
	is "$(inside stat -c '%a %U:%G' /var/lib/collective /etc/collective)" "700 collective:collective
755 root:root"
}
program_works() { is "$(inside collective --version)" "collective $(dpkg-deb -f "$deb" Version)"; }
manuals_are_found() {
	local page
	for page in '8 collective' '5 collective.yaml' '1 collective-sim'; do
		# shellcheck disable=SC2086 # section and name
		inside env MANPAGER=cat man $page >"$work/page" 2>&1
		grep -q '^NAME' "$work/page" || { cat "$work/page"; return 1; }
	done
}
unit_is_valid() {
	inside systemd-analyze verify collective.service >"$work/words" 2>&1 || { cat "$work/words"; return 1; }
	! grep -F collective "$work/words"
}
scenario_runs() { inside collective-sim run same_key_twice --seeds 1..2; }
twice_is_harmless() { by_apt --reinstall install /tmp/this.deb && installs "$deb" && nothing_happens && user_exists && directories_belong; }
purges() { inside dpkg --purge collective && nothing_is_left; }
something_would_be_left() { left_over | grep -qx usr/sbin/collective && ! nothing_is_left >/dev/null; }

# Without a service manager.

agent_is_in_the_background() { agent_is_new && is "$(processes | sort | uniq -c | xargs)" '1 collective 2 wireguard-go'; }
agent_holds_nothing() { inside test -e "/proc/$(agent_id)/fd/2" && ! inside ls -l "/proc/$(agent_id)/fd" | grep /tmp/held; }
state_is_the_users() {
	keys | grep -q backbone.key && ! find "$root/var/lib/collective" \( ! -user "$(inside id -u collective)" -o -perm /077 \) -printf '%M %u %p\n' | grep .
}

# goes_on OLD - another agent than that one, of the installed program, at the same site by the same interface.
goes_on() {
	[ "$(agent_id)" != "$1" ] && agent_is_new && [ "$(processes | grep -cx collective)" -eq 1 ] &&
		same "$(cat "$work/site")" "$(site)" && same "$(cat "$work/tunnel")" "$(tunnel)" && same "$(cat "$work/keys")" "$(keys)"
}
version() { inside dpkg-query -W -f "\${Version}" collective; }
upgrades() {
	local old
	old=$(agent_id)
	installs_by_apt "$work/next.deb" && is "$(version)" "$(dpkg-deb -f "$work/next.deb" Version)" &&
		world_wait 10 agent_answers && goes_on "$old"
}
agent_answers() { inside collective status >/dev/null 2>&1; }

# An agent that somebody runs in their own way is theirs: it is told, and left.
leaves_others_agents() {
	local old=
	inside collective down && { inside sh -c 'exec collective agent 2>/tmp/own.log' >/dev/null 2>&1 & } && world_wait 10 agent_answers &&
		old=$(agent_id) && installs "$deb" >"$work/words" 2>&1 &&
		grep -F "process $old goes on as the program that was replaced" "$work/words" && is "$(agent_id)" "$old" && agent_answers
}

removes() { by_apt remove collective && nothing_runs && [ ! -e "$root/usr/sbin/collective" ]; }
state_stays() { [ -s "$work/keys" ] && same "$(cat "$work/keys")" "$(keys)" && [ -s "$root/etc/collective/collective.yaml" ]; }
comes_back() {
	installs "$deb" && nothing_happens && inside collective up && same "$(cat "$work/site")" "$(site)" && same "$(cat "$work/keys")" "$(keys)" &&
		is "$(wg show collective0 public-key)" "$(sed -nE 's/.*, ([^,]*), port .*/\1/p' "$work/tunnel")"
}
purges_a_running_site() { processes >/dev/null && purges && nothing_runs; }

# With one.

begin_service() {
	mkdir -p "$root/run/systemd/system" "$root/tmp/service"
	# apt gives its scripts a path of its own. The true one changes links, which needs no manager.
	cp "$root/usr/bin/systemctl" "$root/tmp/service/links"
	mount --bind tests/deb/systemctl.sh "$root/usr/bin/systemctl"
	: >"$root/tmp/service/asked"
	left_over | sort >"$work/before"
}
asked() { grep -qx "$1" "$root/tmp/service/asked" || { cat "$root/tmp/service/asked"; return 1; }; }
asked_nothing() { ! grep -E '^(start|enable|try-restart|restart) ' "$root/tmp/service/asked"; }
installs_quietly() { installs "$deb" && nothing_happens && asked_nothing; }
is_enabled() { inside systemctl is-enabled collective.service; }
service_starts() {
	founds && asked 'start collective.service' && [ "$(is_enabled)" = enabled ] && is "$(agent_id)" "$(cat "$root/tmp/service/id")" &&
		is "$(stat -c %u "$root/proc/$(agent_id)")" "$(inside id -u collective)"
}
service_upgrades() { upgrades && asked 'try-restart collective.service' && [ "$(is_enabled)" = enabled ] && is "$(agent_id)" "$(cat "$root/tmp/service/id")"; }
stays_down() { inside collective down && nothing_runs && is "$(is_enabled)" disabled && inside collective up && is "$(is_enabled)" enabled; }
removes_what_a_killed_agent_left() { kill -KILL "$(agent_id)" && on_the_network | grep -q collective0 && removes && nothing_is_enabled; }
purges_what_is_enabled() {
	installs "$deb" && inside systemctl enable collective.service && [ "$(is_enabled)" = enabled ] && purges && nothing_is_enabled
}

host() { sha256sum /var/lib/dpkg/status /etc/passwd /etc/group; }

in_the_root() {
	local deb before path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	make_root || { echo "no root could be made"; return 77; }
	[ "${1:-}" != true ] || return 0
	before=$(host)
	check "the package is built, and its name is the last line" is_built
	deb=$(cat "$work/deb" 2>/dev/null) || { finish; return; }
	check "lintian finds neither an error nor a warning" is_clean
	check "it holds every file that is expected, with its mode, and no other" holds_what_is_expected
	check "its directories are root's, and others may look" directories_are_plain
	check "the unit names a program of the package" unit_names_a_program
	check "the programs are hardened" is_hardened
	check "assertions are on" asserts
	check "nothing in it names the place where it was built" names_no_build_path
	check "its version is the project's" has_own_version
	check "a next version can be made" make_next

	left_over | sort >"$work/before"
	check "it is installed" installs_by_apt "$deb"
	check "what it installs would be noticed if it stayed" something_would_be_left
	check "the user exists, and cannot log in" user_exists
	check "the directories of state and configuration belong to whom they should" directories_belong
	check "the program runs" program_works
	check "the manuals are found" manuals_are_found
	check "the scenarios are found" scenario_runs
	check "the service manager takes the unit" unit_is_valid
	check "nothing is started or enabled, and there is no interface" nothing_happens
	check "to install it twice is harmless" twice_is_harmless
	check "purged before it was used, it leaves the user alone" purges

	check "it is installed again" installs "$deb"
	check "without a service manager, init founds a collective" founds
	check "the agent runs in the background" agent_is_in_the_background
	check "the agent keeps no file of those who started it" agent_holds_nothing
	check "the state belongs to the user, though root wrote it" state_is_the_users
	check "an upgrade runs the new program on the same interface, site and keys" upgrades
	check "an upgrade leaves an agent that somebody runs in another way, and says so" leaves_others_agents
	check "removed, it takes interfaces, routes, rules and programs away" removes
	check "removed, it leaves state and configuration" state_stays
	check "installed again, up brings the same site back" comes_back
	check "purged while it runs, it leaves the user alone" purges_a_running_site

	begin_service
	check "it is installed, and the service manager is asked to start nothing" installs_quietly
	check "init has the service started, now and with the machine" service_starts
	check "an upgrade has the service restarted on the same interface, site and keys" service_upgrades
	check "down lasts until up" stays_down
	check "removed, it takes away what a killed agent left" removes_what_a_killed_agent_left
	check "purged, it leaves no enabled unit" purges_what_is_enabled
	check "this machine's packages and users are as they were" same "$before" "$(host)"
	finish
}

# What is made in the root ends with its processes, and the directory is empty again.
end() {
	[ -z "$running" ] || kill -TERM "$running" 2>/dev/null
	wait
	rmdir "$work"
}

main() {
	local reason
	work=$(mktemp -d) || return
	running=
	trap end EXIT
	trap 'exit 143' HUP INT TERM
	if reason=$(lacks); then
		echo "$reason"
		return 77
	fi
	timeout -k 2 170 unshare --mount --net --pid --uts --ipc --fork --kill-child bash "$self" root "$work" &
	running=$!
	wait "$running"
}

if [ "${1:-}" = root ]; then
	work=$2
	root=$work/root
	in_the_root "${3:-}"
else
	main
fi
