# Makes a disk that starts by itself: syslinux and the lab's kernel on FAT, and a small system on ext4.
#   sh golden.sh CACHE WORK UDHCPC    gives WORK/golden.raw and WORK/golden.qcow2
set -eu
cache=$1 work=$2 udhcpc=$3
mib=1048576
mkdir -p "$work/guest/bin" "$work/guest/modules" "$work/guest/proc" "$work/guest/sys" "$work/guest/dev" "$work/guest/newroot"

# The first stage: drivers, and on to the root file system.
package=$(ls -td "$cache"/work/linux-image-* | head -n 1)
version=$(ls "$package/lib/modules")
for module in virtio_pci virtio_blk virtio_net crc32c_generic ext4 button evdev; do
  modprobe -d "$package" -S "$version" --show-depends "$module" 2>/dev/null | while read -r how path _; do
    [ "$how" = insmod ] || continue
    name=${path##*/}
    [ -e "$work/guest/modules/$name" ] || { cp "$path" "$work/guest/modules/"; echo "$name" >>"$work/guest/modules/order"; }
  done
done
cp /bin/busybox "$work/guest/bin/"
for name in cat insmod mount sh sleep switch_root; do ln -s busybox "$work/guest/bin/$name"; done
cat >"$work/guest/init" <<'END'
#!/bin/sh
PATH=/bin; export PATH
mount -t proc proc /proc
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done </modules/order
until mount -t ext4 /dev/vda2 /newroot; do sleep 1; done
exec switch_root /newroot /sbin/init
END
chmod 755 "$work/guest/init"
(cd "$work/guest" && find . | cpio -o -H newc --owner 0:0 --quiet | gzip -1n >"$work/initrd.img")

# The system, as it was on the day of the backup: its name, its machine-id, its host keys.
root=$work/root
mkdir -p "$root/bin" "$root/sbin" "$root/usr" "$root/etc/ssh" "$root/proc" "$root/sys" "$root/dev" "$root/var/lib/dbus" "$root/var/lib/systemd"
cp /bin/busybox "$root/bin/"
for name in awk cat cut dd echo grep hostname ip mount poweroff sh sleep sync tr udhcpc; do ln -s busybox "$root/bin/$name"; done
cp "$udhcpc" "$root/bin/udhcpc.script"
chmod 755 "$root/bin/udhcpc.script"
echo golden >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 golden.old.example golden # the old one\n' >"$root/etc/hosts"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
cp "$root/etc/machine-id" "$root/var/lib/dbus/machine-id"
echo seed >"$root/var/lib/systemd/random-seed"
for kind in ed25519 ecdsa; do ssh-keygen -q -t $kind -N '' -C root@golden -f "$root/etc/ssh/ssh_host_${kind}_key"; done
cat >"$root/sbin/init" <<'END'
#!/bin/sh
PATH=/bin; export PATH
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
hostname "$(cat /etc/hostname)"
# The power button, where anybody answers it: before the report, for it may be pressed right after.
if [ "$(hostname)" != deaf ]; then
  for event in /dev/input/event*; do
    { dd if="$event" bs=24 count=1 && sync && poweroff -f; } >/dev/null 2>&1 &
  done
fi
ip link set lo up
ip link set eth0 up
udhcpc -i eth0 -f -q -n -t 30 -T 2 -A 1 -C -S -O hostname -O domain -O dns -s /bin/udhcpc.script >/dev/null 2>&1
. /lease
key() { cut -d' ' -f2 "/etc/ssh/ssh_host_$1_key.pub"; }
echo "VM-REPORT name=$(hostname) told=$hostname address=$ip mac=$(cat /sys/class/net/eth0/address) id=$(cat /etc/machine-id)" \
  "dbus=$(cat /var/lib/dbus/machine-id) ed25519=$(key ed25519) ecdsa=$(key ecdsa) hosts=$(grep -v localhost /etc/hosts | tr ' ' ,)" >/dev/ttyS0
while :; do sleep 60; done
END
chmod 755 "$root/sbin/init"

# A table with two partitions: FAT to start from, and the root.
raw=$work/golden.raw
truncate -s $((72 * mib)) "$raw"
printf 'label: dos\nstart=2048, size=65536, type=c, bootable\nstart=67584, size=77824, type=83\n' | sfdisk -q "$raw"
dd if=/usr/lib/syslinux/mbr/mbr.bin of="$raw" conv=notrunc bs=440 count=1 status=none
truncate -s $((32 * mib)) "$work/boot.img"
mkfs.vfat "$work/boot.img" >/dev/null
printf 'DEFAULT lab\nLABEL lab\n  LINUX vmlinuz\n  INITRD initrd.img\n  APPEND console=ttyS0 quiet\n' >"$work/syslinux.cfg"
mcopy -i "$work/boot.img" "$cache/vmlinuz" "$work/initrd.img" "$work/syslinux.cfg" ::
syslinux --install "$work/boot.img"
truncate -s $((38 * mib)) "$work/root.img"
mke2fs -q -t ext4 -d "$root" "$work/root.img"
dd if="$work/boot.img" of="$raw" bs=$mib seek=1 conv=notrunc,sparse status=none
dd if="$work/root.img" of="$raw" bs=$mib seek=33 conv=notrunc,sparse status=none
qemu-img convert -q -f raw -O qcow2 "$raw" "$work/golden.qcow2"
