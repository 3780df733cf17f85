# shellcheck shell=bash disable=SC2016,SC2154 # for Tests/volumes.sh
# What is done on a volume with its room and its speed.

# Leaves $1 MiB of the disk behind the volume, or nothing at all for 0; and gives all back.
volume_fill() {
  local left
  left=$(($(df --output=avail -B1 "$backing" | tail -n 1) - $1 * 1048576))
  [ "$left" -le 0 ] || fallocate -l "$left" "$backing/ballast-$1"
  [ "$1" != 0 ] || cat /dev/zero >"$backing/ballast" 2>/dev/null || true
}
volume_drain() { rm -f "$backing"/ballast*; }

# A job's artifact does not fit; then its log; then a request comes while nothing at all fits.
case_full() {
  local artifact log seen before
  loops=()
  put_job full full-1 <<<'head -c 20M /dev/urandom >big'
  put_job full full-2 <<<'head -c 20M /dev/zero | tr "\0" "\n"'
  put_job full full-3 <<<'echo line'
  loop full-w full second & loops+=($!)
  await 60 members full second 1 || { echo "the worker does not come up" >&2; return 1; }
  volume_fill 8
  send full 1 1
  await 120 has_results full first 1 || true
  artifact="\`$(said full status full-1)\`"
  said full error full-1
  [[ "$(said full error full-1)" = *"No space left"* ]] || artifact+=", which does not name the reason"
  rm -rf "$place/first/full/full-1/results"
  send full 2 2
  await 120 answers full full-2 r-full-2 second || true
  log="\`$(said full status full-2)\`"
  grep -o '"logError" : "[^"]*"' "$place/first/full/full-2/results/result.json" 2>/dev/null | tee "$place/record/full-log"
  if grep -q 'No space left' "$place/record/full-log"; then log+=", \`logError\` names the reason"; else log+=", no reason named: $(cat "$place/record/full-log")"; fi
  rm -rf "$place/first/full/full-2/results"
  volume_fill 0
  send full 3 3
  if await 20 answers full full-3 r-full-3; then seen="run while it was full: $(said full status full-3)"; else
    before=$EPOCHREALTIME
    volume_drain
    if await 120 answers full full-3 r-full-3; then seen="run $(seconds_since "$before") s after there was room: $(said full status full-3)"; else seen="never run"; fi
  fi
  volume_drain
  finish full
  cell full "an artifact that does not fit: $artifact; a log: $log; a request meanwhile: $seen, after $(grep -c ' 74$' "$place/record/full.exits" 2>/dev/null) exits with 74"
  [[ "$seen" = *success ]]
}

# Seconds that the worker takes to stage job $1 of `figures`, and `cp -a` to copy it to the same place, the second mount having seen
# none of both before.
staged() {
  printf '{"id": "%s", "steps": ["true"]}' "$1" >"$place/payload.json"
  "$worker" --dry-run --payload "$place/payload.json" --jobs-dir "$place/second/figures" --workspaces-dir "$place/workspaces-figures" \
    >>"$place/logs/figures" 2>&1
  awk -F '[:,]' '/"stageMs"/ { print $2 / 1000; exit }' "$place/second/figures/$1/results/result.json"
}
copied() {
  local begun=$EPOCHREALTIME
  cp -a "$place/second/figures/$1" "$place/workspaces-figures/copied"
  awk -v a="$begun" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }'
  rm -rf "$place/workspaces-figures/copied"
}
median() { sort -g | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

case_figures() {
  local what round copy text="" mine theirs source=${origin:-$place/first}
  mkdir -p "$source/figures" "$place/workspaces-figures" "$place/small" "$place/big"
  # ext4 makes files slowly where others have just been removed. Where the volume is local, its workspaces lie on it, too.
  if [ -n "${local_place:-}" ]; then mkdir "$local_place/figures"; mount --bind "$local_place/figures" "$place/workspaces-figures"
  else mount -t tmpfs tmpfs "$place/workspaces-figures"; fi
  for n in $(seq 40); do
    mkdir "$place/small/$n"
    head -c $((50 * 4096)) /dev/urandom | split -b 4096 - "$place/small/$n/"
  done
  head -c 100M /dev/urandom >"$place/big/file"
  for what in small big; do
    : >"$place/record/$what-worker"
    : >"$place/record/$what-cp"
    for round in $(seq "${ROUNDS:-3}"); do
      for copy in a b; do cp -R "$place/$what" "$source/figures/$what-$round-$copy" || return 1; done
      sync -f "$source/figures"
      # By turns, whichever is first.
      [ $((round % 2)) = 1 ] || copied "$what-$round-b" >>"$place/record/$what-cp" || return 1
      staged "$what-$round-a" >>"$place/record/$what-worker" || return 1
      [ $((round % 2)) = 0 ] || copied "$what-$round-b" >>"$place/record/$what-cp" || return 1
      rm -rf "$source/figures/$what-$round-"[ab]
    done
    mine=$(median <"$place/record/$what-worker") theirs=$(median <"$place/record/$what-cp")
    [ "$what" = small ] && text+="2,000 files " || text+="; 100 MiB "
    text+=$(awk -v a="$mine" -v b="$theirs" 'BEGIN {
      # A reflink takes no time that could be compared.
      if (a < 0.01) printf "%.2f s (`cp -a` %.2f s)", a, b; else printf "%.2f s, %.1f × `cp -a` (%.2f s)", a, b / a, b }')
  done
  cell figures "$text"
}
