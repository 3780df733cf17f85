"""A volume, workspaces, a mosquitto on a free port of 127.0.0.1 and workers, all below one temporary folder."""
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

STEP = """\
# One line for each run; whether another runs at the same time.
echo "begin $JOB_ATTEMPT ${HOLD:+second}" >>"$RECORD/runs"
if ! mkdir "$RECORD/lock" 2>/dev/null && readlink "/proc/$(cat "$RECORD/lock/pid" 2>/dev/null)/exe" >/dev/null 2>&1; then
  echo "attempt $JOB_ATTEMPT ${HOLD:+second} beside $(cat "$RECORD/lock/pid")" >>"$RECORD/overlaps"
fi
echo $$ >"$RECORD/lock/pid"
echo "a line"
mkdir -p out
echo "made by $JOB_ATTEMPT" >out/made
sleep 0.05
if [ -n "${HOLD:-}" ]; then
  for _ in $(seq 1000); do [ -e "$HOLD" ] && break; sleep 0.02; done
fi
rm -rf "$RECORD/lock"
echo "end $JOB_ATTEMPT" >>"$RECORD/runs"
"""

HELD = """\
touch "$RECORD/held"
for _ in $(seq 2000); do [ -e "$RECORD/gate" ] && break; sleep 0.02; done
"""


class Wrong(Exception):
    """What is not as it should be."""


