#!/usr/bin/env bash
# Runs Tests/volumes.sh in a small virtual machine, for kernels without NFS or SMB: machine.sh FOLDER NAME..., and puts what it kept
# into FOLDER.
#
# Needs qemu-system-x86, debootstrap, cpio, root, and Debian's packages: a root file system and a kernel with both are made of
# them once, in VOLUME_MACHINE (/var/tmp/volume-machine), and kept. Everything else is in the machine's memory.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
machine=${VOLUME_MACHINE:-/var/tmp/volume-machine}
worker=$MQTT_FS_WORKER
folder=$1
shift
packages=nfs-kernel-server,nfs-common,samba,cifs-utils,smbclient,keyutils
packages+=,iproute2,iptables,mosquitto,mosquitto-clients,kmod,procps,e2fsprogs,gawk
mkdir -p "$machine"

if [ ! -e "$machine/base.cpio" ]; then
  if [ ! -e "$machine/root/etc/passwd" ] || [ ! -e "$machine/root/usr/sbin/mosquitto" ]; then
    debootstrap --variant=minbase "--include=$packages" bookworm "$machine/root"
  fi
  # The machine unpacks all that is left at each start, which takes long without a processor for /dev/kvm.
  (cd "$machine/root" && rm -rf usr/share/{doc,locale,man} usr/lib/python3* usr/lib/*/gconv var/cache/apt/* var/lib/apt/lists/*)
  kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-6[^ ]*\)$/\1/p')
  (cd "$machine" && apt-get download "$kernel")
  dpkg-deb -x "$machine"/linux-image-*.deb "$machine/kernel"
  cp "$machine"/kernel/boot/vmlinuz-* "$machine/vmlinuz"
  rm -rf "$machine/root/lib/modules" && cp -a "$machine/kernel/lib/modules" "$machine/root/lib/modules"
  (cd "$machine"/root/lib/modules/*/kernel/drivers && find . -mindepth 1 -maxdepth 1 ! -name block ! -name net -exec rm -rf {} +)
  chroot "$machine/root" depmod "$(basename "$machine"/kernel/lib/modules/*)"
  (cd "$machine/root" && find . -xdev | cpio --quiet -o -H newc >"$machine/base.cpio.new")
  mv "$machine/base.cpio.new" "$machine/base.cpio"
fi

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir -p "$place/top/srv/Tests"
strip -o "$place/top/srv/worker" "$worker" 2>/dev/null || cp "$worker" "$place/top/srv/worker"
cp -r "$here/../volumes.sh" "$here" "$place/top/srv/Tests/"
# The worker's libraries are those of this host.
ldd "$worker" | awk '$3 ~ /^\// { print $3 } $1 ~ /^\/.*ld-/ { print $1 }' | while read -r library; do
  # /lib and /lib64 are links to folders of /usr.
  case "$library" in /lib*) copy=$place/top/usr$library ;; *) copy=$place/top$library ;; esac
  mkdir -p "$(dirname "$copy")"
  cp -L "$library" "$copy"
done
cat >"$place/top/init" <<END
#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts; mount -t tmpfs tmpfs /tmp; mount -t tmpfs tmpfs /dev/shm; mount -t devpts devpts /dev/pts
ip link set lo up
hostname volume-machine
for module in nfsd nfsv4 cifs loop veth iptable_filter xt_length xt_tcpudp; do modprobe \$module; done
echo "the machine runs" >/dev/ttyS0
export MQTT_FS_WORKER=/srv/worker IN_MACHINE=yes KEEP=/tmp/kept LIMIT="${LIMIT:-1800}" ROUNDS="${ROUNDS:-3}" JOBS="${JOBS:-40}" CASES="${CASES:-}"
/srv/Tests/volumes.sh $* >/dev/ttyS0 2>&1
echo "exit status \$?" >/dev/ttyS0
dmesg >/tmp/kept/dmesg
tar -C /tmp/kept -cz . | base64 >/dev/ttyS1
sync; sleep 1
echo o >/proc/sysrq-trigger
sleep 10
END
chmod +x "$place/top/init"
(cd "$place/top" && find . | cpio --quiet -o -H newc) >"$place/top.cpio"
cat "$machine/base.cpio" "$place/top.cpio" >"$place/initrd"
rm -rf "$place/top" "$place/top.cpio"
# Some hosts have /dev/kvm and no processor for it. Without it everything takes about ten times as long.
accelerator=(-accel "tcg,thread=multi" -cpu max)
if [ -w /dev/kvm ] && grep -qwE 'vmx|svm' /proc/cpuinfo; then accelerator=(-accel kvm -cpu host); fi
qemu-system-x86_64 "${accelerator[@]}" -smp 2 -m 3072 -nodefaults -display none -no-reboot -net none \
  -kernel "$machine/vmlinuz" -initrd "$place/initrd" \
  -append "console=ttyS0 no_timer_check quiet loglevel=3 panic=1 sysrq_always_enabled=1" \
  -serial "file:$place/console" -serial "file:$place/logs" </dev/null &
qemu=$!
trap 'kill "$qemu" 2>/dev/null || true; rm -rf "$place"' EXIT
trap 'exit 1' INT TERM
touch "$place/console"
tail -f --pid="$qemu" "$place/console" | sed -u 's,\r,,' &
wait "$qemu" || true
sleep 0.5
mkdir -p "$folder"
tr -d '\r' <"$place/logs" | base64 -d | tar -C "$folder" -xz || true
grep -q '^exit status 0' "$place/console"
