# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/volumes.sh
# A file system of its own in a file, under three names.
cases=(doctor jobs frozen follow rerun switch held figures)
local_place=$place/volume/local

# Makes it with the command $@, to which the file's name is added.
image_up() {
  mkdir "$place/volume" "$place/first" "$place/second"
  truncate -s 2G "$place/image"
  "$@" "$place/image"
  mount -o loop "$place/image" "$place/volume"
  mkdir "$local_place" "$place/volume/jobs"
  for mount in first second; do mount --bind "$place/volume/jobs" "$place/$mount"; done
}
