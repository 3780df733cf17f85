# shellcheck shell=bash disable=SC2016,SC2154 # for Tests/volumes.sh
# What is done on a volume with one job at a time. Each case has a folder of its own on it, below which the jobs lie.

# Puts job $2 of case $1 on the first mount; its steps are the shell lines of stdin, as one. $3 is more of job.json.
put_job() {
  mkdir -p "$place/first/$1/$2" "$place/record/$1"
  cat >"$place/first/$1/$2/step.sh"
  printf '{"steps": ["sh step.sh"], "env": {"RECORD": "%s/record/%s"}%s}' "$place" "$1" "${3:-}" >"$place/first/$1/$2/job.json"
}

# The string or number $2 in the result.json of job $3 of case $1, as the first mount has it, or mount $4. Another mount than the
# worker's may show an earlier run's for a while.
said() {
  sed -n "s/^  \"$2\" : \"\{0,1\}\(.*[^\",]\)\"\{0,1\},\{0,1\}\$/\1/p" "$place/${4:-first}/$1/$3/results/result.json" 2>/dev/null | sed 's,[\\],,g' | head -n 1
}
answers() { [ "$(said "$1" requestId "$2" "${4:-first}")" = "$3" ]; }
has_lines() { [ -e "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]; }
is_gone() { ! readlink "/proc/$1/exe" >/dev/null; }
seconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }

case_doctor() {
  local status=0 needed useful
  mkdir "$place/first/doctor" "${local_place:-$place}/workspaces-doctor"
  "$worker" doctor volume --jobs-dir "$place/first/doctor" --workspaces-dir "${local_place:-$place}/workspaces-doctor" \
    >"$place/logs/doctor" 2>&1 || status=$?
  cat "$place/logs/doctor"
  # `volume  NO  name  what it means`
  needed=$(awk '$2 ~ /^NO/ { sub(/^[^ ]+ +[^ ]+ +/, ""); sub(/   *.*/, ""); printf "%s%s", n++ ? ", " : "", $0 }' "$place/logs/doctor")
  useful=$(awk '$2 == "no" { sub(/^[^ ]+ +[^ ]+ +/, ""); sub(/   *.*/, ""); printf "%s%s", n++ ? ", " : "", $0 }' "$place/logs/doctor")
  if [ "$status" = 0 ]; then cell doctor "fit${useful:+; without: $useful}"; else cell doctor "no: ${needed:-exit status $status}"; fi
  [ "$status" = 0 ]
}

# Only the worker is stopped; its guardian and its step are not.
case_frozen() {
  local holder taker begun said_before count status=0 old_end new_begin apart
  loops=()
  put_job frozen frozen-1 <<'STEP'
echo "$JOB_ATTEMPT" >>"$RECORD/begun"
date +%s.%N >"$RECORD/begun-$JOB_ATTEMPT"
n=0
while [ "$JOB_ATTEMPT" = 1 ] && [ $n -lt 600 ]; do date +%s.%N >>"$RECORD/alive-1"; sleep 0.1; n=$((n + 1)); done
STEP
  (work frozen-a first frozen) & holder=$!
  await 60 members frozen first 1 || { echo "the worker does not come up" >&2; return 1; }
  send frozen 1 1
  await 60 has_lines "$place/record/frozen/begun" 1 || { echo "the job does not begin" >&2; return 1; }
  (work frozen-b second frozen) & taker=$!
  await 60 members frozen second 2 || { echo "the second worker does not come up" >&2; return 1; }
  kill -STOP "$holder"
  begun=$EPOCHREALTIME
  await 90 has_lines "$place/record/frozen/begun" 2 || { cell frozen "no: nobody takes it over"; kill -9 "$holder"; return 1; }
  new_begin=$(cat "$place/record/frozen/begun-2")
  await 60 has_results frozen second 1 || true
  wait "$taker" || true
  said_before=$(said frozen attempt frozen-1 second)
  kill -CONT "$holder"
  await 60 is_gone "$holder" || { cell frozen "no: the old worker does not leave"; kill -9 "$holder"; return 1; }
  wait "$holder" || status=$?
  old_end=$(tail -n 1 "$place/record/frozen/alive-1")
  count=$(grep -c 'jobs/results/frozen-1 ' "$place/logs/messages")
  apart=$(awk -v a="$old_end" -v b="$new_begin" 'BEGIN {
    if (b > a) printf "the old step had ended %.1f s before", b - a
    else printf "the old step went on for %.1f s beside it", a - b }')
  cell frozen "$count result, of attempt $(said frozen attempt frozen-1 second), begun after $(awk -v a="$begun" -v b="$new_begin" \
    'BEGIN { printf "%.1f", b - a }') s; $apart$([ "$status" = 0 ] || echo "; the old worker left with $status")"
  [ "$count $status" = "1 0" ] && [ "$said_before $(said frozen attempt frozen-1 second)" = "2 2" ] &&
    awk -v a="$old_end" -v b="$new_begin" 'BEGIN { exit b < a }'
}

# Puts the time before each line of stdin.
stamp() { while IFS= read -r line; do echo "$EPOCHREALTIME $line"; done; }

# Says how late the $2 lines of file $1 came that begin with two times; none is late that was written before $3.
lateness() {
  awk -v want="$2" -v start="${3:-0}" 'NF == 2 { late = $1 - ($2 > start ? $2 : start); all[n++] = late; if (late > most) most = late }
    END { if (n == 0) { print "no lines"; exit }
      for (i = 1; i < n; i++) for (k = i; k > 0 && all[k] < all[k - 1]; k--) { t = all[k]; all[k] = all[k - 1]; all[k - 1] = t }
      printf "%d of %d lines, %.1f s late, at most %.1f s", n, want, all[int(n / 2)], most }' "$1"
}

case_follow() {
  local status=0 start
  loops=()
  mkdir -p "$place/first/follow" "$place/record/follow" "$place/sent"
  printf 'touch "$RECORD/begun"; for n in $(seq 20); do date +%%s.%%N; sleep 0.5; done\n' >"$place/sent/step.sh"
  printf '{"steps": ["sh step.sh"], "env": {"RECORD": "%s/record/follow"}}' "$place" >"$place/sent/job.json"
  loop follow-w follow second & loops+=($!)
  await 60 members follow second 1 || { echo "the worker does not come up" >&2; return 1; }
  timeout 120 "$worker" submit "$place/sent" --id follow-1 --url mqtt://127.0.0.1 --jobs-dir "$place/first/follow" \
    --topic follow/pending --results-topic jobs/results 2>"$place/logs/submit" | stamp >"$place/record/submit" || status=$?
  cell submit "$(lateness "$place/record/submit" 20)$([ "$status" = 0 ] || echo ", exit status $status")"
  cp -R "$place/sent" "$place/first/follow/follow-2"
  rm -f "$place/record/follow/begun"
  ring follow follow-2 r-follow-2
  await 60 test -e "$place/record/follow/begun" || { echo "the job does not begin" >&2; return 1; }
  start=$EPOCHREALTIME
  timeout 120 "$worker" logs --follow follow-2 --jobs-dir "$place/first/follow" 2>"$place/logs/logs-follow" |
    stamp >"$place/record/logs" || status=$?
  cell logs "$(lateness "$place/record/logs" 20 "$start")$([ "$status" = 0 ] || echo ", exit status $status")"
  finish follow
  [ "$status" = 0 ] && [ "$(cat "$place/record/submit" "$place/record/logs" | wc -l)" = 40 ]
}

# Whether the worker's file was touched since $1.
touched_since() { [ "$(stat -c %.Y "$place/second/$2/.worker/members/"*.json 2>/dev/null | head -n 1)" != "$1" ]; }

case_switch() {
  local seen before
  loops=()
  put_job switch switch-1 <<<'touch "$RECORD/begun"'
  loop switch-w switch second & loops+=($!)
  await 60 members switch second 1 || { echo "the worker does not come up" >&2; return 1; }
  # By then it has looked for the file, and its client may remember that there is none.
  for _ in 1 2; do
    before=$(stat -c %.Y "$place/second/switch/.worker/members/"*.json | head -n 1)
    await 60 touched_since "$before" switch || { echo "the worker does not touch its file" >&2; return 1; }
  done
  : >"$place/first/switch/KILLSWITCH"
  send switch 1 1
  if await 10 test -e "$place/record/switch/begun"; then seen="no: a job was begun"; else seen="held"; fi
  before=$EPOCHREALTIME
  rm "$place/first/switch/KILLSWITCH"
  if await 90 test -e "$place/record/switch/begun"; then
    [ "$seen" != held ] || seen="held, and taken $(seconds_since "$before") s after it was removed"
  else
    seen="no: not taken after it was removed"
  fi
  await 60 has_results switch second 1 || seen+=", and no result"
  finish switch
  cell switch "$seen"
  [[ "$seen" = held,* && "$seen" != *"no result" ]]
}

answered() { [ "$(grep -c "jobs/results/$1 " "$place/logs/messages")" -ge "$2" ]; }

# A mount that has seen the results of one run is asked for those of the next as soon as that is announced.
case_rerun() {
  local announced status
  loops=()
  put_job rerun rerun-1 <<<'echo line'
  loop rerun-w rerun second & loops+=($!)
  await 60 members rerun second 1 || { echo "the worker does not come up" >&2; return 1; }
  ring rerun rerun-1 r-rerun-1
  await 60 answers rerun rerun-1 r-rerun-1 || { cell rerun "no: no result of the first run"; finish rerun; return 1; }
  ring rerun rerun-1 r-rerun-2
  await 60 answered rerun-1 2 || { cell rerun "no: no result of the second run"; finish rerun; return 1; }
  announced=$EPOCHREALTIME
  status=$("$worker" status rerun-1 --json --jobs-dir "$place/first/rerun" 2>>"$place/logs/status" | grep -o 'r-rerun-[12]' | head -n 1)
  if await 60 answers rerun rerun-1 r-rerun-2; then
    case "$status" in r-rerun-2) status="the new one" ;; r-rerun-1) status="the old one" ;; *) status="none" ;; esac
    cell rerun "$(seconds_since "$announced") s after its message; \`status\` at once: $status"
  else
    cell rerun "no: the old one for 60 s"
  fi
  finish rerun
  answers rerun rerun-1 r-rerun-2
}

