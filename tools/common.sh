# common.sh - what the tools share: sourced, never run. The tools run in the project's root.
# shellcheck shell=bash

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# install_packages GROUP... - installs what is missing of these groups of tools/packages.
install_packages() {
	local group package missing=()
	while read -r group package; do
		case " $* " in *" $group "*) ;; *) continue ;; esac
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			missing+=("$package")
	done < <(grep -v '^#' tools/packages)
	[ ${#missing[@]} -eq 0 ] && return 0
	[ "$(id -u)" -eq 0 ] || die "these packages are missing; run this once with sudo: ${missing[*]}"
	printf 'Installing %d packages: %s\n' ${#missing[@]} "${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive
	# Installed, it would begin to guard this machine: "systemctl unmask firewalld" lets it.
	case " ${missing[*]} " in *" firewalld "*) mkdir -p /etc/systemd/system && ln -sfn /dev/null /etc/systemd/system/firewalld.service ;; esac
	mkdir -p build
	{ apt-get -q update && apt-get -q install -y --no-install-recommends "${missing[@]}"; } \
		>build/apt.log 2>&1 </dev/null || {
		tail -20 build/apt.log >&2
		die "installing failed; the whole log is build/apt.log"
	}
}

# build_in NAME COMPILER [MESON-OPTION]... - builds into build/NAME; what it said is in build/NAME.log.
build_in() {
	local name=$1 compiler=$2
	shift 2
	mkdir -p build
	if [ ! -w build ] || { [ -e "build/$name" ] && [ ! -w "build/$name" ]; }; then
		die "build/ belongs to somebody else, perhaps root: run this with sudo, or remove build/"
	fi
	: >"build/$name.log"
	if [ ! -f "build/$name/build.ninja" ]; then
		rm -rf "build/$name"
		CC=$compiler meson setup "build/$name" "$@" >>"build/$name.log" 2>&1 </dev/null || return 1
	fi
	ninja -C "build/$name" >>"build/$name.log" 2>&1 </dev/null
}

# copy_project DIRECTORY - the project as it stands, committed or not, and nothing that was built.
copy_project() {
	local file
	project_files '*' | while read -r file; do [ ! -e "$file" ] || printf '%s\n' "$file"; done |
		tar -cf - -T - | tar -xf - -C "$1"
}

# project_files PATTERN... - the project's own files of these names.
project_files() {
	if git -c safe.directory="$PWD" rev-parse --git-dir >/dev/null 2>&1; then
		git -c safe.directory="$PWD" ls-files --cached --others --exclude-standard -- "$@"
	else
		local pattern
		for pattern in "$@"; do
			find . -path ./build -prune -o -type f -path "./$pattern" -print | sed 's|^\./||'
		done
	fi | sort -u
}
