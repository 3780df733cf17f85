# shellcheck shell=bash disable=SC2154 # for Tests/volumes.sh
# What is done on a volume with many jobs, and what the cases share. Each has a folder of its own on it, below which the jobs lie.
lease=5

broker_up() {
  printf 'listener 1883 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n' >"$place/mosquitto.conf"
  mosquitto -v -c "$place/mosquitto.conf" >"$place/logs/mosquitto.log" 2>&1 &
  until mosquitto_pub -h 127.0.0.1 -t ready -n 2>/dev/null; do sleep 0.1; done
  mosquitto_sub -h 127.0.0.1 -V 5 -q 1 -t 'jobs/results/#' -t 'jobs/events/#' -F '%U %t %p' >"$place/logs/messages" &
}

# Waits for at most $1 seconds until a command succeeds.
await() {
  local end=$((SECONDS + $1))
  until "${@:2}"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.2
  done
}

# Runs worker $1 on mount $2 for case $3, as on a host of its own; further arguments are the worker's.
work() {
  # shellcheck disable=SC2016 # the inner shell expands them
  local program=(unshare --uts sh -c 'hostname "$0" && exec "$@"' "host-$2" "$worker")
  # shellcheck disable=SC2016 # $share is no variable
  exec "${program[@]}" --url mqtt://127.0.0.1 --jobs-dir "$place/$2/$3" --workspaces-dir "$place/workspaces-$2" --id "$1" \
    --topic "\$share/$3/$3/pending" --results-topic jobs/results --lease "${lease}s" --log-format text "${@:4}" \
    >>"$place/logs/$3-$1.log" 2>&1
}

# A restart loop; the pid of the present life lies in a file, and so does each exit status but 0.
loop() {
  while [ ! -e "$place/stop-$2" ]; do
    (work "$1" "$3" "$2" "${@:4}") &
    echo $! >"$place/$1.pid"
    wait $! 2>/dev/null || echo "$1 $?" >>"$place/record/$2.exits"
  done
}

# Puts jobs $3 to $4 of case $1 on mount $2, whose step takes $5 seconds.
put() {
  cat >"$place/step.sh" <<'STEP'
mine=$RECORD/$JOB_ID
echo "$JOB_ATTEMPT" >>"$mine.begun"
# A process that has ended and is not reaped yet has a pid, but no program.
if [ -e "$mine.pid" ] && readlink "/proc/$(cat "$mine.pid")/exe" >/dev/null; then echo "$JOB_ATTEMPT" >>"$mine.overlap"; fi
echo $$ >"$mine.pid"
echo "attempt $JOB_ATTEMPT"
echo "$JOB_ATTEMPT" >made
sleep "$SECONDS_TO_TAKE"
echo "$JOB_ATTEMPT" >>"$mine.done"
rm -f "$mine.pid"
STEP
  mkdir -p "$place/record/$1"
  for n in $(seq "$3" "$4"); do
    mkdir -p "$place/$2/$1/$1-$n"
    cp "$place/step.sh" "$place/$2/$1/$1-$n/"
    printf '{"steps": ["sh step.sh"], "env": {"RECORD": "%s/record/%s", "SECONDS_TO_TAKE": "%s"}}' "$place" "$1" "$5" \
      >"$place/$2/$1/$1-$n/job.json"
  done
}

# Sends the request $3 for job $2 of case $1, when somebody is there to get it.
ring() {
  until mosquitto_pub -V 5 -q 1 -d -h 127.0.0.1 -t "$1/pending" -m "{\"id\":\"$2\",\"requestId\":\"$3\"}" | grep -q 'RC:0)'; do
    sleep 0.2
  done
}

# Sends jobs $2 to $3 of case $1.
send() {
  for n in $(seq "$2" "$3"); do ring "$1" "$1-$n" "r-$1-$n"; done
}

members() { [ "$(find "$place/$2/$1/.worker/members" -name '[!.]*.json' 2>/dev/null | wc -l)" -ge "$3" ]; }
results() { find "$place/$2/$1" -path '*/results/result.json' 2>/dev/null | wc -l; }
has_results() { [ "$(results "$1" "$2")" -ge "$3" ]; }
lines() { find "$place/record/$1" -name "*.$2" | wc -l; }
has_begun() { [ "$(lines "$1" begun)" -ge "$2" ]; }
is_settled() { [ -z "$(ls -A "$place/first/$1/.worker/claims")" ]; }

