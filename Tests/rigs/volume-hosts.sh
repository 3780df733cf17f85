# shellcheck shell=bash disable=SC2154 # for Tests/volumes.sh
# What the kinds with a server and clients in the kernel share.

# A host of its own for a client: a network namespace $1, with address 10.98.$2.2; this one is 10.98.$2.1 to it.
host_up() {
  ip netns add "$1"
  ip link add "to-$1" type veth peer name eth0 netns "$1"
  ip address add "10.98.$2.1/24" dev "to-$1"
  ip link set "to-$1" up
  ip -n "$1" address add "10.98.$2.2/24" dev eth0
  ip -n "$1" link set eth0 up
  ip -n "$1" link set lo up
}

# ext4 of size $1 in memory, at $place/volume, for a server.
disk_up() {
  mount -t tmpfs tmpfs "$place/disk"
  truncate -s "$1" "$place/disk/image"
  mkfs.ext4 -q -m 0 "$place/disk/image"
  mount -o loop "$place/disk/image" "$place/volume"
}
