#!/bin/sh
# Has a job run once in a slot of time, however often and on however many hosts this is called.
#
#   scheduled.sh FOLDER SLOT [OPTION...]
#
# SLOT is minute, hour, day, week or month, for the present one by UTC, or its name, as 20261130, to make up for one that was
# missed. The job's id is the folder's name and the slot's: who comes second finds the id taken, and is content. OPTIONs
# go to `mqtt-fs-worker submit`, which also reads MQTT_URL, MQTT_JOBS_DIR and so on.
#
# Quiet if the job succeeds, or has run; else it prints the job's output, and exits as submit does. On this host it runs no
# job of a folder beside another one of it.
set -eu

if [ $# -lt 2 ] || [ ! -d "$1" ]; then
  sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0" >&2
  exit 64
fi
folder=$(cd "$1" && pwd)
case $2 in
  minute) slot=$(date -u +%Y%m%dT%H%M) ;;
  hour) slot=$(date -u +%Y%m%dT%H) ;;
  day) slot=$(date -u +%Y%m%d) ;;
  week) slot=$(date -u +%G-W%V) ;;
  month) slot=$(date -u +%Y-%m) ;;
  *) slot=$2 ;;
esac
id=$(basename "$folder")-$slot
shift 2

# The lock is on the folder itself, and lasts until the job has ended.
exec 9<"$folder"
locked=0
flock -n 9 || locked=$?
if [ "$locked" = 1 ]; then
  echo "scheduled.sh: a job of $folder still runs; $id is left out" >&2
  exit 0
fi
[ "$locked" = 0 ] || exit 71

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' HUP INT TERM
status=0
mqtt-fs-worker submit --json --id "$id" "$@" "$folder" >"$scratch/result" 2>"$scratch/output" || status=$?
# 73 without a result, which may be the job's own 73: the id is taken, so the slot has its job.
if [ "$status" = 73 ] && [ ! -s "$scratch/result" ]; then exit 0; fi
[ "$status" = 0 ] || cat "$scratch/output" "$scratch/result" >&2
exit "$status"
