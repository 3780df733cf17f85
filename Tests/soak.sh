#!/usr/bin/env bash
# Tests/soak.sh [jobs] [workers]: workers in restart loops over one $share group, one of them killed with SIGKILL at
# random every second, until every job has its result. Says how many results there are, whether any two attempts of a
# job were at work at once (the steps themselves record that), and what was left behind. Exit status 0: all is well.
set -euo pipefail

jobs=${1:-200}
workers=${2:-4}
worker=${MQTT_FS_WORKER:-$(dirname "$0")/../.build/debug/mqtt-fs-worker}
[ -x "$worker" ] || { echo "there is no $worker; run 'swift build' first" >&2; exit 2; }
worker=$(realpath "$worker")

place=$(mktemp -d)
mkdir "$place/jobs" "$place/record"
declare -a loops=()
broker=

finish() {
  touch "$place/stop"
  for pid in "${loops[@]}"; do wait "$pid" 2>/dev/null || true; done
  [ -z "$broker" ] || { kill "$broker" 2>/dev/null || true; wait "$broker" 2>/dev/null || true; }
  rm -rf "$place"
}
trap finish EXIT

port=$((20000 + RANDOM % 20000))
for _ in $(seq 20); do
  printf 'listener %s 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n' "$port" >"$place/mosquitto.conf"
  mosquitto -c "$place/mosquitto.conf" >"$place/mosquitto.log" 2>&1 &
  broker=$!
  for _ in $(seq 50); do
    mosquitto_pub -h 127.0.0.1 -p "$port" -t soak/ready -n 2>/dev/null && break 2
    kill -0 "$broker" 2>/dev/null || break
    sleep 0.1
  done
  port=$((20000 + RANDOM % 20000))
done

# A worker in a restart loop: the pid of its present life lies in a file.
live() {
  while [ ! -e "$place/stop" ]; do
    # shellcheck disable=SC2016 # $share is no variable
    "$worker" --url "mqtt://127.0.0.1:$port" --jobs-dir "$place/jobs" --workspaces-dir "$place/workspaces" \
      --id "$1" --topic '$share/soak/jobs/pending' --lease 3s --max-attempts 1000 --log-level warning \
      2>>"$place/$1.log" &
    echo $! >"$place/$1.pid"
    wait $! 2>/dev/null || true
  done
}
for ((n = 1; n <= workers; n++)); do
  live "worker-$n" 2>/dev/null &
  loops+=($!)
done

cat >"$place/step.sh" <<'STEP'
mine=$RECORD/$JOB_ID
# A process that has ended and is not reaped yet has a pid, but no program.
if [ -e "$mine.pid" ] && readlink "/proc/$(cat "$mine.pid")/exe" >/dev/null; then echo "$JOB_ATTEMPT" >>"$mine.overlap"; fi
echo $$ >"$mine.pid"
sleep 0.2
echo "$JOB_ATTEMPT" >>"$mine.done"
rm "$mine.pid"
STEP
for ((n = 1; n <= jobs; n++)); do
  mkdir "$place/jobs/soak-$n"
  cp "$place/step.sh" "$place/jobs/soak-$n/"
  printf '{"steps": ["sh step.sh"], "env": {"RECORD": "%s/record"}}' "$place" >"$place/jobs/soak-$n/job.json"
done

# The group must exist before the first message: the broker drops what nobody subscribes to.
until [ "$(find "$place/jobs/.worker/members" -name 'worker-*.json' 2>/dev/null | wc -l)" -eq "$workers" ]; do sleep 0.1; done
until mosquitto_pub -V 5 -q 1 -d -h 127.0.0.1 -p "$port" -t jobs/pending -m '{"id":"soak-1"}' |
  grep -q 'RC:0)'; do sleep 0.1; done
for ((n = 2; n <= jobs; n++)); do printf '{"id":"soak-%s"}\n' "$n"; done |
  mosquitto_pub -V 5 -q 1 -h 127.0.0.1 -p "$port" -t jobs/pending -l

results() { find "$place/jobs" -path '*/results/result.json' | wc -l; }
kills=0
deadline=$((SECONDS + 60 + jobs * 3 / workers))
while [ "$(results)" -lt "$jobs" ] && [ "$SECONDS" -lt "$deadline" ]; do
  victim=$(cat "$place/worker-$((RANDOM % workers + 1)).pid")
  if kill -9 "$victim" 2>/dev/null; then kills=$((kills + 1)); fi
  sleep 1
done
# What a killed worker had published, or not, is settled by the next one within a lease.
for _ in $(seq 100); do
  [ -z "$(ls -A "$place/jobs/.worker/claims")" ] && break
  sleep 0.1
done
touch "$place/stop"
for ((n = 1; n <= workers; n++)); do kill "$(cat "$place/worker-$n.pid")" 2>/dev/null || true; done
for pid in "${loops[@]}"; do wait "$pid" 2>/dev/null || true; done
loops=()

count=$(results)
overlaps=$(find "$place/record" -name '*.overlap' | wc -l)
twice=$(find "$place/record" -name '*.done' -exec awk 'END { if (NR > 1) print FILENAME }' {} \; | wc -l)
claims=$(find "$place/jobs/.worker/claims" -type f | wc -l)
tickets=$(find "$place/jobs/.worker/waiting" -type f 2>/dev/null | wc -l)
unsuccessful=$(grep -L '"status" : "success"' "$place"/jobs/*/results/result.json | wc -l)
echo "$jobs jobs, $workers workers, $kills kills: $count results, $unsuccessful not successful;" \
  "$overlaps with two attempts at once, $twice whose step finished more than once;" \
  "$claims claims and $tickets tickets left"
[ "$count" -eq "$jobs" ] && [ "$unsuccessful" -eq 0 ] && [ "$overlaps" -eq 0 ] && [ "$claims" -eq 0 ] && [ "$tickets" -eq 0 ]
