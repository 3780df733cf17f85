# shellcheck shell=bash disable=SC2154 # for Tests/brokers.sh
# What the cases are made of. Each case has a name, $case, which begins its topics, and a folder of its own, $ground.

# Waits for at most $1 seconds, and PATIENCE times that on a slow host, until a command succeeds.
patience=${PATIENCE:-1}
await() {
  local end=$((SECONDS + $1 * patience))
  until "${@:2}"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.1
  done
}

free_port() {
  local candidate
  while :; do
    candidate=$((20000 + RANDOM % 20000))
    (: <"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null || break
  done
  echo "$candidate"
}

# The clients of a broker, other than the worker.
publish() { timeout $((30 * patience)) mosquitto_pub "${login[@]}" -h 127.0.0.1 -p "$port" -V "$(spoken "$version")" -q 1 "$@"; }
subscribe() { exec stdbuf -oL mosquitto_sub "${login[@]}" -h 127.0.0.1 -p "$port" -V "$(spoken "$version")" -q 1 "$@"; }

# mosquitto_pub and mosquitto_sub call MQTT 3.1.1 by another number than the worker.
spoken() { if [ "$1" = 5 ]; then echo 5; else echo 311; fi; }
answers() { timeout $((5 * patience)) mosquitto_pub "${login[@]}" -h 127.0.0.1 -p "$port" -V "$(spoken "$1")" -q 1 -t ready -m 1 >/dev/null 2>&1; }
is_up() { answers 5 || answers 4; }
is_down() { ! kill -0 "$broker" 2>/dev/null; }

start_broker() {
  broker_up
  await 60 is_up || { echo "$name does not come up; see broker.log" >&2; return 1; }
}

stop_broker() {
  [ -n "$broker" ] || return 0
  kill "$broker" 2>/dev/null || true
  await 30 is_down || kill -9 "$broker" 2>/dev/null || true
  wait "$broker" 2>/dev/null || true
  broker=
}

# Begins case $1, and listens to its results and events; with `durable` in a session that outlives a connection.
begin() {
  local session=()
  case=$1
  if [ "${2:-}" = durable ]; then session=(-c -i "listener-$case"); fi
  if [ "${2:-}$version" = durable5 ]; then session+=(-x 3600); fi
  ground=$home/$case
  loops=()
  mkdir -p "$ground/jobs" "$ground/record" "$logs/$case"
  (subscribe -t "$case/results/#" -t "$case/events/#" -F '%r %t %p' "${session[@]}") >"$ground/messages" 2>>"$logs/$case/listener.log" &
  listener=$!
  await 20 hears || echo "$name, $case: the listener hears nothing" >&2
}

hears() { publish -t "$case/events/ready" -m 1 2>/dev/null; grep -qs events/ready "$ground/messages"; }

# Where worker $1 listens, and where requests for it go: one topic for all, or one for each.
topic() { if [ "$shares" = yes ]; then echo "$case/pending"; else echo "$case/pending/$1"; fi; }
filter() { if [ "$shares" = yes ]; then echo "\$share/group/$case/pending"; else topic "$1"; fi; }

# Becomes worker $1; further arguments are the worker's.
work() {
  exec "$worker" --url "mqtt://127.0.0.1:$port" -v "$version" --jobs-dir "$ground/jobs" --workspaces-dir "$home/workspaces" \
    --id "$1" --topic "$(filter "$1")" --results-topic "$case/results" --lease 3s --max-attempts 100 --log-format text \
    "${@:2}" >>"$logs/$case/$1.log" 2>&1
}

# Starts worker $1; its pid lies in a file.
start() {
  (work "$@") &
  echo $! >"$ground/$1.pid"
}

# Starts a restart loop of worker $1. One that fails is restarted after a second, as supervisors do.
start_loop() {
  while [ ! -e "$ground/stop" ]; do
    local status=0
    start "$@"
    wait $! || status=$?
    case $status in
      0 | 137) ;;
      *) echo "$1 $status" >>"$logs/$case/exits" && sleep 1 ;;
    esac
  done 2>/dev/null &
  loops+=($!)
}

# Within the function, since the shell would tell of each.
kill_worker() {
  kill -9 "$(cat "$ground/$1.pid")" && { wait "$(cat "$ground/$1.pid")" || true; }
} 2>/dev/null

is_gone() { ! kill -0 "$1" 2>/dev/null; }

