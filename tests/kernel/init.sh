#!/bin/busybox sh
# shellcheck shell=sh
# init.sh - the first process of the virtual machine, out of the initial RAM disk: lays a root that
# can be written, in memory, over the files of the host, and goes there.
#
# The second share, /run/out, carries what boot.sh says and what the tests answer.

/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
# What udev would do; bash wants the first for <(...).
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
while read -r module; do
	insmod "/modules/$module"
done </modules/order

mount -t 9p -o trans=virtio,version=9p2000.L out /out
# shellcheck source=/dev/null # written by boot.sh: SOURCE and BUILD
. /out/environment
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 root /host
mount -t tmpfs memory /memory
mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work overlay /root

# /tmp and /run begin empty. The project is seen where the host has it, though that be in there.
mount -o bind "/root$SOURCE" /source
mount -o bind "/root$BUILD" /build
mount -t tmpfs memory /root/tmp
mount -t tmpfs memory /root/run
mkdir -p "/root$SOURCE" /root/run/netns /root/run/out
mount --move /source "/root$SOURCE"
mkdir -p "/root$BUILD"
mount --move /build "/root$BUILD"
mount --move /out /root/run/out
for directory in proc sys dev; do
	mount --move "/$directory" "/root/$directory"
done
exec switch_root /root "$SOURCE/tests/kernel/guest.sh"
