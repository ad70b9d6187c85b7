#!/bin/busybox sh
# shellcheck shell=sh
# init.sh - the first process of the virtual machine, out of the initial RAM disk: lays a root that
# can be written, in memory, over the files of the host, and goes there.
#
# The second share, /run/out, carries what is said to the machine and what it answers. In its "environment" stand SOURCE
# and BUILD, folders of the host, and then guest.sh goes on; or INIT, a program of a root that has none of these.
# What lies in its folder "run" is laid into /run.

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
uname -r >/out/kernel
# shellcheck source=/dev/null # written by who boots it
. /out/environment
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 root /host
# Where there is a disk, what is written lies there, and the next boot meets it again.
if [ -b /dev/vda ]; then
	mount -t ext4 /dev/vda /memory
else
	mount -t tmpfs memory /memory
fi
mkdir -p /memory/upper /memory/work
mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work overlay /root

# /tmp and /run begin empty. The project is seen where the host has it, though that be in there.
if [ -n "$SOURCE" ]; then
	mount -o bind "/root$SOURCE" /source
	mount -o bind "/root$BUILD" /build
fi
mount -t tmpfs memory /root/tmp
mount -t tmpfs -o mode=755 memory /root/run
mkdir -p /root/run/netns /root/run/out
if [ -n "$SOURCE" ]; then
	mkdir -p "/root$SOURCE"
	mount --move /source "/root$SOURCE"
	mkdir -p "/root$BUILD"
	mount --move /build "/root$BUILD"
fi
[ ! -d /out/run ] || cp -R /out/run/. /root/run/
mount --move /out /root/run/out
for directory in proc sys dev; do
	mount --move "/$directory" "/root/$directory"
done
exec switch_root /root "${INIT:-$SOURCE/tests/kernel/guest.sh}"
