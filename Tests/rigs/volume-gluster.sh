# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/volumes.sh
# GlusterFS: three bricks, replicated, and three FUSE clients, which give files their times themselves.
cases=(doctor jobs clocks frozen follow rerun switch held away full figures)
# It takes no address of 127.0.0.0/8 for a peer.
gluster_host=10.99.0.1
backing=$place/bricks

volume_version() { echo "GlusterFS $(glusterfs --version | sed -n '1s/^glusterfs //p'), replica 3"; }

gluster_do() { gluster --mode=script --glusterd-sock="$place/glusterd.sock" "$@" >>"$place/logs/gluster.log" 2>&1; }

gluster_mount() {
  mkdir "$place/$1"
  "${@:2}" glusterfs --volfile-server="$gluster_host" --volfile-id=/jobs --log-file="$place/logs/$1.log" "$place/$1"
}

volume_up() {
  ip address add "$gluster_host/32" dev lo
  mkdir -p "$place/glusterd" "$place/bricks"
  truncate -s 1500M "$place/image"
  mkfs.ext4 -q -m 0 "$place/image"
  mount -o loop "$place/image" "$place/bricks"
  # Some of glusterd's paths are fixed.
  mkdir -p /var/lib/glusterd /var/log/glusterfs /run/gluster
  for folder in /var/lib/glusterd /var/log/glusterfs /run/gluster; do mount -t tmpfs tmpfs "$folder"; done
  cat >"$place/glusterd.vol" <<END
volume management
  type mgmt/glusterd
  option working-directory $place/glusterd
  option transport-type socket
  option transport.socket.keepalive-time 10
  option transport.socket.bind-address $gluster_host
  option glusterd-sockfile $place/glusterd.sock
  option run-directory $place
  option max-port 60999
end-volume
END
  glusterd --volfile="$place/glusterd.vol" --log-file="$place/logs/glusterd.log" --pid-file="$place/glusterd.pid"
  until gluster_do pool list; do sleep 0.2; done
  gluster_do volume create jobs replica 3 "$gluster_host:$place/bricks/1" "$gluster_host:$place/bricks/2" \
    "$gluster_host:$place/bricks/3" force
  gluster_do volume start jobs
  gluster_mount first
  gluster_mount second
  # A file's time of creation and of writing comes from this process. That of a touch comes from the kernel and cannot be shifted
  # here: to a watcher, claims there are 120 s younger when they are new than after a touch.
  gluster_mount ahead env LD_PRELOAD="$(find /usr/lib -name libfaketimeMT.so.1 | head -n 1)" FAKETIME=+120s \
    FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1
  : >"$place/ahead/probe"
  ahead=$(($(stat -c %Y "$place/ahead/probe") - $(date +%s)))
  rm "$place/ahead/probe"
  [ "$ahead" -ge 115 ] || { echo "times of the mount that should be 120 s ahead are $ahead s ahead" >&2; exit 2; }
}

# This is a namespace of processes of our own. The bricks are glusterfsd.
server_away() { pkill -STOP -x 'glusterd|glusterfsd'; }
server_back() { pkill -CONT -x 'glusterd|glusterfsd'; }
