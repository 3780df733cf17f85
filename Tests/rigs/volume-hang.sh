# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/volumes.sh
# FUSE mounts whose answers to whatever is asked about claims and results come 20 s late, once each has been told so.
cases=(away)

volume_version() { echo "FUSE, the rig's own, which holds every call for up to 20 s"; }

volume_up() {
  mkdir "$place/volume"
  for mount in first second; do
    mkdir "$place/$mount"
    : >"$place/$mount.rules"
    python3 "$here/TestSupport/retransmitting.py" "$place/volume" "$place/$mount" "$place/$mount.rules" \
      >"$place/logs/$mount.log" 2>&1 &
    await 20 mountpoint -q "$place/$mount" || return 1
  done
}

# Puts rules in place for both mounts, by rename.
rule() {
  for mount in first second; do
    printf '%s' "$1" >"$place/$mount.rules.new"
    mv "$place/$mount.rules.new" "$place/$mount.rules"
  done
}

# Each mount has 16 threads: when that many calls hang, all others wait behind them.
server_away() {
  local operation text=
  for operation in create fsync getattr lookup open rename setattr unlink write; do text+="$operation * hold:20 *"$'\n'; done
  rule "$text"
}
server_back() { rule ""; }
