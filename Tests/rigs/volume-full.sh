# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/volumes.sh
# ext4 of 64 MiB under two names, which another user of it fills.
cases=(doctor full)

volume_version() { echo "ext4 of 64 MiB, Linux $(uname -r | sed 's/[-+].*//')"; }

volume_up() {
  mkdir "$place/volume" "$place/first" "$place/second"
  truncate -s 64M "$place/image"
  # Nothing is kept back for root.
  mkfs.ext4 -q -m 0 "$place/image"
  mount -o loop "$place/image" "$place/volume"
  for mount in first second; do mount --bind "$place/volume" "$place/$mount"; done
  backing=$place/volume
}
