# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/volumes.sh
# Samba, and two of the kernel's clients on hosts, that is network namespaces, of their own.
cases=(doctor jobs frozen follow rerun switch held away full figures)
smb_options=vers=3.1.1,username=root,password=secret${options:+,$options}
origin=$place/volume
backing=$place/volume

volume_version() { echo "SMB 3.1.1, samba $(smbd --version | sed 's/^Version //; s/-.*//'), Linux $(uname -r | sed 's/[-+].*//')"; }

# Mounts the volume as $place/$1 from a client of its own, with address 10.98.$2.2.
smb_mount() {
  host_up "$1" "$2"
  mkdir "$place/$1"
  nsenter --net="/run/netns/$1" mount -t cifs -o "$smb_options" "//10.98.$2.1/jobs" "$place/$1"
}

volume_up() {
  mount -t tmpfs tmpfs /run
  mkdir -p /run/netns /run/samba "$place/disk" "$place/volume" "$place/samba"
  disk_up 400M
  cat >"$place/smb.conf" <<END
[global]
  private dir = $place/samba
  lock directory = $place/samba
  state directory = $place/samba
  cache directory = $place/samba
  pid directory = $place/samba
  log file = $place/logs/smbd
  server role = standalone server
  disable spoolss = yes
  load printers = no
[jobs]
  path = $place/volume
  read only = no
  valid users = root
END
  printf 'secret\nsecret\n' | smbpasswd -c "$place/smb.conf" -s -a root >>"$place/logs/smbpasswd" 2>&1 || return 1
  smbd --configfile "$place/smb.conf" --foreground --no-process-group >>"$place/logs/smbd.out" 2>&1 &
  host_up probe 9
  await 60 smbclient --configfile "$place/smb.conf" -U root%secret -c ls //10.98.9.1/jobs >>"$place/logs/smbclient" 2>&1 || return 1
  smb_mount first 1 && smb_mount second 2
}

server_away() { iptables -I INPUT -p tcp --dport 445 -j DROP; }
server_back() { iptables -F INPUT; }
