#!/bin/sh
# Runs the worker in real containers, as compose.yaml has it, and says by its exit status whether all went well.
#
#   Tests/containers.sh          a broker, 3 workers, 10 jobs: each worker is restarted by the engine
#   Tests/containers.sh chaos    4 workers, 60 jobs, a kill every 2 s, a restart of the broker, then 2 workers
#   Tests/containers.sh tls      the profile with TLS, accounts and least rights: 2 workers, 6 jobs
#   Tests/containers.sh all      all of them
#
# The profile with EMQX is not run: its form is checked (ExampleTests), and no more.
#
# Environment (defaults): ENGINE (docker), COMPOSE (docker compose), the images SWIFT_IMAGE, BASE_IMAGE and
# MOSQUITTO_IMAGE as in compose.yaml, and BUILD_OPTIONS, further options of `$ENGINE build`. With podman:
#   ENGINE=podman COMPOSE="podman-compose --in-pod=false" Tests/containers.sh
# For tls, mosquitto-clients, mosquitto_passwd and openssl are needed on the host, as its README has it; run as root, for the
# owners of the secrets. Containers, networks and volumes are removed at the end; the worker's image stays.
set -eu

cd "$(dirname "$0")/.."
engine=${ENGINE:-docker}
compose=${COMPOSE:-docker compose}
project=mqtt-fs-worker-test-$$
export SWIFT_IMAGE="${SWIFT_IMAGE:-swift:6.3-bookworm}" BASE_IMAGE="${BASE_IMAGE:-debian:bookworm-slim}"
export WORKER_IMAGE="${WORKER_IMAGE:-localhost/mqtt-fs-worker:test}"
# Settings of the reader's own, which compose.yaml would pass on.
for name in $(env | sed -n 's/^\(\(MQTT\|JOB\|WORKER\|LOG\)_[A-Z_]*\)=.*/\1/p' | grep -v WORKER_IMAGE); do unset "$name"; done
unset JOBS_DIR JOBS_TOPIC BROKER_SECRETS
# The port of the broker on this host.
export BROKER_PORT="${BROKER_PORT:-$((20000 + $$ % 20000))}"
# A short lease, so that the jobs and queues of dead workers are taken over within seconds; and attempts enough for a job
# that is hit again and again.
export JOB_LEASE=6s JOB_MAX_ATTEMPTS=20

