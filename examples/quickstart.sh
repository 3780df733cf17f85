#!/bin/sh
# Builds the worker and has it run the job in examples/hello, through a broker of its own. Everything that it starts it
# ends; everything that it makes, but the build and installed packages, it removes. It can be run again at any time.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
job=job_2026_01
worker=quickstart

# mosquitto lies in /usr/sbin, which is not in everybody's PATH.
PATH=$PATH:/usr/sbin:/sbin

say() { printf '\n== %s\n' "$*"; }
fail() {
  echo "quickstart: $*" >&2
  exit 1
}

# Runs a command again and again until it succeeds; fails after a minute, or when process $1 is gone.
await() {
  process=$1
  shift
  tries=600
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] && kill -0 "$process" 2>/dev/null || return 1
    sleep 0.1
  done
}

# Settings in the environment would come before the defaults that are shown here.
for name in $(env | sed -n 's/^\(MQTT_[A-Z_]*\)=.*/\1/p; s/^\(JOB_[A-Z_]*\)=.*/\1/p; s/^\(WORKER_[A-Z_]*\)=.*/\1/p'); do
  unset "$name"
done

say "What is needed"
command -v swift >/dev/null || fail "there is no 'swift' in PATH; install a Swift 6.2 or later from https://www.swift.org/install"
"$root/.ci/install-packages" libmosquitto-dev libssl-dev mosquitto mosquitto-clients
echo "swift, libmosquitto-dev, libssl-dev, mosquitto and mosquitto-clients are here"

say "A release build (the first takes some minutes)"
swift build --package-path "$root" -c release --static-swift-stdlib --toolset "$root/toolset.json" --product mqtt-fs-worker --disable-local-rpath
bin=$(swift build --package-path "$root" -c release --static-swift-stdlib --toolset "$root/toolset.json" --show-bin-path)
ls -lh "$bin/mqtt-fs-worker"

scratch=$(mktemp -d)
started=
# shellcheck disable=SC2329,SC2317 # called by the trap
clean_up() {
  for pid in $started; do kill "$pid" 2>/dev/null || true; done
  wait
  rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM

say "A broker of our own, on a free port of 127.0.0.1"
mkdir "$scratch/broker" "$scratch/volume" "$scratch/workspaces"
broker=
for _ in 1 2 3 4 5 6 7 8; do
  port=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 10000))
  cat >"$scratch/broker/mosquitto.conf" <<EOF
listener $port 127.0.0.1
allow_anonymous true
persistence true
persistence_location $scratch/broker/
log_dest file $scratch/broker/log
log_type all
user $(id -un)
EOF
  : >"$scratch/broker/log"
  mosquitto -c "$scratch/broker/mosquitto.conf" >"$scratch/broker/output" 2>&1 &
  broker=$!
  if await "$broker" grep -q ' running$' "$scratch/broker/log"; then
    started="$started $broker"
    break
  fi
  wait "$broker" || true
  broker=
done
[ -n "$broker" ] || fail "mosquitto does not start: $(cat "$scratch/broker/log" "$scratch/broker/output")"
echo "mosquitto $broker listens on port $port"

say "A job on the shared volume"
cp -R "$root/examples/hello" "$scratch/volume/$job"
cat "$scratch/volume/$job/job.json"

say "A worker waits for one job"
set -- -u "mqtt://127.0.0.1:$port" -i "$worker" -j "$scratch/volume" -w "$scratch/workspaces" --log-format text \
  --idle-timeout 2m
echo "\$ mqtt-fs-worker $*"
"$bin/mqtt-fs-worker" "$@" 2>"$scratch/worker.log" &
pid=$!
started="$started $pid"
await "$pid" grep -q "Sending SUBACK to $worker\$" "$scratch/broker/log" ||
  fail "the worker does not subscribe: $(cat "$scratch/worker.log")"
mosquitto_sub -h 127.0.0.1 -p "$port" -V 5 -q 1 -v -i quickstart-listener -t 'jobs/#' >"$scratch/messages" &
listener=$!
started="$started $listener"
await "$listener" grep -q 'Sending SUBACK to quickstart-listener$' "$scratch/broker/log" || fail "nobody listens"

say "The doorbell"
echo "\$ mosquitto_pub -V 5 -q 1 -t jobs/pending -m '{\"id\":\"$job\"}'"
mosquitto_pub -h 127.0.0.1 -p "$port" -V 5 -q 1 -t jobs/pending -m "{\"id\":\"$job\"}"
status=0
wait "$pid" || status=$?
await "$listener" grep -q "^jobs/results/$job " "$scratch/messages" || true

say "The worker's log (exit status $status)"
cat "$scratch/worker.log"
say "What the steps said: results/step_N.log"
(cd "$scratch/volume/$job/results" && for log in step_*.log; do sed "s/^/$log: /" "$log"; done)
say "The result on the volume: results/result.json"
cat "$scratch/volume/$job/results/result.json"
say "The result message, kept by the broker for those who come late"
result=$(mosquitto_sub -h 127.0.0.1 -p "$port" -V 5 -q 1 -C 1 -W 10 -t "jobs/results/$job" || true)
echo "$result"

case $status:$result in
  0:*'"status":"success"'*) ;;
  *) fail "the job should have ended with status success, and the worker with 0; see above" ;;
esac

say "In short: mqtt-fs-worker status $job"
"$bin/mqtt-fs-worker" status "$job" -j "$scratch/volume"
cat <<EOF

== Next
The program is $bin/mqtt-fs-worker
What was shown here is removed again. For a folder of your own with a job.json (examples/hello is one), with a broker on
localhost:
  mqtt-fs-worker --jobs 0 -t '\$share/workers/jobs/pending' -j ./jobs &   # a worker, for one job after the other
  mqtt-fs-worker submit ./my-job -j ./jobs   # runs the job, shows its output, exits with its exit code
docs/jobs.md says what else a job can have, docs/README.md where to find the rest, and 'mqtt-fs-worker --help' what else there
is to do.
EOF