# Each run's log and result.json stay open in readers on both mounts, and so do those of all runs before.
case_held() {
  local round good=0 text="" open=() fd file left
  loops=()
  put_job held held-1 <<<'echo line; echo made >made'
  loop held-w held second & loops+=($!)
  await 60 members held second 1 || { echo "the worker does not come up" >&2; return 1; }
  for round in 1 2 3 4 5; do
    ring held held-1 "r-held-$round"
    if ! await 60 answers held held-1 "r-held-$round" second; then text="run $round has no result"; break; fi
    if [ "$(said held status held-1 second)" = success ]; then good=$((good + 1)); else text=$(said held error held-1 second); fi
    for mount in first second; do
      for file in step_0.log result.json made; do
        if exec {fd}<"$place/$mount/held/held-1/results/$file"; then open+=("$fd"); fi
      done
    done 2>/dev/null
  done
  for fd in "${open[@]}"; do exec {fd}<&-; done
  ring held held-1 r-held-6
  await 60 answers held held-1 r-held-6 second || text+="; no result after they were closed"
  await $((lease * 2)) is_settled held || true
  finish held
  [ "$good" = 5 ] || text=": $text"
  left=$(find "$place/first/held/held-1/.worker" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)
  [ "$left" = 0 ] && left=nothing
  cell held "$good of 5 runs$text; $left left aside"
  [ "$good" = 5 ] && [ "$(said held status held-1 second)" = success ]
}
