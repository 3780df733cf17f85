# shellcheck shell=bash disable=SC2154 # for Tests/volumes.sh
# shellcheck source=Tests/rigs/volume-image.sh
. "$here/rigs/volume-image.sh"

volume_version() { echo "btrfs, Linux $(uname -r | sed 's/[-+].*//')"; }

volume_up() { image_up mkfs.btrfs -q; }
