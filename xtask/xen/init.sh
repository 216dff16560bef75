#!/bin/busybox sh
# The first process of dom0: loads what the shared directories need, and goes on in the root that holds Xen's tools.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do
    insmod "$module"
done
options=trans=virtio,version=9p2000.L,msize=262144
mount -t 9p -o "$options,ro,cache=loose" root /root || exit 1
for directory in proc sys dev; do
    mount -o bind "/$directory" "/root/$directory"
done
for directory in run tmp var; do
    mount -t tmpfs tmpfs "/root/$directory"
done
mount -t 9p -o "$options,cache=none" share /root/mnt || exit 1
exec chroot /root busybox sh /mnt/agent.sh