# The same, after one more try to end the workers: a loop may just have started one.
is_gone_with_workers() {
  local file
  for file in "$ground"/*.pid; do [ ! -e "$file" ] || kill "$(cat "$file")" 2>/dev/null || true; done
  ! kill -0 "$1" 2>/dev/null
}

# Ends the case's workers and its listener.
end() {
  local file pid
  touch "$ground/stop"
  for pid in "${loops[@]}" $(cat "$ground"/*.pid); do
    await 20 is_gone_with_workers "$pid" || kill -9 "$pid" 2>/dev/null || true
  done
  for file in "$ground"/*.pid; do kill -9 "$(cat "$file")" 2>/dev/null || true; done
  kill "$listener" 2>/dev/null || true
  wait "$listener" 2>/dev/null || true
  cp "$ground/messages" "$logs/$case/"
}

# Puts jobs $1 to $2 on the volume; the step writes a line into a record, and then runs command $3.
put() {
  local n
  # shellcheck disable=SC2016 # the step's shell expands them
  for ((n = $1; n <= $2; n++)); do
    mkdir "$ground/jobs/$case-$n"
    printf '{"steps": ["echo $JOB_ATTEMPT >>%s/record/$JOB_ID; %s"]}' "$ground" "$3" >"$ground/jobs/$case-$n/job.json"
  done
}

# Sends requests $1 to $2, each with a requestId of its own, to the named workers in turn if each has its own topic.
send() {
  local first=$1 last=$2 n turn=0 to
  shift 2
  [ "$shares" = no ] || set -- any
  for to in "$@"; do
    for ((n = first + turn; n <= last; n += $#)); do printf '{"id":"%s-%s","requestId":"r-%s"}\n' "$case" "$n" "$n"; done |
      publish -d -t "$(topic "$to")" -l >>"$logs/$case/sender.log" 2>&1 || true
    turn=$((turn + 1))
  done
}

# Has each named worker do a job, so that all are known to be subscribed.
warm() {
  local n=0 to
  for to in "$@"; do
    until has_worked "$to" || [ "$n" -ge 30 ]; do
      n=$((n + 1))
      publish -t "$(topic "$to")" -m "{\"id\":\"warm-$n\",\"requestId\":\"w-$n\",\"steps\":[\"true\"]}" >/dev/null 2>&1 || true
      await 2 is_done "warm-$n" || true
    done
    has_worked "$to" || echo "$name, $case: $to did none of $n jobs" >&2
  done
}
has_worked() { grep -qs "\"workerId\" *: *\"$1\"" "$ground"/jobs/warm-*/results/result.json; }
is_done() { [ -e "$ground/jobs/$1/results/result.json" ]; }

results() { find "$ground/jobs" -path "*/$case-*/results/result.json" | wc -l; }
has_results() { [ "$(results)" -ge "$1" ]; }
# The jobs with a result message: any, or those that were no retained ones, which come again to a listener that connects again.
told() { grep -o "^$1 $case/results/$case-[0-9]* " "$ground/messages" | cut -d " " -f 2 | sort; }
is_told() { [ "$(told . | uniq | wc -l)" -ge "$1" ]; }
is_settled() { [ -z "$(find "$ground/jobs/.worker/claims" "$ground/jobs/.worker/waiting" -type f 2>/dev/null)" ]; }

# Waits until there are $1 results, or for 45 seconds there was no new one; ends the case, and says in $cell what became of them.
conclude() {
  local count messages repeated again left refused
  while count=$(results) && [ "$count" -lt "$1" ]; do
    await 45 has_results $((count + 1)) || break
  done
  await 10 is_told "$1" || true
  await 15 is_settled || true
  end
  count=$(results)
  messages=$(told . | uniq | wc -l)
  repeated=$(told 0 | uniq -d | wc -l)
  again=$(find "$ground/record" -type f -exec awk 'END { if (NR > 1) print FILENAME }' {} \; | wc -l)
  left=$(find "$ground/jobs/.worker/claims" "$ground/jobs/.worker/waiting" -type f 2>/dev/null | wc -l)
  refused=$(grep -c 'RC:16)' "$logs/$case/sender.log" || true)
  cell="$count of $1"
  [ "$messages" = "$count" ] || cell+=", $messages told"
  [ "$repeated" = 0 ] || cell+=", $repeated told twice"
  [ "$again" = 0 ] || [ "$case" = kills ] || cell+=", $again run twice"
  [ "$left" = 0 ] || cell+=", $left left on the volume"
  [ "$refused" = 0 ] || cell+=", $refused refused with 0x10"
}
