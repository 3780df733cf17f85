#!/bin/sh
# A controller in shell: puts a job's folder on the volume, asks for it to be run, and exits with its exit code.
#
#   submit.sh FOLDER [ID]        ID: the folder's name if it is left out
#
# MQTT_BROKER (localhost), MQTT_PORT (1883), MQTT_JOBS_DIR (./jobs), MQTT_TOPIC (jobs/pending). Needs mosquitto-clients.
# `mqtt-fs-worker submit` does the same and more; this shows how little is needed.
set -eu

if [ $# -lt 1 ] || [ ! -f "$1/job.json" ]; then
  sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
  exit 64
fi
folder=$1
id=${2:-$(basename "$(cd "$folder" && pwd)")}
jobs=${MQTT_JOBS_DIR:-./jobs}
topic=${MQTT_TOPIC:-jobs/pending}
# Of several the last, least urgent one.
topic=${topic##* }
request=$(cat /proc/sys/kernel/random/uuid)

broker="-h ${MQTT_BROKER:-localhost} -p ${MQTT_PORT:-1883} -V 5 -q 1"

# The whole folder appears at once, under a name that nobody else has: a worker must never see half of it.
hidden=$jobs/.submit-$id-$request
trap 'rm -rf "$hidden"' EXIT
trap 'exit 130' HUP INT TERM
cp -a "$folder" "$hidden"
rm -rf "$hidden/results" "$hidden/results.previous"
sync -f "$hidden" 2>/dev/null || sync
mv -n -T "$hidden" "$jobs/$id"
if [ -e "$hidden" ]; then
  echo "submit.sh: $jobs/$id exists already; give another id" >&2
  exit 73
fi

# Listen first. Events are not kept for those who come late; the result is.
messages=$(mktemp)
# shellcheck disable=SC2086 # words, not one
mosquitto_sub $broker -v -t "jobs/events/$id" -t "jobs/results/$id" >"$messages" &
listener=$!
trap 'kill "$listener" 2>/dev/null; rm -rf "$hidden" "$messages"' EXIT

# Answers bear the requestId, so that those to other requests are told apart.
heard() { grep "^$1 " "$messages" | grep -F "\"requestId\":\"$request\"" | tail -n 1; }
result() { heard "jobs/results/$id" | sed 's/^[^ ]* //'; }

# The broker may drop the request (nobody listens), or lose it (it is killed): send it until a worker has it. It is run
# once, because it bears a requestId.
pause=1
until [ -n "$(heard "jobs/events/$id")$(result)" ]; do
  # shellcheck disable=SC2086 # words, not one
  mosquitto_pub $broker -t "$topic" -m "{\"id\":\"$id\",\"requestId\":\"$request\"}" || true
  tries=$((pause * 10))
  while [ "$tries" -gt 0 ] && [ -z "$(heard "jobs/events/$id")$(result)" ]; do
    sleep 0.1
    tries=$((tries - 1))
  done
  if [ "$pause" -lt 60 ]; then pause=$((pause * 2)); fi
done

# The logs grow on the volume: `tail -F "$jobs/$id/results/step_0.log"` would follow the first. This shows them at the end.
while [ -z "$(result)" ]; do sleep 0.1; done
for log in $(find "$jobs/$id/results" -maxdepth 1 -name 'step_*.log' 2>/dev/null | sort -t _ -k 2 -n); do
  cat "$log"
done
result >&2
case $(result) in
  *'"exitCode":'[0-9]*) exit "$(result | sed 's/.*"exitCode":\([0-9]*\).*/\1/')" ;;
  *) exit 1 ;;
esac
