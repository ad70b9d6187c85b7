#!/bin/bash
# image.sh - a Debian kernel and its initial RAM disk, for boot.sh; prints the folder that has them.
#
# Nothing is installed: packages are downloaded and unpacked in BUILD/kernel, once. KERNEL_PACKAGE
# names another kernel, such as linux-image-amd64; those for clouds do not serve, as they lack 9p.
# Status 77: there is no kernel to be had.
set -eu -o pipefail
: "${SOURCE:?}" "${BUILD:?}"
PATH=$PATH:/usr/sbin:/sbin
scripts=$SOURCE/tests/kernel
folder=$BUILD/kernel/${KERNEL_PACKAGE:-default}

# Unpacks the packages into $1, with the kernel's modules indexed.
fetch() {
	local name package=
	# These have no files: they stand for the kernel of one version.
	for name in ${KERNEL_PACKAGE:-linux-image-6.12-amd64 linux-image-amd64}; do
		package=$(apt-cache depends "$name" | awk '$2 ~ /^linux-image-[0-9]/ { print $2; exit }')
		[ -z "$package" ] || break
	done
	[ -n "$package" ] || return 1
	(cd "$1" && apt-get -q download "$package" busybox-static) || return 1
	for package in "$1"/*.deb; do
		dpkg -x "$package" "$1" && rm "$package" || return 1
	done
	depmod -b "$1" "$(version_in "$1")"
}

version_in() { basename "$1"/lib/modules/*; }

# The RAM disk: busybox, the modules in the order in which they load, and init.sh.
make_initrd() {
	local root=$1 version file module
	version=$(version_in "$folder")
	mkdir -p "$root"/{bin,modules,dev,proc,sys,out,host,memory,root,source,build}
	cp "$folder/bin/busybox" "$root/bin/"
	cp "$scripts/init.sh" "$root/init"
	chmod 755 "$root/init"
	grep -v '^#' "$scripts/modules.txt" | while read -r module; do
		modprobe -d "$folder" -S "$version" --show-depends "$module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$work/files"
	while read -r file; do
		module=$(basename "$file" .xz)
		case $file in
		*.xz) xz -dc "$file" >"$root/modules/$module" ;;
		*) cp "$file" "$root/modules/" ;;
		esac
		echo "$module"
	done <"$work/files" >"$root/modules/order"
	(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd"
}

mkdir -p "$BUILD/kernel"
work=$(mktemp -d "$BUILD/kernel/making.XXXXXX")
trap 'rm -rf "$work"' EXIT

# Both appear whole or not at all.
if [ ! -e "$folder" ]; then
	mkdir "$work/packages"
	# The lists of apt may be old, or not there.
	{ fetch "$work/packages" || { apt-get -q update && fetch "$work/packages"; }; } >"$BUILD/kernel/apt.log" 2>&1 || {
		echo "there is no kernel to be had: $BUILD/kernel/apt.log" >&2
		exit 77
	}
	mv -T "$work/packages" "$folder"
fi
for input in image.sh init.sh modules.txt; do
	if [ ! "$folder/initrd" -nt "$scripts/$input" ]; then
		make_initrd "$work/root"
		mv "$work/initrd" "$folder/initrd"
		break
	fi
done
echo "$folder"
