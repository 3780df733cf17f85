# shellcheck shell=bash disable=SC2154 # for Tests/volumes.sh
# shellcheck source=Tests/rigs/volume-image.sh
. "$here/rigs/volume-image.sh"

volume_version() { echo "XFS, Linux $(uname -r | sed 's/[-+].*//'), with reflink"; }

volume_up() { image_up mkfs.xfs -q -m reflink=1; }
