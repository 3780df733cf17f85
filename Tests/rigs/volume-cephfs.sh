# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/volumes.sh
# CephFS: one mon, one mgr, one mds, one osd in memory, and two ceph-fuse clients.
cases=(doctor jobs frozen follow rerun switch held away figures)
ceph_host=10.99.0.1

volume_version() { echo "CephFS $(ceph-fuse --version 2>/dev/null | sed -n 's/^ceph version \([0-9.]*\).*/\1/p'), ceph-fuse"; }

ceph_do() { ceph --conf "$place/ceph.conf" --connect-timeout 10 "$@" >>"$place/logs/ceph.log" 2>&1; }
mds_is_active() { ceph --conf "$place/ceph.conf" --connect-timeout 10 mds stat 2>/dev/null | grep -q 'up:active'; }

volume_up() {
  local fsid osd part
  ip address add "$ceph_host/32" dev lo
  mount -t tmpfs tmpfs /run
  fsid=$(cat /proc/sys/kernel/random/uuid) osd=$(cat /proc/sys/kernel/random/uuid)
  for part in mon mgr mds osd; do mkdir "$place/$part"; done
  cat >"$place/ceph.conf" <<END
[global]
fsid = $fsid
mon host = v2:$ceph_host:3300
public addr = $ceph_host
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data = $place/mon
mgr data = $place/mgr
mds data = $place/mds
osd data = $place/osd
osd objectstore = memstore
memstore device bytes = 2147483648
mon data avail warn = 1
run dir = $place
admin socket = $place/\$name.asok
log file = $place/logs/\$name.log
END
  monmaptool --create --fsid "$fsid" --addv a "[v2:$ceph_host:3300]" "$place/monmap" >>"$place/logs/ceph.log"
  ceph-mon --conf "$place/ceph.conf" --mkfs -i a --monmap "$place/monmap" >>"$place/logs/ceph.log" 2>&1 || return 1
  ceph-mon --conf "$place/ceph.conf" -i a || return 1
  await 60 ceph_do status || return 1
  ceph-mgr --conf "$place/ceph.conf" -i a
  ceph_do osd new "$osd" || return 1
  ceph-osd --conf "$place/ceph.conf" -i 0 --mkfs --osd-uuid "$osd" >>"$place/logs/ceph.log" 2>&1 || return 1
  ceph-osd --conf "$place/ceph.conf" -i 0 >>"$place/logs/ceph.log" 2>&1 || return 1
  ceph_do osd crush add osd.0 1 root=default "host=$(hostname)"
  ceph_do osd pool create meta 8 && ceph_do osd pool create data 8 && ceph_do fs new jobs meta data || return 1
  ceph-mds --conf "$place/ceph.conf" -i a >>"$place/logs/ceph.log" 2>&1
  await 90 mds_is_active || return 1
  for mount in first second; do
    mkdir "$place/$mount"
    ceph-fuse --conf "$place/ceph.conf" --id admin ${options:+-o "$options"} "$place/$mount" >>"$place/logs/$mount.log" 2>&1 || return 1
  done
}

# This is a namespace of processes of our own.
server_away() { pkill -STOP -x 'ceph-osd|ceph-mds'; }
server_back() { pkill -CONT -x 'ceph-osd|ceph-mds'; }