def wait(what, seconds, condition, every=0.05):
    """Waits until the condition holds, and returns what it returned."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise Wrong(f"waited {seconds} s in vain for {what}")
        time.sleep(every)


class Scene:
    # Those that are not cleared yet.
    open = []
    group = "$share/workers/jobs/pending"

    def __init__(self, worker, kind, lease=1):
        self.worker_program, self.kind, self.lease = worker, kind, lease
        self.root = os.path.realpath(tempfile.mkdtemp(prefix="every-call-"))
        self.jobs, self.workspaces = f"{self.root}/jobs", f"{self.root}/workspaces"
        self.job, self.record = f"{self.jobs}/job", f"{self.root}/record"
        self.processes, self.over = [], False
        Scene.open.append(self)
        for folder in (f"{self.job}/in/deep", self.workspaces, self.record):
            os.makedirs(folder)
        self.write(f"{self.job}/step.sh", STEP)
        self.write(f"{self.job}/in/deep/file", "input\n")
        os.symlink("deep/file", f"{self.job}/in/link")
        self.write(
            f"{self.job}/job.json", json.dumps({"steps": ["sh step.sh", "cp in/link copy"], "env": {"RECORD": self.record}}))
        if kind == "signed":
            self.do("openssl", "genpkey", "-algorithm", "ed25519", "-out", f"{self.root}/sign.pem")
            self.do("openssl", "pkey", "-in", f"{self.root}/sign.pem", "-pubout", "-out", f"{self.root}/verify.pem")
        self.start_broker()

    @staticmethod
    def write(path, text):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def read(self, path):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return ""

    def do(self, *command, timeout=20):
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        if done.returncode != 0:
            raise Wrong(f"{command[0]} said {done.returncode}: {done.stderr}")
        return done.stdout

    def start(self, command, output, errors=subprocess.STDOUT):
        if self.over:
            raise Wrong("the scene is over")
        with open(output, "ab") as file:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=errors)
        self.processes.append(process)
        return process

    # The broker, and what comes from it.

    def start_broker(self):
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            self.write(f"{self.root}/mosquitto.conf", f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
            broker = self.start(["mosquitto", "-v", "-c", f"{self.root}/mosquitto.conf"], f"{self.root}/mosquitto.log")
            wait("mosquitto", 90, lambda: broker.poll() is not None or " running\n" in self.read(f"{self.root}/mosquitto.log"))
            if broker.poll() is None:
                break
        self.client = ["-h", "127.0.0.1", "-p", str(self.port), "-V", "5", "-q", "1"]
        topics = [word for topic in ("jobs/results/#", "jobs/events/#", "jobs/rejected") for word in ("-t", topic)]
        self.start(["mosquitto_sub", *self.client, *topics, "-F", "%U %t %p"], f"{self.root}/messages")
        wait("the subscriber", 90, lambda: self.read(f"{self.root}/mosquitto.log").count("Sending SUBACK") >= 1)

    def make_session(self, worker):
        """A worker lives without a job once, so that its session and its member's file are there."""
        if self.plain(worker, "--idle-timeout", "1s").wait(30) != 0:
            raise Wrong(f"{worker} cannot begin: {self.read(f'{self.root}/{worker}.log')}")

    def subscriptions(self, worker):
        """How often the worker has subscribed to requests."""
        return self.read(f"{self.root}/mosquitto.log").count(f"{worker} 1 {self.group}")

    def make_held_job(self):
        """A second job, whose step waits for the file `gate` in the record."""
        os.makedirs(f"{self.jobs}/held")
        self.write(f"{self.jobs}/held/step.sh", HELD)
        self.write(f"{self.jobs}/held/job.json", json.dumps({"steps": ["sh step.sh"], "env": {"RECORD": self.record}}))

    def open_gate(self):
        self.write(f"{self.record}/gate", "")

    def send(self, request, job="job", **more):
        """Sends a request with the key `request`; in the kind `keyless` it has none."""
        if self.kind == "signed":
            env = [word for name, value in more.get("env", {}).items() for word in ("--env", f"{name}={value}")]
            payload = self.do(
                self.worker_program, "sign", self.job, "--key", f"{self.root}/sign.pem", "--request-id", request, *env)
        else:
            key = {} if self.kind == "keyless" else {"requestId": request}
            payload = json.dumps({"id": job, **key, **more})
        said = self.do("mosquitto_pub", *self.client, "-d", "-t", "jobs/pending", "-m", payload)
        if "RC:0" not in said:
            raise Wrong(f"the broker did not take the request: {said}")

    def messages(self, topic):
        """(time, payload) of each message on a topic."""
        found = []
        for line in self.read(f"{self.root}/messages").splitlines():
            moment, where, payload = (line.split(" ", 2) + ["", ""])[:3]
            if where == topic and payload.endswith("}"):
                found.append((float(moment), json.loads(payload)))
        return found

    def results(self):
        return [payload for _, payload in self.messages("jobs/results/job")]

    def messages_named(self, event):
        """The events of that name."""
        return [payload for _, payload in self.messages("jobs/events/job") if payload.get("event") == event]

    # Workers.

    def command(self, worker, *more):
        key = ["--verify-key", f"{self.root}/verify.pem"] if self.kind == "signed" else []
        return [
            self.worker_program, "--url", f"mqtt://127.0.0.1:{self.port}", "--jobs-dir", self.jobs, "--workspaces-dir",
            self.workspaces, "--id", worker, "--topic", self.group, "--lease", f"{self.lease}s", "--max-attempts", "1000",
            "--log-level", "debug", "--log-format", "text", *key, *more]

    def traced(self, worker, at=0, what="nothing"):
        """A worker under the tracer."""
        tracer = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tracer.py")
        self.trace = f"{self.root}/trace"
        # Workspaces lie on a local disk, which does what it says.
        below = [self.jobs] if what == "late" else [self.jobs, self.workspaces]
        return self.start(
            [sys.executable, tracer, *(word for folder in below for word in ("--below", folder)), "--at", str(at), "--do", what,
             "--log", self.trace, "--", *self.command(worker)], f"{self.root}/{worker}.log")

    def calls(self):
        """What the tracer counted: (number, name, path)."""
        lines = self.read(self.trace).splitlines()[1:]
        return [tuple(line.split(" ", 2)) for line in lines if line.count(" ") >= 2]

    def traced_pid(self):
        return int(re.match(r"pid (\d+)\n", self.read(self.trace)).group(1))

    def plain(self, worker, *more):
        return self.start(self.command(worker, *more), f"{self.root}/{worker}.log")

    def names(self, folder):
        return sorted(
            os.path.join(place, name)[len(folder) + 1:] for place, _, names in os.walk(folder) for name in names)

    def claims(self):
        return [name for name in self.names(f"{self.jobs}/.worker/claims") if not name.startswith(".")]

    def tickets(self):
        return [
            f"{room}/{name}" for room in ("waiting", "parked") for name in self.names(f"{self.jobs}/.worker/{room}")]

    def runs(self, second=False):
        lines = self.read(f"{self.record}/runs").splitlines()
        return [line.split()[1] for line in lines if line.startswith("begin") and line.endswith("second") == second]

    def result(self, job="job"):
        text = self.read(f"{self.jobs}/{job}/results/result.json")
        return json.loads(text) if text else None

    # What must be so at the end.

    def check_result(self, request):
        """The result on the volume is whole, and of this request."""
        result = self.result()
        if result is None:
            raise Wrong("there is no result.json")
        if result["status"] != "success":
            raise Wrong(f"result.json says {result['status']}: {result.get('error')}")
        if self.kind != "keyless" and result["requestId"] != request:
            raise Wrong(f"result.json is of the request {result['requestId']}, not {request}")
        for artifact in result["artifacts"]:
            with open(f"{self.job}/results/{artifact['path']}", "rb") as file:
                if hashlib.sha256(file.read()).hexdigest() != artifact["sha256"]:
                    raise Wrong(f"{artifact['path']} is not what result.json says")
        if {artifact["path"] for artifact in result["artifacts"]} != {"out/made", "copy"}:
            raise Wrong(f"artifacts are {result['artifacts']}")
        if self.read(f"{self.job}/results/step_0.log") != "a line\n":
            raise Wrong("the step's log is not whole")
        return result

    def workspaces_left(self):
        return [name for name in self.names(self.workspaces) if not name.startswith(".worker/")]

    def half_files(self):
        # What an attempt left that died lies in results.previous as it was.
        return [
            name for name in self.names(self.job) + self.names(f"{self.jobs}/.worker/claims")
            if os.path.basename(name).startswith(".") and not name.startswith("results.previous/")]

    def check_leftovers(self):
        if self.workspaces_left():
            raise Wrong(f"a workspace is left: {self.workspaces_left()}")
        if self.claims():
            raise Wrong(f"claims are left: {self.claims()}")
        if self.tickets():
            raise Wrong(f"tickets are left: {self.tickets()}")
        if os.path.lexists(f"{self.jobs}/KILLSWITCH"):
            raise Wrong("there is a KILLSWITCH")
        if self.half_files():
            raise Wrong(f"half files are left: {self.half_files()}")
        if self.read(f"{self.record}/overlaps"):
            raise Wrong(f"two runs at once: {self.read(f'{self.record}/overlaps')}")
        for second in (False, True):
            if len(self.runs(second)) != len(set(self.runs(second))):
                raise Wrong(f"an attempt ran twice: {self.read(f'{self.record}/runs')}")

    def end(self, process, name, codes=(0,)):
        """TERM must end a worker."""
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(90)
        except subprocess.TimeoutExpired:
            raise Wrong(f"{name} does not leave on TERM") from None
        if code not in codes:
            said = [line for line in self.read(f"{self.root}/{name}.log").splitlines() if " debug " not in line]
            raise Wrong(f"{name} ended with {code}: {' / '.join(said[-2:])}")

    def clear(self, keep=None):
        """Ends what still runs, and removes the folder, or keeps it as `keep`."""
        self.over = True
        for process in reversed(self.processes):
            if process.poll() is None:
                process.kill()
            process.wait()
        if keep:
            shutil.rmtree(keep, ignore_errors=True)
            shutil.copytree(self.root, keep, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(self.root, ignore_errors=True)
        Scene.open.remove(self)
