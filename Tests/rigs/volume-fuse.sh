# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/volumes.sh
# One folder under three FUSE mounts, which answer as a network volume does whose times are its clients':
# those of the third are 120 s ahead.
cases=(doctor jobs clocks frozen follow rerun switch held away figures)
origin=$place/volume

volume_version() { echo "FUSE, the rig's own"; }

volume_up() {
  mkdir "$place/volume"
  for mount in first second ahead; do
    mkdir "$place/$mount"
    : >"$place/$mount.rules"
    [ "$mount" = first ] || [ "$mount" = second ] || printf 'clock %s 120\n' touch write create >"$place/$mount.rules"
    python3 "$here/TestSupport/retransmitting.py" "$place/volume" "$place/$mount" "$place/$mount.rules" \
      >"$place/logs/$mount.log" 2>&1 &
    servers+=($!)
    await 20 mountpoint -q "$place/$mount" || return 1
  done
}

servers=()
server_away() { kill -STOP "${servers[@]}"; }
server_back() { kill -CONT "${servers[@]}"; }
