# roots.sh - Debian systems in folders of their own, beside the one that runs here: sourced, never run.
# shellcheck shell=bash
#
#   roots_lack                            says what is missing here; succeeds when something is
#   root_make FOLDER ARCHITECTURE PACKAGE...
#                                         FOLDER/root, with these packages and what they need; the one of an earlier
#                                         run where that had the same. What was done is in FOLDER/root.log
#   packages_of GROUP...                  of tools/packages
#   root_main SECONDS SCRIPT [ARGUMENT]...
#                                         the script once more, in mount and process namespaces of its own, where it calls
#                                         `inside`; before that, `lacks` says what is missing, and `prepare` does what has
#                                         to be done outside. FOLDER/work.* is "$work" meanwhile, and goes
#   say WORDS                             how far it is, as a remark in TAP
#
# Which Debian, and where it comes from, is what apt of this machine says. What is mounted or
# started inside goes with the namespaces.

say() { printf '# %4d s: %s\n' "$SECONDS" "$*"; }

packages_of() {
	local group package
	while read -r group package; do
		[[ " $* " != *" $group "* ]] || echo "$package"
	done < <(grep -v '^#' tools/packages)
}

# REPOSITORY RELEASE COMPONENT, a line each.
root_sources() {
	# shellcheck disable=SC2016 # apt's variables
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' 2>/dev/null |
		grep -E ' bookworm(-security|-updates)? ' | sort -u
}

roots_lack() {
	local tool
	[ "$(id -u)" -eq 0 ] || { echo 'needs root'; return; }
	for tool in apt-get chroot debootstrap unshare; do
		[ -n "$(type -P "$tool")" ] || { echo "needs $tool, see tools/packages"; return; }
	done
	root_sources | grep -q ' bookworm ' || { echo 'apt of this machine has no lists of Debian 12'; return; }
	unshare --mount --pid --fork true 2>/dev/null || { echo 'needs namespaces of the kernel'; return; }
	return 1
}

# in_root ROOT COMMAND... - with nothing of this machine's environment.
in_root() {
	chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "${@:2}" </dev/null
}

# fill_root ROOT ARCHITECTURE PACKAGE...
fill_root() {
	local root=$1 mirror
	mirror=$(root_sources | sed -n 's/ bookworm .*//p' | head -n 1)
	debootstrap --arch="$2" --variant=minbase bookworm "$root" "$mirror" || return
	root_sources | sed 's/^/deb /' >"$root/etc/apt/sources.list"
	cp -L /etc/resolv.conf "$root/etc/resolv.conf" && mount -t proc proc "$root/proc" || return
	# Nothing that is installed there is to be started here.
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" && chmod 755 "$root/usr/sbin/policy-rc.d" || return
	in_root "$root" apt-get -q update && in_root "$root" apt-get -q install -y --no-install-recommends "${@:3}" &&
		in_root "$root" apt-get clean && umount "$root/proc" && rm "$root/usr/sbin/policy-rc.d" "$root/etc/resolv.conf"
}

root_make() {
	local folder=$1 wanted
	wanted=$(printf '%s\n' "$2" "${@:3}" | sort -u)
	if [ "$(cat "$folder/root.packages" 2>/dev/null)" = "$wanted" ]; then
		say "the $2 root of an earlier run is taken"
		return
	fi
	say "a $2 root is made"
	rm -rf "$folder/root" "$folder/root.packages"
	mkdir -p "$folder/root" && fill_root "$folder/root" "${@:2}" >"$folder/root.log" 2>&1 || return
	echo "$wanted" >"$folder/root.packages"
}

root_end() {
	[ -z "$running" ] || kill -TERM "$running" 2>/dev/null
	wait
	rm -rf "$work"
}

# shellcheck disable=SC2154 # folder is the script's
root_main() {
	local reason
	if [ "${3:-}" = inside ]; then
		work=$4
		inside
		return
	fi
	running=
	mkdir -p "$folder"
	work=$(mktemp -d "$folder/work.XXXXXX") || return
	trap root_end EXIT
	trap 'exit 143' HUP INT TERM
	if reason=$(lacks); then
		echo "$reason"
		return 77
	fi
	prepare || return
	timeout -k 5 "$1" unshare --mount --pid --fork --kill-child bash "$2" inside "$work" &
	running=$!
	wait "$running"
}