say() { printf '\n== %s\n' "$*"; }
fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# Runs a command again and again until it succeeds, for at most $1 seconds.
await() {
  end=$(($(date +%s) + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$end" ] || return 1
    sleep 0.3
  done
}

# --- The containers -------------------------------------------------------------------------------------------------

# shellcheck disable=SC2086 # the command may be two words
compose() { $compose -p "$project" "$@"; }

# The containers of a service: the running ones, or all with -a.
containers() {
  service=$1
  shift
  "$engine" ps -q "$@" --filter "label=com.docker.compose.project=$project" \
    --filter "label=com.docker.compose.service=$service"
}

count() { containers "$@" | wc -l; }
host_name() { "$engine" inspect -f '{{.Config.Hostname}}' "$1"; }
restarts() { "$engine" inspect -f '{{.RestartCount}}' "$1"; }
in_broker() { "$engine" exec "$(containers broker)" "$@"; }

# Runs a shell script, given on stdin, in a container of its own that has the volume at /jobs.
on_volume() {
  "$engine" run --rm -i --network none -v "${project}_jobs:/jobs" --entrypoint sh "$WORKER_IMAGE" -s -- "$@"
}

# Starts the broker and $1 workers, and waits until all of them have a session.
start() {
  compose up -d --no-build --scale "worker=$1"
  await 60 has_sessions "$1" || fail "$1 workers should have a session with the broker"
}

# Takes workers away until $1 are left, as Docker's compose does at a smaller scale. podman-compose leaves them all: there
# the newest are stopped and removed here.
shrink() {
  compose up -d --no-build --no-recreate --scale "worker=$1"
  # All, for one that is just being restarted runs again in a moment.
  for container in $(containers worker -a); do
    if [ "$("$engine" inspect -f '{{index .Config.Labels "com.docker.compose.container-number"}}' "$container")" -gt "$1" ]; then
      "$engine" stop -t 30 "$container" >/dev/null
      "$engine" rm -f -v "$container" >/dev/null
    fi
  done
}

has_sessions() {
  [ "$(echo 'find /jobs/.worker/members -name "worker-*.json" | wc -l' | on_volume)" = "$1" ]
}

everything() { "$engine" ps -q -a --filter "label=com.docker.compose.project=$project"; }

# Runs the health check of compose.yaml in each worker: that it is well, on a read-only root. podman runs health checks only
# where there is systemd, so it is read from the container and run here.
are_well() {
  [ "$(count worker)" = "$1" ] || return 1
  for container in $(containers worker); do
    check=$("$engine" inspect -f '{{range .Config.Healthcheck.Test}}{{.}} {{end}}' "$container")
    [ "$check" = "CMD mqtt-fs-worker health " ] || fail "the health check of a worker is '$check'"
    # shellcheck disable=SC2086 # words, as just read
    "$engine" exec "$container" ${check#CMD } || return 1
  done
}

show_logs() {
  for container in $(everything); do
    echo "--- the last lines of $container"
    "$engine" logs --tail 30 "$container" 2>&1 || true
  done
}

clean_up() {
  status=$?
  trap - EXIT
  touch "$stop_killing"
  [ -z "$killer" ] || wait "$killer" || true
  [ "$status" = 0 ] || show_logs
  compose down -v -t 5 >/dev/null 2>&1 || true
  # What compose does not know any more.
  for container in $(containers worker -a) $(everything); do
    "$engine" rm -f -v "$container" >/dev/null || true
  done
  for volume in $("$engine" volume ls -q --filter "name=$project"); do
    "$engine" volume rm -f "$volume" >/dev/null 2>&1 || true
  done
  "$engine" network rm "${project}_default" >/dev/null 2>&1 || true
  rm -rf "$scratch"
  exit "$status"
}

# --- Jobs -----------------------------------------------------------------------------------------------------------

# Puts jobs $1 to $2 on the volume. Their step says who runs it, and writes a trace of its life beside the jobs: lines of
# "begin", "tick" and "end" with the number of the attempt.
drop() {
  on_volume "$1" "$2" <<'EOF'
set -eu
mkdir -p /jobs/.trace
for n in $(seq "$1" "$2"); do
  folder=/jobs/job_$n
  mkdir "$folder"
  cat >"$folder/work.sh" <<'END'
#!/bin/sh
trace=$(dirname "$JOB_RESULTS_DIR")/../.trace/$JOB_ID
echo "begin $JOB_ATTEMPT" >>"$trace"
for _ in 1 2 3 4 5; do
  sleep 0.2
  echo "tick $JOB_ATTEMPT" >>"$trace"
done
echo "uid $(id -u)"
grep -E '^(CapEff|NoNewPrivs)' /proc/self/status
touch /probe 2>/dev/null && echo "root is writable" || echo "root is read-only"
mkdir -p out/deep && echo "job $JOB_ID" >out/deep/artifact
echo "end $JOB_ATTEMPT" >>"$trace"
END
  chmod +x "$folder/work.sh"
  echo '{"steps": ["./work.sh"]}' >"$folder/job.json"
done
EOF
}

# Signals job $1, for its run $2. A careful sender tries again until the broker has taken the request and somebody is there
# to get it.
signal() {
  await 60 taken "$1" "${2:-1}" || fail "the broker should take the request for job_$1"
}

# PUBACK 0x10 means that nobody is subscribed (MQTT 5, section 3.4.2.1): such a message is gone.
taken() {
  in_broker mosquitto_pub -d -V 5 -q 1 -t jobs/pending -m "{\"id\":\"job_$1\",\"requestId\":\"request-$1-$2\"}" 2>&1 |
    grep -q 'RC:0)'
}

has_results() {
  [ "$(echo 'find /jobs -path "/jobs/job_*/results/result.json" | wc -l' | on_volume)" -ge "$1" ]
}

# The numbers of the jobs that the worker on host $1 ended because it was stopped. The traces of those runs are put aside:
# their sender asks for another.
interrupted_on() {
  on_volume "$1" <<'EOF'
set -eu
for result in /jobs/job_*/results/result.json; do
  grep -q "\"host\" *: *\"$1\"" "$result" || continue
  grep -q '"reason" *: *"shutdown"' "$result" || continue
  id=$(basename "${result%/results/result.json}")
  # There is none of one that was stopped before its step began.
  [ ! -e "/jobs/.trace/$id" ] || mv "/jobs/.trace/$id" "/jobs/.trace/$id.interrupted"
  echo "${id#job_}"
done
EOF
}

# What must be so when all jobs are done: each has one successful result, of its last attempt; no attempt ran twice, or
# beside another; and nothing is left of how it came about.
check_jobs() {
  on_volume "$1" <<'EOF'
set -eu
wrong() {
  echo "job_$n: $*" >&2
  cat "/jobs/.trace/job_$n" "/jobs/job_$n/results/result.json" >&2 || true
  exit 1
}
for n in $(seq 1 "$1"); do
  results=/jobs/job_$n/results
  grep -Eq '"status" *: *"success"' "$results/result.json" || wrong "no success"
  [ "$(cat "$results/out/deep/artifact")" = "job job_$n" ] || wrong "the artifact is not what the job wrote"
  attempt=$(sed -n 's/.*"attempt" *: *\([0-9]*\).*/\1/p' "$results/result.json")
  [ "$(tail -n 1 "/jobs/.trace/job_$n")" = "end $attempt" ] || wrong "it ran again after the attempt that has the result"
  [ -z "$(grep '^begin' "/jobs/.trace/job_$n" | uniq -d)" ] || wrong "an attempt ran twice"
  cut -d ' ' -f 2 "/jobs/.trace/job_$n" | sort -n -c 2>/dev/null || wrong "two attempts ran at once"
  grep -q '^uid [1-9]' "$results/step_0.log" || wrong "it ran as root"
  grep -q 'CapEff:.0000000000000000' "$results/step_0.log" || wrong "it had capabilities"
  grep -q 'NoNewPrivs:.1' "$results/step_0.log" || wrong "it could have gained privileges"
  grep -q '^root is read-only' "$results/step_0.log" || wrong "it could write to the root file system"
done
left=$(find /jobs/.worker/claims /jobs/.worker/waiting -type f 2>/dev/null || true)
[ -z "$left" ] || { echo "left over: $left" >&2; exit 1; }
EOF
}

# The retained result messages, one a line.
result_messages() { in_broker mosquitto_sub -V 5 -q 1 -v -t 'jobs/results/#' -W 3 2>/dev/null || true; }

check_messages() {
  messages=$(result_messages)
  [ "$(echo "$messages" | grep -c '"status":"success"')" = "$1" ] || fail "$1 result messages expected: $messages"
}

# --- The runs ---------------------------------------------------------------------------------------------------

restarted() {
  say "3 workers, 10 jobs"
  start 3
  drop 1 10
  for n in $(seq 10); do signal "$n"; done
  await 120 has_results 10 || fail "10 results expected"
  await 30 all_restarted || fail "each worker should have been restarted by the engine"
  check_jobs 10
  check_messages 10
  await 30 are_well 3 || fail "three workers should say that they are well"
  for container in $(containers worker); do
    echo "$container: $(restarts "$container") restarts"
  done
  say "10 jobs, 10 results, every worker restarted by the engine, not root, on a read-only root"
}

all_restarted() {
  [ "$(count worker)" = 3 ] || return 1
  for container in $(containers worker); do
    [ "$(restarts "$container")" -gt 0 ] || return 1
  done
}

chaos() {
  say "4 workers, 60 jobs, one worker killed every 2 s"
  start 4
  drop 1 60
  kill_workers &
  killer=$!
  for n in $(seq 40); do
    signal "$n"
    if [ "$n" = 20 ]; then
      say "The broker is restarted"
      "$engine" restart -t 5 "$(containers broker)" >/dev/null
    fi
  done
  await 300 has_results 20 || fail "20 results expected while workers are killed"
  touch "$stop_killing"
  wait "$killer"
  killer=

  say "From 4 workers to 2"
  for container in $(containers worker); do echo "$container $(host_name "$container")"; done >"$scratch/names"
  shrink 2
  await 60 two_workers || fail "2 workers should be left, not $(count worker)"
  # A worker that is stopped in the middle of a job ends it; whoever sent it signals it again.
  for name in $(departed); do interrupted_on "$name"; done >"$scratch/interrupted"
  [ "$(wc -l <"$scratch/interrupted")" -le 2 ] || fail "2 workers departed, and ended more than 2 jobs"
  while read -r n; do signal "$n" 2; done <"$scratch/interrupted"
  for n in $(seq 41 60); do signal "$n"; done
  await 300 has_results 60 || fail "60 results expected"
  # A job that runs again shows its earlier result until then; and a worker removes its claim after it has published.
  await 120 check_jobs 60 || check_jobs 60
  check_messages 60
  for name in $(departed); do check_departed "worker-$name"; done
  say "60 jobs, 60 results, none twice, nothing left with a worker that departed ($(cat "$scratch/kills") kills," \
    "$(wc -l <"$scratch/interrupted") jobs ended by the stop of their worker and sent again)"
}

# Kills a worker every 2 s, in turn, and starts it again: engines differ in whether they restart what they killed.
kill_workers() {
  kills=0
  while [ ! -e "$stop_killing" ]; do
    sleep 2
    victim=$(containers worker -a | sort | sed -n "$((kills % 4 + 1))p")
    "$engine" kill -s KILL "$victim" >/dev/null 2>&1 || true
    kills=$((kills + 1))
    echo "$kills" >"$scratch/kills"
    await 20 start_again "$victim" || true
  done
}

start_again() {
  "$engine" start "$1" && [ "$("$engine" inspect -f '{{.State.Running}}' "$1")" = true ]
}

# The host names of the workers in $scratch/names that are there no more.
departed() {
  while read -r container name; do
    containers worker | grep -q "$container" || echo "$name"
  done <"$scratch/names"
}

two_workers() { [ "$(count worker)" = 2 ]; }

tls() {
  say "TLS, accounts and least rights: 2 workers, 6 jobs"
  examples/compose/secrets.sh "$scratch/secrets"
  export WORKER_SECRETS="$scratch/secrets/worker" BROKER_SECRETS="$scratch/secrets/broker" MQTT_TLS_PORT="${TLS_PORT:-28883}"
  # Images differ in the number of the user that mosquitto becomes.
  broker_user=$("$engine" run --rm --network none --entrypoint id "${MOSQUITTO_IMAGE:-eclipse-mosquitto:2}" -u mosquitto)
  chown -R "$broker_user" "$BROKER_SECRETS"
  compose --env-file examples/compose/tls.env --profile tls up -d --no-build --scale broker=0 --scale worker=2
  # podman-compose starts the plain broker all the same, for workers depend on it; they and the requests go past it.
  await 60 has_sessions 2 || fail "2 workers should have a session with the broker"
  drop 1 6
  for n in 1 2 3 4 5 6; do await 30 taken_over_tls "$n" || fail "the broker should take the request for job_$n from a controller"; done
  await 120 has_results 6 || fail "6 results expected"
  await 30 check_jobs 6 || check_jobs 6
  for n in 1 2 3 4 5 6; do await 30 is_told_over_tls "$n" || fail "the result message of job_$n expected"; done
  # podman now and then leaves one of them stopped that another container hangs together with; Docker does not.
  for container in $(containers worker -a); do await 20 start_again "$container" || true; done
  await 30 are_well 2 || fail "both workers should say that they are well"
  say "Strangers are kept out"
  secrets=$scratch/secrets/controller
  plain_request="-h localhost -p $MQTT_TLS_PORT -t jobs/pending -q 1 -m {}"
  # shellcheck disable=SC2086 # words
  ! mosquitto_pub $plain_request 2>/dev/null || fail "a client without TLS got in"
  # shellcheck disable=SC2086
  ! mosquitto_pub $plain_request --cafile "$secrets/ca.crt" 2>/dev/null || fail "a client without a certificate got in"
  # shellcheck disable=SC2086
  ! mosquitto_pub $plain_request --cafile "$secrets/ca.crt" --cert "$secrets/controller.crt" --key "$secrets/controller.key" 2>/dev/null ||
    fail "a client without a password got in"
  say "6 jobs, 6 results over TLS; nobody without certificate and password"
}

# What a controller does from the host: a command of mosquitto's clients, with what examples/compose/README.md gives them.
over_tls() {
  program=$1
  shift
  secrets=$scratch/secrets/controller
  "$program" -h localhost -p "$MQTT_TLS_PORT" --cafile "$secrets/ca.crt" --cert "$secrets/controller.crt" \
    --key "$secrets/controller.key" -u controller -P "$(cat "$secrets/controller.password")" -V 5 -q 1 "$@"
}

taken_over_tls() {
  over_tls mosquitto_pub -d -t jobs/pending -m "{\"id\":\"job_$1\",\"requestId\":\"request-$1\"}" 2>&1 | grep -q 'RC:0)'
}

is_told_over_tls() { over_tls mosquitto_sub -t "jobs/results/job_$1" -C 1 -W 3 | grep -q '"status":"success"'; }

# A departed worker is no member any more, and its session holds nothing.
check_departed() {
  await 60 is_no_member "$1" || fail "$1 departed and is still a member"
  queued=$(in_broker mosquitto_sub -V 5 -q 1 -c -x 1 -i "$1" -v -t nothing/here -W 2 2>/dev/null || true)
  [ -z "$queued" ] || fail "$1 departed, and its session still holds: $queued"
}

is_no_member() { [ "$(echo "find /jobs/.worker/members -name '$1*' | wc -l" | on_volume)" = 0 ]; }

case ${1:-restarted} in
  restarted) runs=restarted ;;
  chaos | tls) runs=$1 ;;
  all) runs="restarted chaos tls" ;;
  *)
    sed -n '2,/^set -eu/ { s/^# \{0,1\}//p; }' "$0" >&2
    exit 64
    ;;
esac

say "Images"
# shellcheck disable=SC2086 # a list of options
"$engine" build ${BUILD_OPTIONS:-} --build-arg "SWIFT_IMAGE=$SWIFT_IMAGE" --build-arg "BASE_IMAGE=$BASE_IMAGE" \
  -t "$WORKER_IMAGE" .
label=$("$engine" inspect -f '{{index .Config.Labels "org.opencontainers.image.version"}}' "$WORKER_IMAGE")
version=$("$engine" run --rm --network none "$WORKER_IMAGE" --version)
[ "${version##* }" = "$label" ] || fail "the image says that it is version '$label', and holds '$version'"

for run in $runs; do
  (
    project=$project-$run
    scratch=$(mktemp -d)
    stop_killing=$scratch/stop
    killer=
    trap 'clean_up' EXIT
    trap 'exit 1' HUP INT TERM
    "$run"
  )
done
