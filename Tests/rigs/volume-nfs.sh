# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/volumes.sh
# The kernel's NFS server, and two clients of it on hosts, that is network namespaces, of their own. vers=4.2 unless the
# options name another, as in `nfs:vers=3,soft`.
cases=(doctor jobs frozen follow rerun switch held away replies full figures)
nfs_options=vers=4.2${options:+,$options}
origin=$place/volume
backing=$place/volume

volume_version() {
  local version
  version=$(tr , '\n' <<<"$nfs_options" | sed -n 's/^vers=//p' | tail -n 1)
  echo "NFS $version, knfsd, Linux $(uname -r | sed 's/[-+].*//')"
}

# Mounts the volume as $place/$1 from a client of its own, with address 10.98.$2.2.
nfs_mount() {
  host_up "$1" "$2"
  mkdir "$place/$1"
  # shellcheck disable=SC2016 # the inner shell expands them
  # Two clients of one host's name would be one to the server.
  nsenter --net="/run/netns/$1" unshare --uts \
    sh -c 'hostname "$0" && exec mount -t nfs -o "$1" "$2" "$3"' "host-$1" "$nfs_options" "10.98.$2.1:/" "$place/$1"
}

server_threads() { echo "$1" >/proc/fs/nfsd/threads; }

volume_up() {
  mount -t tmpfs tmpfs /run
  mkdir -p /run/netns "$place/disk" "$place/volume"
  mount -t tmpfs tmpfs /var/lib/nfs && mkdir -p /var/lib/nfs/v4recovery /var/lib/nfs/rpc_pipefs
  touch /var/lib/nfs/etab /var/lib/nfs/rmtab
  disk_up 400M
  mount -t nfsd nfsd /proc/fs/nfsd
  mount -t rpc_pipefs rpc_pipefs /var/lib/nfs/rpc_pipefs
  rpcbind -w
  rpc.mountd -N 3 2>/dev/null || rpc.mountd
  nfsdcld 2>/dev/null || true
  # After a restart, the server waits this long for clients to say what they held.
  echo 10 >/proc/fs/nfsd/nfsv4leasetime
  echo 10 >/proc/fs/nfsd/nfsv4gracetime
  exportfs -o rw,sync,no_root_squash,no_subtree_check,fsid=0 "10.98.0.0/16:$place/volume"
  rpc.nfsd 8
  nfs_mount first 1
  nfs_mount second 2
}

# The server carries out what it is asked, but its replies are lost; then it restarts, and is asked again.
disturb() {
  [ $((SECONDS % 6)) = 0 ] || return 0
  iptables -I OUTPUT -p tcp --sport 2049 -m length --length 61:65535 -j DROP
  sleep 0.3
  server_threads 0
  iptables -F OUTPUT
  server_threads 8
}

server_away() { iptables -I INPUT -p tcp --dport 2049 -j DROP; }
server_back() { iptables -F INPUT; }

