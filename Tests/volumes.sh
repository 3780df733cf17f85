#!/usr/bin/env bash
# Tests/volumes.sh gluster|nfs|fuse|plain [case]...: workers on two mounts of one network volume, which is made on this machine.
#
# Cases (all of them, if none is named):
#   jobs     40 jobs, 4 workers in restart loops over both mounts, one killed with SIGKILL each second, a lease of 5 s:
#            40 results whose result.json is in place, and no job whose attempts were at work at once
#   clocks   20 jobs of 12 s beside workers that watch, on mounts whose hosts' clocks are 120 s apart: none is taken over
#   away     20 jobs of 40 s while the server is away for 20 s (nfs only; mounted hard and soft)
#   replies  as jobs, with the server's replies lost, and it restarted, every few seconds (nfs only)
#
# plain is one folder under two names: it shows that the cases themselves are right. gluster needs glusterfs-server,
# glusterfs-client and libfaketime. nfs needs a kernel with nfsd and an NFS client; where there is none, it runs in a virtual machine
# (Tests/rigs/nfs-machine.sh says what it needs). All run as root, in namespaces of network, mounts and processes of their own, so
# nothing is left. MQTT_FS_WORKER names the worker; a debug build otherwise. KEEP=FOLDER keeps the logs there.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
kind=${1:?usage: Tests/volumes.sh gluster|nfs|fuse|plain [case]...}
shift
worker=$(realpath "${MQTT_FS_WORKER:-$here/../.build/debug/mqtt-fs-worker}")
[ -x "$worker" ] || { echo "there is no $worker; run 'swift build' first" >&2; exit 2; }
# shellcheck source=/dev/null
[ -e "$here/rigs/volume-$kind.sh" ] || { echo "there is no volume '$kind'" >&2; exit 2; }

if [ "${IN_NAMESPACES:-}" != yes ]; then
  if [ "$kind" = nfs ] && ! grep -qw nfsd /proc/filesystems && ! modprobe -q nfsd 2>/dev/null; then
    exec "$here/rigs/nfs-machine.sh" "$worker" "$@"
  fi
  place=$(mktemp -d "${TMPDIR:-/tmp}/volumes-XXXXXX")
  status=0
  IN_NAMESPACES=yes PLACE=$place MQTT_FS_WORKER=$worker \
    unshare --net --mount --pid --fork --kill-child=KILL --mount-proc "$here/volumes.sh" "$kind" "$@" &
  inside=$!
  # With its first process all others of the namespace end, and its mounts.
  trap 'kill -9 "$inside" 2>/dev/null' INT TERM
  wait "$inside" || status=$?
  if [ -n "${KEEP:-}" ]; then mkdir -p "$KEEP" && cp -a "$place/logs" "$place/record" "$KEEP/"; fi
  rm -rf --one-file-system "$place"
  exit "$status"
fi

# shellcheck disable=SC2153 # it is set above
place=$PLACE
mkdir "$place/logs" "$place/record"
ip link set lo up

# What each kind defines: volume_up, which mounts the volume as $place/first and $place/second, and as $place/ahead from a client
# whose clock is 120 s ahead, where it can; `cases`, all that it can do; and disturb, for the case `replies`.
# shellcheck source=/dev/null
. "$here/rigs/volume-$kind.sh"
# shellcheck source=Tests/rigs/volume-cases.sh
. "$here/rigs/volume-cases.sh"

volume_up
broker_up
failed=0
for name in "${@:-${cases[@]}}"; do
  if "case_$name"; then echo "$kind, $name: passed"; else
    echo "$kind, $name: FAILED"
    failed=1
  fi
done
exit "$failed"
