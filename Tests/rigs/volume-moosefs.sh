# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/volumes.sh
# MooseFS: a master, a chunk server and two clients.
cases=(doctor jobs frozen follow rerun switch held away figures)
# It takes no address of 127.0.0.0/8 for a chunk server.
moosefs_host=10.99.0.1

volume_version() { echo "MooseFS $(dpkg-query -W -f '${Version}' moosefs-master | sed 's/-.*//')"; }

volume_up() {
  ip address add "$moosefs_host/32" dev lo
  mkdir -p "$place/master" "$place/chunks" "$place/chunk-server"
  printf 'MFSM NEW' >"$place/master/metadata.mfs"
  echo '* / rw,alldirs,maproot=0' >"$place/mfsexports.cfg"
  echo "$place/chunks" >"$place/mfshdd.cfg"
  : >"$place/mfstopology.cfg"
  cat >"$place/mfsmaster.cfg" <<END
WORKING_USER = root
WORKING_GROUP = root
DATA_PATH = $place/master
EXPORTS_FILENAME = $place/mfsexports.cfg
TOPOLOGY_FILENAME = $place/mfstopology.cfg
LOCK_MEMORY = 0
END
  cat >"$place/mfschunkserver.cfg" <<END
WORKING_USER = root
WORKING_GROUP = root
DATA_PATH = $place/chunk-server
HDD_CONF_FILENAME = $place/mfshdd.cfg
HDD_LEAVE_SPACE_DEFAULT = 256MiB
MASTER_HOST = $moosefs_host
CSSERV_LISTEN_HOST = $moosefs_host
LOCK_MEMORY = 0
END
  mfsmaster -c "$place/mfsmaster.cfg" start >"$place/logs/master" 2>&1 || return 1
  mfschunkserver -c "$place/mfschunkserver.cfg" start >"$place/logs/chunk-server" 2>&1 || return 1
  mkdir "$place/first" "$place/second"
  for mount in first second; do
    mfsmount -H "$moosefs_host" "$place/$mount" ${options:+-o "$options"} >>"$place/logs/$mount.log" 2>&1 || return 1
  done
  # The chunk server comes after the master.
  await 60 cp /etc/hostname "$place/first/probe" || return 1
  rm "$place/first/probe"
  # One copy, for there is one chunk server.
  mfssetgoal -r 1 "$place/first" >>"$place/logs/first.log" 2>&1
}

# This is a namespace of processes of our own.
server_away() { pkill -STOP -x 'mfsmaster|mfschunkserver'; }
server_back() { pkill -CONT -x 'mfsmaster|mfschunkserver'; }
