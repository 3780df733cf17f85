#!/usr/bin/env bash
# Runs the cases on one volume: volume-run.sh KIND[:OPTIONS], for Tests/volumes.sh, in namespaces of its own, with its files in
# $PLACE. $PLACE/record/cells holds what was seen, a line for each cell of the table.
set -euo pipefail

here=$(dirname "$(dirname "$(realpath "$0")")")
name=$1 kind=${1%%:*} options=
[ "$name" = "$kind" ] || options=${name#*:}
# shellcheck disable=SC2034,SC2153 # the kinds and cases have it
place=$PLACE worker=$MQTT_FS_WORKER
# Each mount is on its own; what is mounted here is not to be seen outside.
mount --make-rprivate /
ip link set lo up

# What each kind defines: `volume_up`, which mounts the volume as $place/first and $place/second, and as $place/ahead from a client
# whose clock is 120 s ahead, where it can; `volume_version`; `cases`, all that it can do; and for some of them
#   server_away, server_back, for `away`; disturb, for `replies`
#   backing      for `full`: a folder of the disk that the server has, to fill it
#   origin       for `figures`: the folder that the server itself has, which is quicker to write to
#   local_place  a folder for workspaces on the volume, where it is a local one
# shellcheck source=/dev/null
. "$here/rigs/volume-$kind.sh"
# shellcheck source=Tests/rigs/volume-hosts.sh
. "$here/rigs/volume-hosts.sh"
# shellcheck source=Tests/rigs/volume-cases.sh
. "$here/rigs/volume-cases.sh"
# shellcheck source=Tests/rigs/volume-more.sh
. "$here/rigs/volume-more.sh"
# shellcheck source=Tests/rigs/volume-disk.sh
. "$here/rigs/volume-disk.sh"

# What goes into the table: cell COLUMN TEXT.
cell() {
  printf '%s\t%s\n' "$1" "$2" >>"$place/record/cells"
  echo "$name, $1: $2"
}

cell volume "$(volume_version)${options:+, \`$options\`}"
if ! volume_up; then
  echo "$name: the volume does not come up" >&2
  exit 1
fi
broker_up
failed=0
# shellcheck disable=SC2086 # CASES has several
for case in ${CASES:-${cases[@]}}; do
  # Not every server can lose replies, or go away.
  case $case in
    replies) need=disturb ;;
    away) need=server_away ;;
    *) need=true ;;
  esac
  type "$need" >/dev/null 2>&1 || { echo "$name, $case: this volume has no such fault"; continue; }
  begun=$SECONDS
  if "case_$case"; then echo "$name, $case: passed in $((SECONDS - begun)) s"; else
    echo "$name, $case: FAILED after $((SECONDS - begun)) s"
    # The namespace may end slowly, or not at all.
    tail -n 20 "$place/logs/$case"* 2>/dev/null || true
    failed=1
  fi
done
# The kernel's clients wait for a server that is gone: unmount while it is there.
for mount in first second ahead; do
  if mountpoint -q "$place/$mount"; then timeout 20 umount "$place/$mount" || timeout 20 umount -l "$place/$mount" || true; fi
done
exit "$failed"
