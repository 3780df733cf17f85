#!/bin/sh
# A step that leaves very many processes: each in the step's group (group), each in a session of its own (sessions), or such
# as go on forking while they are killed, until there are 111 times as many (growing). Shows how long it takes until all are
# ended and the worker is done.
#
#     Tests/fork-bomb.sh [EXECUTABLE [group|sessions|growing [COUNT...]]]
#
# In a PID namespace, as root. With 30,000 processes nothing else on the machine finds a pid meanwhile where
# /proc/sys/kernel/pid_max is 32768: this is no test for a machine with other work.
set -eu
executable=$(realpath "${1:-.build/debug/mqtt-fs-worker}")
kind=${2:-group}
if [ $# -gt 2 ]; then shift 2; else set -- 500 1000 2000 4000; fi
scene=$(mktemp -d)
trap 'rm -rf "$scene"' EXIT
mkdir -p "$scene/jobs/bomb" "$scene/workspaces"
cat > "$scene/bomb.py" <<'END'
import os, signal, sys, time
kind, count = sys.argv[1], int(sys.argv[2])
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for number in range(count):
  while True:
    try:
      child = os.fork()
      break
    except OSError: time.sleep(0.001)
  if child == 0:
    if kind != "group": os.setsid()
    depth = 1
    # Each has ten children, and these ten each: it grows, but has an end even where nobody kills it.
    while kind == "growing" and depth < 3:
      for _ in range(10):
        time.sleep(0.1)
        if os.fork() == 0:
          os.setsid()
          depth += 1
          break
      else: break
    while True: signal.pause()
open(sys.argv[3], "w").write("%f" % time.time())
END
# The step ends by itself when all are there: what it leaves behind is killed without grace.
for count in "$@"; do
  rm -rf "$scene/jobs/bomb/results"* "$scene/up"
  printf '{"steps": [{"run": "python3 -ISE %s/bomb.py %s %s %s/up"}]}' "$scene" "$kind" "$count" "$scene" \
    > "$scene/jobs/bomb/job.json"
  printf '{"id": "bomb"}' > "$scene/payload.json"
  unshare --pid --fork --mount-proc --kill-child "$executable" --dry-run \
    --payload "$scene/payload.json" -j "$scene/jobs" -w "$scene/workspaces" --grace 10ms --log-level error \
    > "$scene/out" || true
  python3 - "$scene" "$kind" "$count" "$(date +%s.%N)" <<'END'
import json, sys
scene, kind, count, ended = sys.argv[1:]
result = json.load(open(scene + "/jobs/bomb/results/result.json"))
step = result["steps"][0]
print("%s %6s processes: %6.2f s, %d ended, killed: %s, status %s" % (kind, count,
  float(ended) - float(open(scene + "/up").read()), step["endedProcesses"], step["killed"], result["status"]))
END
done