# Says what became of the $2 jobs of case $1, and whether that is right; at most one run of each where $3 is `once`. Workers may
# have ended with the status that `excused` names.
verdict() {
  local count messages overlaps again claims tickets exits missing=()
  for n in $(seq "$2"); do
    grep -q '"status" : "success"' "$place/first/$1/$1-$n/results/result.json" 2>/dev/null || missing+=("$n")
    [ "$(grep -c . "$place/first/$1/$1-$n/results/step_0.log" 2>/dev/null)" = 1 ] || missing+=("log of $n")
  done
  count=$(results "$1" first)
  messages=$(grep -o "jobs/results/$1-[0-9]* " "$place/logs/messages" | sort -u | wc -l)
  overlaps=$(lines "$1" overlap)
  again=$(find "$place/record/$1" -name '*.begun' -exec awk 'END { if (NR > 1) print FILENAME }' {} \; | wc -l)
  claims=$(find "$place/first/$1/.worker/claims" -type f | wc -l)
  tickets=$(find "$place/first/$1/.worker/waiting" -type f 2>/dev/null | wc -l)
  exits=$(sort "$place/record/$1.exits" 2>/dev/null | awk -v excused="${excused:-}" '$2 != 137 && $2 != 143 && $2 != excused { print $2 }' | sort | uniq -c | tr '\n' ' ')
  echo "$name, $1: $2 jobs, $count results, $messages answered; $overlaps with two attempts at once, $again begun again;" \
    "$claims claims and $tickets tickets left; not successful or not whole: ${missing[*]:-none}; odd exits: ${exits:-none}"
  local seen="$count of $2"
  [ "$messages" = "$2" ] || seen+=", $messages answered"
  [ "$again" = 0 ] || seen+=", $again begun again"
  [ "$overlaps" = 0 ] || seen+=", $overlaps with two attempts at once"
  [ "${#missing[@]}" = 0 ] || seen+=", ${#missing[@]} not successful or not whole"
  [ "$claims$tickets" = 00 ] || seen+=", $claims claims and $tickets tickets left"
  [ -z "$exits" ] || seen+=", odd exits: $exits"
  cell "$1" "$seen"
  [ "$count" = "$2" ] && [ "$messages" = "$2" ] && [ "$overlaps$claims$tickets" = 000 ] && [ "${#missing[@]}" = 0 ] &&
    [ -z "$exits" ] && { [ "${3:-}" != once ] || [ "$again" = 0 ]; }
}

# Ends the loops and workers of case $1.
finish() {
  touch "$place/stop-$1"
  # This is a namespace of processes of our own.
  for environment in /proc/[0-9]*/cmdline; do
    if tr "\0" " " 2>/dev/null <"$environment" | grep -q "^$worker .*/$1 "; then
      pid=${environment#/proc/}
      kill "${pid%/cmdline}" 2>/dev/null || true
    fi
  done
  for pid in "${loops[@]}"; do wait "$pid" 2>/dev/null || true; done
}

case_jobs() { kills_each_second jobs true; }
case_replies() { kills_each_second replies disturb; }

# 40 jobs, unless JOBS says another number, for case $1, with the command $2 beside it.
kills_each_second() {
  local jobs=${JOBS:-40} workers=4 kills=0 deadline
  loops=()
  mkdir "$place/first/$1"
  put "$1" first 1 "$jobs" 0.5
  for n in 1 3; do loop "$1-worker-$n" "$1" first --max-attempts 100 & loops+=($!); done
  for n in 2 4; do loop "$1-worker-$n" "$1" second --max-attempts 100 & loops+=($!); done
  await 60 members "$1" first "$workers" || { echo "the workers do not come up" >&2; return 1; }
  send "$1" 1 "$jobs"
  deadline=$((SECONDS + ${LIMIT:-300}))
  while ! has_results "$1" first "$jobs" && [ "$SECONDS" -lt "$deadline" ]; do
    # Its process changes its program twice before it is the worker.
    if kill -9 "$(cat "$place/$1-worker-$((RANDOM % workers + 1)).pid")" 2>/dev/null; then kills=$((kills + 1)); fi
    "$2" || true
    sleep 1
  done
  await $((lease * 6)) is_settled "$1" || true
  finish "$1"
  echo "$name, $1: $kills kills in $SECONDS s"
  verdict "$1" "$jobs"
}

# 10 jobs on both mounts while the server answers nothing for 20 s, four leases: the workers end their steps, and begin the jobs
# again when they can.
case_away() {
  loops=()
  mkdir "$place/first/away"
  put away first 1 10 25
  for n in $(seq 5); do loop "away-$n" away first & loops+=($!); done
  for n in $(seq 6 10); do loop "away-$n" away second & loops+=($!); done
  await 60 members away first 10 || { echo "the workers do not come up" >&2; return 1; }
  send away 1 10
  await 90 has_begun away 10 || { echo "the jobs do not begin" >&2; return 1; }
  server_away
  sleep 20
  server_back
  await 240 has_results away second 10 || true
  await $((lease * 6)) is_settled away || true
  finish away
  # The volume could not be read: that is what some of them say.
  excused=74 verdict away 10
}

# The holders' claims and members are seen by watchers whose clock is another, in both directions.
case_clocks() {
  loops=()
  mkdir "$place/first/clocks"
  put clocks first 1 20 12
  for n in $(seq 10); do (work "holder-$n" first clocks) & loops+=($!); done
  await 60 members clocks first 10 || { echo "the workers do not come up" >&2; return 1; }
  send clocks 1 10
  await 60 has_begun clocks 10 || { echo "the jobs do not begin" >&2; return 1; }
  for n in $(seq 11 20); do (work "holder-$n" ahead clocks) & loops+=($!); done
  await 60 members clocks ahead 20 || { echo "the workers do not come up" >&2; return 1; }
  send clocks 11 20
  for mount in first ahead; do
    (work "watcher-$mount" "$mount" clocks) & loops+=($!)
    loop "comer-$mount" clocks "$mount" --idle-timeout 2s & loops+=($!)
  done
  await 120 has_results clocks second 20 || true
  await $((lease * 6)) is_settled clocks || true
  finish clocks
  verdict clocks 20 once
}
