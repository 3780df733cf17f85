#!/bin/sh
# A step that leaves very many processes: each in the step's group (group), each in a session of its own (sessions), or such
# as go on forking while they are killed, until there are 111 times as many (growing). Shows how long it takes until all are
# ended and the worker is done.
#
#     Tests/fork-bomb.sh [EXECUTABLE [group|sessions|growing [COUNT...]]]
#
# Beside a group it shows what killing the same processes takes without a worker: the machine's floor.
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
# What the machine itself needs: one kill(2) for the whole group of the same processes, and a wait(2) for each.
cat > "$scene/bare.py" <<'END'
import ctypes, os, signal, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: those that are left come to this process
bomb = subprocess.Popen(["python3", "-ISE", sys.argv[1], "group", sys.argv[2], sys.argv[3]], start_new_session=True)
bomb.wait()
begin = time.time()
os.killpg(bomb.pid, signal.SIGKILL)
try:
  while True: os.wait()
except ChildProcessError: pass
print("bare  %6s processes: %6.2f s" % (sys.argv[2], time.time() - begin))
END
# The step ends by itself when all are there: what it leaves behind is killed without grace.
for count in "$@"; do
  if [ "$kind" = group ]; then
    unshare --pid --fork --mount-proc --kill-child python3 -ISE "$scene/bare.py" "$scene/bomb.py" "$count" "$scene/bare"
  fi
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
