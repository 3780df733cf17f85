# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/volumes.sh
# One folder under three names.
cases=(doctor jobs clocks frozen follow rerun switch held figures)

volume_version() { echo "a local folder ($(findmnt -no FSTYPE -T "$place"))"; }

volume_up() {
  mkdir "$place/first" "$place/second" "$place/ahead" "$place/volume"
  for mount in first second ahead; do mount --bind "$place/volume" "$place/$mount"; done
}
