#!/usr/bin/env bash
# Tests/volumes.sh [name]...: workers on two mounts of one volume, which is made on this machine. With several names, or none for
# all, they run one after the other. At the end is a table of what was seen, as docs/volumes.md has it.
#
# A name is a kind, alone or with mount options: `nfs`, `nfs:actimeo=1`, `nfs:soft,timeo=30,retrans=1`, `sshfs:cache=no`.
#   plain      one folder under several names: shows that the cases themselves are right
#   fuse       a FUSE file system of our own, on which clients' clocks may be apart
#   hang       the same; the server that is away answers nothing and refuses nothing
#   full       ext4 of 64 MiB
#   xfs btrfs  made in a file; two names by bind mounts   (xfsprogs, btrfs-progs)
#   sshfs      a sshd of its own, on loopback             (openssh-server, sshfs)
#   moosefs    a master, a chunk server, two clients      (moosefs-master, moosefs-chunkserver, moosefs-client)
#   gluster    three bricks, replicated, three clients    (glusterfs-server, glusterfs-client, libfaketime)
#   cephfs     a mon, mgr, mds and osd, two ceph-fuse     (ceph-mon, ceph-mgr, ceph-mds, ceph-osd, ceph-fuse, ceph-common)
#   nfs        the kernel's server, three clients on hosts of their own (nfs-kernel-server, nfs-common, iptables)
#   smb        samba, and the kernel's client             (samba, cifs-utils)
# nfs and smb run in a virtual machine where the kernel lacks them (Tests/rigs/machine.sh says what that needs).
#
# CASES="jobs frozen" names the cases; otherwise each kind has its own. Tests/rigs/volume-cases.sh, volume-more.sh and volume-disk.sh have them:
#   doctor   `doctor volume`
#   jobs     40 jobs, 4 workers in restart loops over both mounts, one killed with SIGKILL each second, a lease of 5 s
#   clocks   20 jobs beside workers that watch, on mounts whose hosts' clocks are 120 s apart: none is taken over
#   frozen   a worker is stopped (SIGSTOP) for longer than its lease: one result, and what becomes of the first attempt
#   follow   `submit` and `logs --follow` on one mount, the worker on the other: how late lines come
#   rerun    a job runs again on one mount, and the other is asked for its result
#   switch   a KILLSWITCH is made on one mount, a request sent at once, the worker on the other
#   held     results/ is held open by a reader while the job runs again, four times
#   away     10 jobs while the server is away for 20 s, four leases
#   replies  as jobs, with the server's replies lost, and it restarted, every few seconds
#   full     a job fills the volume; a request is sent while it is full
#   figures  seconds to stage 2,000 files of 4 KiB, and one of 100 MiB, beside `cp -a`
#
# It must be root. All lies in namespaces of network, mounts and processes of its own, so nothing is left. MQTT_FS_WORKER names the
# worker; a debug build otherwise. KEEP=FOLDER keeps the logs there. ROUNDS is how often figures are taken (3),
# JOBS the number of jobs of `jobs` and `replies`.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
worker=$(realpath "${MQTT_FS_WORKER:-$here/../.build/debug/mqtt-fs-worker}")
[ -x "$worker" ] || { echo "there is no $worker; run 'swift build' first" >&2; exit 2; }
export MQTT_FS_WORKER=$worker
all=(plain fuse hang full xfs btrfs sshfs moosefs gluster cephfs nfs nfs:actimeo=1 "nfs:soft,timeo=30,retrans=1" smb)
names=("${@:-${all[@]}}")
for name in "${names[@]}"; do
  [ -e "$here/rigs/volume-${name%%:*}.sh" ] || { echo "there is no volume '${name%%:*}'" >&2; exit 2; }
done

kernel_has() { grep -qw "$1" /proc/filesystems || modprobe -q "$1" 2>/dev/null; }

# Those for which this kernel will not do go to one machine together, for it takes long to start.
inside=() machine=()
for name in "${names[@]}"; do
  case "${name%%:*}" in
    nfs) if kernel_has nfsd && kernel_has nfs; then inside+=("$name"); else machine+=("$name"); fi ;;
    smb) if kernel_has cifs; then inside+=("$name"); else machine+=("$name"); fi ;;
    *) inside+=("$name") ;;
  esac
done

top=$(mktemp -d "${TMPDIR:-/tmp}/volumes-XXXXXX")
running="" by=KILL
# With its first process all others of the namespace end, and its mounts; the machine ends itself.
trap '[ -z "$running" ] || kill -s "$by" "$running" 2>/dev/null; exit 130' INT TERM
trap 'rm -rf --one-file-system "$top"' EXIT
status=0

for name in "${inside[@]}"; do
  # Short: sockets lie there, and servers and clients part names at colons and commas.
  place=$top/p
  mkdir -p "$place/logs" "$place/record"
  PLACE=$place unshare --net --mount --pid --fork --kill-child=KILL --mount-proc "$here/rigs/volume-run.sh" "$name" &
  running=$!
  wait "$running" || status=1
  running=
  mkdir -p "$top/kept/$name"
  cp -a "$place/logs" "$place/record" "$top/kept/$name/"
  rm -rf --one-file-system "$place"
done

if [ "${#machine[@]}" -gt 0 ]; then
  by=TERM
  "$here/rigs/machine.sh" "$top/kept" "${machine[@]}" &
  running=$!
  wait "$running" || status=1
  running=
fi

if [ -n "${KEEP:-}" ]; then mkdir -p "$KEEP" && cp -a "$top/kept/." "$KEEP/"; fi
# From within the machine what was kept comes out, and the table is made there.
[ -n "${IN_MACHINE:-}" ] || "$here/rigs/volume-table.sh" "$top/kept" "${names[@]}"
exit "$status"
