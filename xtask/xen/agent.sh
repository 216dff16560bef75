# Runs in dom0: starts Xen's tools, then restores what the second serial line asks for, image by image.
#
# A request is a line: an image's name, then `alone` or `helper`. The image lies in the shared directory, as do the log
# and the guest's state afterwards. The answer is `restored STATUS`, and `done` when the guest is gone.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
line=/dev/ttyS1
busybox stty -F $line raw -echo
exec < $line

answer() {
    echo "$*" > $line
}

busybox mkdir -p /run/xen /run/xenstored /var/lib/xen /var/lib/xenstored /var/log/xen /dev/pts
busybox ln -s /run /var/run
busybox mount -t devpts devpts /dev/pts
busybox mount -t xenfs xenfs /proc/xen
read -r major < /sys/hypervisor/version/major
read -r minor < /sys/hypervisor/version/minor
tools=/usr/lib/xen-$major.$minor/bin
# Those of this release, without the script that finds them.
PATH=$tools:$PATH
{
    xenstored --pid-file /run/xenstored.pid
    xen-init-dom0
    xenconsoled
} > /mnt/tools.log 2>&1
xl info > /mnt/info 2>&1
xen-cpuid -p > /mnt/cpuid 2> /dev/null
# Shows that dom0 is alive.
while busybox sleep 1; do echo >> /mnt/alive; done &
answer "ready $?"

while read -r name way; do
    if [ "$way" = helper ]; then
        export LIBXL_SAVE_HELPER=/mnt/save-helper
        export XENSTREAM_SAVE_HELPER_REAL="$tools/libxl-save-helper"
        export XENSTREAM_PROFILE=restore XENSTREAM_TARGET=auto XENSTREAM_CONFIG=/dev/null
    else
        unset LIBXL_SAVE_HELPER
    fi
    # Read from the shared directory, every short header would be a journey out of the machine.
    busybox dd if=/mnt/image of=/run/image bs=262144 2> /dev/null
    busybox rm -f /var/log/xen/qemu-dm-*
    xl restore -p /run/image > /mnt/log 2>&1
    status=$?
    for file in /var/log/xen/qemu-dm-*.log; do
        [ -e "$file" ] && busybox cat "$file" >> /mnt/log
    done
    answer "restored $status"
    if [ "$status" = 0 ]; then
        # As its configuration calls it, which the image starts with.
        domain=$(busybox head -c 4096 /run/image | busybox sed -n '/"name"/ { s/.*: "\(.*\)".*/\1/p; q }')
        xl unpause "$domain" && busybox usleep 500000
        xl list > /mnt/state
        # libxl would wait for a device model that is slow to leave.
        busybox killall -q -9 xen-qemu-system-i386 qemu-system-i386
        xl destroy "$domain" > /mnt/destroyed 2>&1
    fi
    answer "done"
done
