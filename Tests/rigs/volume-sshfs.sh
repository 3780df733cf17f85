# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/volumes.sh
# A sshd of its own on loopback, with a key made for it, and three sshfs clients; the third's clock is 120 s ahead.
cases=(doctor jobs clocks frozen follow rerun switch held away figures)
origin=$place/volume

volume_version() { echo "sshfs $(sshfs -V 2>&1 | sed -n 's/^SSHFS version //p'), $(ssh -V 2>&1 | cut -d ' ' -f 1 | tr _ ' ')"; }

sshfs_mount() {
  mkdir "$place/$1"
  # The command reads its standard input when it has to ask.
  "${@:2}" sshfs -p 2222 -o "IdentityFile=$place/key,StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null${options:+,$options}" \
    "root@127.0.0.1:$place/volume" "$place/$1" </dev/null 2>>"$place/logs/$1.log"
}

volume_up() {
  local ahead
  mkdir "$place/volume"
  mount -t tmpfs tmpfs /run
  mkdir /run/sshd
  ssh-keygen -q -t ed25519 -N '' -f "$place/key"
  ssh-keygen -q -t ed25519 -N '' -f "$place/host_key"
  cat >"$place/sshd_config" <<END
ListenAddress 127.0.0.1:2222
HostKey $place/host_key
AuthorizedKeysFile $place/key.pub
StrictModes no
PasswordAuthentication no
UsePAM no
PidFile none
Subsystem sftp /usr/lib/openssh/sftp-server
END
  /usr/sbin/sshd -D -f "$place/sshd_config" -E "$place/logs/sshd.log" &
  await 20 sshfs_mount first || return 1
  sshfs_mount second || return 1
  # A touch's time comes from the client, that of creation and writing from the server.
  sshfs_mount ahead env LD_PRELOAD="$(find /usr/lib -name libfaketimeMT.so.1 | head -n 1)" FAKETIME=+120s \
    FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1
  touch "$place/ahead/probe" && touch "$place/ahead/probe"
  ahead=$(($(stat -c %Y "$place/ahead/probe") - $(date +%s)))
  rm "$place/ahead/probe"
  if [ "$ahead" -lt 115 ]; then
    echo "times of the mount that should be 120 s ahead are $ahead s ahead: clocks is left out" >&2
    cases=(doctor jobs frozen follow rerun switch held away figures)
  fi
}

# This is a namespace of processes of our own.
server_away() { pkill -STOP -x 'sshd|sftp-server'; }
server_back() { pkill -CONT -x 'sshd|sftp-server'; }
