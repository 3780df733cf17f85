# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/volumes.sh
# The kernel's NFS server, and two clients of it on hosts, that is network namespaces, of their own.
cases=(jobs replies away)
nfs_options=${NFS_OPTIONS:-vers=4.2}

# Mounts the volume as $place/$1 from a client of its own, with address 10.98.$2.2 and further options $3.
nfs_mount() {
  ip netns add "$1"
  ip link add "to-$1" type veth peer name eth0 netns "$1"
  ip address add "10.98.$2.1/24" dev "to-$1"
  ip link set "to-$1" up
  ip -n "$1" address add "10.98.$2.2/24" dev eth0
  ip -n "$1" link set eth0 up
  ip -n "$1" link set lo up
  mkdir "$place/$1"
  # shellcheck disable=SC2016 # the inner shell expands them
  # Two clients of one host's name would be one to the server.
  nsenter --net="/run/netns/$1" unshare --uts \
    sh -c 'hostname "$0" && exec mount -t nfs -o "$1" "$2" "$3"' "host-$1" "$nfs_options$3" "10.98.$2.1:/" "$place/$1"
}

server_threads() { echo "$1" >/proc/fs/nfsd/threads; }

volume_up() {
  mount -t tmpfs tmpfs /run
  mkdir -p /run/netns "$place/disk" "$place/volume"
  mount -t tmpfs tmpfs "$place/disk"
  mount -t tmpfs tmpfs /var/lib/nfs && mkdir -p /var/lib/nfs/v4recovery /var/lib/nfs/rpc_pipefs
  touch /var/lib/nfs/etab /var/lib/nfs/rmtab
  truncate -s 400M "$place/disk/image"
  mkfs.ext4 -q "$place/disk/image"
  mount -o loop "$place/disk/image" "$place/volume"
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
  nfs_mount first 1 ""
  nfs_mount second 2 ""
  nfs_mount soft 3 ",soft,timeo=30,retrans=1"
}

# The server carries out what it is asked, but its replies are lost; then it restarts, and is asked again.
lose_replies() {
  [ $((SECONDS % 6)) = 0 ] || return 0
  iptables -I OUTPUT -p tcp --sport 2049 -m length --length 61:65535 -j DROP
  sleep 0.3
  server_threads 0
  iptables -F OUTPUT
  server_threads 8
}

case_replies() { kills_each_second replies lose_replies; }

# 20 jobs, half of them on a soft mount, while the server does not answer for 20 s, four leases: the workers end their steps,
# and begin the jobs again when they can.
case_away() {
  loops=()
  mkdir "$place/first/away"
  put away first 1 20 40
  for n in $(seq 10); do loop "away-$n" away first & loops+=($!); done
  for n in $(seq 11 20); do loop "away-$n" away soft & loops+=($!); done
  await 60 members away first 20 || { echo "the workers do not come up" >&2; return 1; }
  send away 1 20
  await 60 has_begun away 20 || { echo "the jobs do not begin" >&2; return 1; }
  iptables -I INPUT -p tcp --dport 2049 -j DROP
  sleep 20
  iptables -F INPUT
  await 180 has_results away second 20 || true
  await $((lease * 6)) is_settled away || true
  finish away
  # The volume could not be read: that is what some of them say.
  excused=74 verdict away 20
}
