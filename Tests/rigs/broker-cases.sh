# shellcheck shell=bash disable=SC2034,SC2154 # for Tests/brokers.sh
# What is done with each broker. A case says in $cell what was seen.
cases=(doctor share jobs kills dead beside head clean restart kept retained people)

# Case $1: 40 jobs for 3 restart loops; further arguments are the workers'.
forty() {
  begin "$1"
  put 1 40 "sleep 0.2"
  for id in one two three; do start_loop "$case-$id" "${@:2}"; done
  warm "$case-one" "$case-two" "$case-three"
  send 1 40 "$case-one" "$case-two" "$case-three"
}

case_jobs() { forty jobs && conclude 40; }
case_clean() { forty clean --clean && conclude 40; }

# One worker is killed each second.
case_kills() {
  local deadline victims=(one two three) kills=0
  forty kills
  deadline=$((SECONDS + 120 * patience))
  while ! has_results 40 && [ "$SECONDS" -lt "$deadline" ]; do
    if kill_worker "kills-${victims[RANDOM % 3]}"; then kills=$((kills + 1)); fi
    await 1 has_results 40 || true
  done
  conclude 40
  cell+=" ($kills kills)"
}

# A worker is killed; 20 requests are sent while its session is the only one that is there. Then another worker comes or, where
# each has a topic of its own, that worker comes back.
case_dead() {
  leave_queue dead
  start_loop "$heir"
  conclude 20
}

# As `dead`, with a restart of the broker before the other worker comes.
case_kept() {
  leave_queue kept
  stop_broker
  start_broker
  start_loop "$heir"
  conclude 20
}

# Case $1 with 20 requests in the session of a worker that was killed, and $heir, which is to have them.
leave_queue() {
  begin "$1" durable
  put 1 20 true
  start "$case-dead" --jobs 0
  warm "$case-dead"
  kill_worker "$case-dead"
  send 1 20 "$case-dead"
  if [ "$shares" = yes ]; then heir=$case-heir; else heir=$case-dead; fi
}

# As `dead`, while another member of the group is there.
case_beside() {
  needs_group || return 0
  begin beside
  put 1 20 true
  start beside-dead --jobs 0
  start beside-heir --jobs 0
  warm beside-dead beside-heir
  kill_worker beside-dead
  send 1 20 any
  conclude 20
}

# 10 short jobs behind a long one, which ends when they are done, or after 30 seconds.
case_head() {
  local waited
  needs_group || return 0
  begin head
  put 1 1 "until [ -e $ground/release ]; do sleep 0.1; done"
  put 2 11 true
  start head-one --jobs 0
  start head-two --jobs 0
  warm head-one head-two
  send 1 1 any
  await 20 test -e "$ground/record/head-1" || true
  send 2 11 any
  await 30 has_results 10 || true
  waited=$((10 - $(results)))
  touch "$ground/release"
  conclude 11
  if [ "$waited" = 0 ]; then cell="none waits; $cell"; else cell="$waited of 10 wait; $cell"; fi
}

needs_group() { [ "$shares" = yes ] || { cell="not run" && return 1; }; }

# The broker is restarted when 10 of 40 jobs are done. The listener's session is durable.
case_restart() {
  begin restart durable
  put 1 40 "sleep 0.2"
  for id in one two three; do start_loop "restart-$id"; done
  warm restart-one restart-two restart-three
  send 1 40 restart-one restart-two restart-three
  await 60 has_results 10 || true
  stop_broker
  start_broker
  conclude 40
}

# Whether a subscriber that comes late gets the result of a job of the case `jobs`.
case_retained() {
  if timeout $((10 * patience)) mosquitto_sub "${login[@]}" -h 127.0.0.1 -p "$port" -V "$(spoken "$version")" -q 1 -t jobs/results/jobs-1 -C 1 -W $((5 * patience)) 2>/dev/null |
    grep -q '"jobs-1"'; then cell=yes; else cell=no; fi
  [ "$version" = 5 ] || cell+=" (3.1.1: off)"
}

# submit, workers and cancel, from the command line.
case_people() {
  local at=(-u "mqtt://127.0.0.1:$port" -v "$version") volume place no=()
  begin people
  volume=(-j "$ground/jobs" -r people/results)
  place=(-t "$(topic people-one)")
  mkdir "$ground/short" "$ground/long"
  echo '{"steps": ["echo hello; sleep 1"]}' >"$ground/short/job.json"
  echo "{\"steps\": [\"echo begun >$ground/record/begun; sleep 120\"]}" >"$ground/long/job.json"
  start people-one --jobs 0
  warm people-one
  timeout $((60 * patience)) "$worker" submit "${at[@]}" "${volume[@]}" "${place[@]}" "$ground/short" >"$logs/people/submit.out" \
    2>"$logs/people/submit.log" && grep -qx hello "$logs/people/submit.out" || no+=(submit)
  timeout $((30 * patience)) "$worker" workers "${at[@]}" >"$logs/people/workers.log" 2>&1 && grep -q people-one "$logs/people/workers.log" ||
    no+=(workers)
  timeout $((60 * patience)) "$worker" submit --detach "${at[@]}" "${volume[@]}" "${place[@]}" "$ground/long" >"$logs/people/detach.log" 2>&1
  await 20 test -e "$ground/record/begun" || no+=("submit --detach")
  timeout $((40 * patience)) "$worker" cancel --wait "${at[@]}" "${volume[@]}" long >"$logs/people/cancel.log" 2>&1 &&
    grep -q '"status" *: *"canceled"' "$ground/jobs/long/results/result.json" || no+=(cancel)
  end
  if [ ${#no[@]} = 0 ]; then cell=yes; else cell="no: ${no[*]}"; fi
}
