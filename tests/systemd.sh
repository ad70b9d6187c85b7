#!/bin/bash
# systemd.sh - the package in the hands of a real systemd: what tests/deb.sh claims with something that stands for one.
#
# A Debian of its own in BUILD/systemd is booted twice in the virtual machine of tests/kernel, with one disk for what is
# written; tests/systemd/claims.sh installs the package there, and looks.
# Status 77: it cannot be tried here; the last line says why.
set -u
cd "${SOURCE:?}" || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/roots.sh
. tests/roots.sh
# shellcheck source=tests/kernel/machine.sh
. tests/kernel/machine.sh

folder=${BUILD:?}/systemd
limit=900 # each boot
least=28 # cases of both boots
packages=(dbus iproute2 iputils-ping nftables python3 systemd systemd-sysv udev wireguard-tools)

lacks() {
	roots_lack && return
	[ -n "$(type -P mkfs.ext4)" ] || { echo 'needs mkfs.ext4, see tools/packages'; return; }
	machine_image >"$work/image" || { tail -n 1 "$work/image"; return; }
	return 1
}

# What the package needs is to be there already: the machine has no way out.
needs_of() { dpkg-deb -f "$1" Depends | tr ',' '\n' | sed -E 's/^ *//; s/[ |].*//' | grep .; }

is_built() {
	local file
	file=$(tools/deb "$folder/deb" 2>"$work/err" | tail -n 1)
	[ -f "$file" ] || { cat "$work/err"; return 1; }
	cp "$file" "$work/out/collective.deb"
}

# On both shares nothing is the machine's but what it answers.
lay_out() {
	mkdir -p "$work/out/run/systemd/system/graphical.target.wants" && cp tests/systemd/claims.sh tests/tap.sh "$work/out/" &&
		cp tests/systemd/claims.service "$work/out/run/systemd/system/" &&
		ln -s ../claims.service "$work/out/run/systemd/system/graphical.target.wants/" || return
	printf '%s\n' SOURCE= INIT=/sbin/init >"$work/out/environment"
	truncate -s 2G "$work/disk" && mkfs.ext4 -q "$work/disk"
}

# boot WHICH - its cases become ours; one that gives no verdict has failed.
boot() {
	local status out=$work/out
	say "the $1 boot"
	rm -f "$out/tap" "$out/status"
	echo "$1" >"$out/boot"
	machine_start_fast "$folder/root" "$out" "$work" -drive "file=$work/disk,if=virtio,format=raw,cache=unsafe" 2>/dev/null
	wait "$machine"
	machine=
	[ ! -e "$out/tap" ] || relay <"$out/tap"
	status=$(cat "$out/status" 2>/dev/null)
	check "the $1 boot comes to its end ($accelerator)" is_over "${status:-none}"
	[ "$status" = 0 ] || keep_words "$1"
}
is_over() { grep -q '^1\.\.' "$work/out/tap" && [ "$1" = "$(($(grep -c '^not ok' "$work/out/tap") > 0))" ]; }
keep_words() {
	cat "$work/qemu" "$work/console" "$work/out/journal" 2>/dev/null | tr -d '\r' >"$folder/$1.log"
	say "what was said meanwhile is in $folder/$1.log"
}

ran_enough() { [ "$((tap_count - before))" -ge "$least" ] || { echo "$((tap_count - before)) cases"; return 1; }; }

inside() {
	local needs before
	say 'the package'
	mkdir "$work/out"
	check "the package is built" is_built
	[ -e "$work/out/collective.deb" ] || { finish; return; }
	mapfile -t needs < <(needs_of "$work/out/collective.deb")
	root_make "$folder" amd64 "${packages[@]}" "${needs[@]}" || {
		echo "no root can be made here: the log is $folder/root.log"
		return 77
	}
	lay_out || { echo 'the disk cannot be made'; return 1; }
	machine_image || return
	before=$tap_count
	boot first
	boot second
	check "both boots said what they had to say" ran_enough
	say 'done'
	finish
}

prepare() { :; }
root_main 3600 tests/systemd.sh "$@"
