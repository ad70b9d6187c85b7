#!/bin/bash
# packaging.sh - what is installed beside the program: the unit is one that the service manager takes, and a hardened one.
set -u
cd "${SOURCE:?}" || exit 1
: "${BUILD:?}"
# shellcheck source=tests/tap.sh
. tests/tap.sh

# In tenths, as systemd counts exposure; 100 is a service without any limits.
exposure_most=30

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# As it would be installed, with the program that was built; the manual is not there yet.
unit_is_valid() {
	sed -e "s|^ExecStart=/usr/sbin/collective |ExecStart=$BUILD/gcc/agent/collective |" -e '/^Documentation=/d' \
		packaging/collective.service >"$work/collective.service"
	grep -q "^ExecStart=$BUILD" "$work/collective.service" || return 1
	systemd-analyze verify "$work/collective.service" >"$work/words" 2>&1 || { cat "$work/words"; return 1; }
	# Other units of this machine are of no matter here.
	! grep -F collective.service "$work/words"
}

unit_is_hardened() {
	systemd-analyze security --offline=yes --threshold="$exposure_most" packaging/collective.service >"$work/words" 2>&1 || {
		tail -1 "$work/words"
		return 1
	}
}

# What the lab runs agents with is read from the unit; these are all that the agent needs.
unit_has_capabilities() {
	local key
	for key in AmbientCapabilities CapabilityBoundingSet; do
		grep -qx "$key=CAP_NET_ADMIN CAP_NET_RAW" packaging/collective.service || { echo "$key"; return 1; }
	done
}

# What is made at boot and at installation stands for the unit's user and directories.
files_agree_with_the_unit() {
	local user directory mode
	user=$(sed -n 's/^User=//p' packaging/collective.service)
	directory=/var/lib/$(sed -n 's/^StateDirectory=//p' packaging/collective.service)
	mode=$(sed -n 's/^StateDirectoryMode=//p' packaging/collective.service)
	grep -qE "^u $user - \"[^\"]+\" $directory\$" packaging/collective.sysusers || { echo 'collective.sysusers'; return 1; }
	grep -qx "d $directory $mode $user $user -" packaging/collective.tmpfiles || { echo 'collective.tmpfiles'; return 1; }
}

debian_version_agrees() {
	local version
	version=$(sed -n "s/^  version: '\(.*\)',/\1/p" meson.build)
	sed -n '1s/^collective (\(.*\)) .*/\1/p' packaging/debian/changelog | diff - <(echo "${version:?}")
}

# A compiler is everywhere that packages are built.
debian_needs_what_the_build_needs() {
	diff <(sed -nE '/^Build-Depends:/,/^[^ ]*:/s/^ ([a-z0-9.+-]+),$/\1/p' packaging/debian/control | sort) \
		<(sed -n 's/^build //p' tools/packages | grep -vxE 'gcc|libc6-dev' | sort)
}

check "the user and the directories made beside the unit are the unit's" files_agree_with_the_unit
check "the version of the Debian package is the project's" debian_version_agrees
check "the Debian package is built with what tools/packages names" debian_needs_what_the_build_needs
if ! command -v systemd-analyze >/dev/null; then
	skip "the unit" 'needs systemd-analyze'
	finish
	exit
fi
check "the service manager takes the unit" unit_is_valid
check "the unit's exposure is $exposure_most tenths at most" unit_is_hardened
check "the unit has the two capabilities and no other" unit_has_capabilities
finish
