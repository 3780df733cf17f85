"""A broker, a volume, and workers on it."""

import json
import os
import shutil
import signal
import subprocess
import time

from mqtt import Sender

TOPIC = "jobs/pending"
SHARED = "$share/workers/jobs/pending"
SHELL = "shell worker"
STEP = "echo compiled >out.txt; echo done"


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """A mosquitto of its own, whose queues have no end and which saves nothing. `settings`: further lines of its configuration."""

    def __init__(self, place, settings=""):
        self.port = free_port()
        path = f"{place}/mosquitto.conf"
        with open(path, "w") as conf:
            conf.write(f"listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
                       f"persistence false\nlog_dest none\n{settings}")
        self.process = subprocess.Popen(["mosquitto", "-c", path], stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while True:
            try:
                Sender(self.port).close()
                return
            except OSError:
                assert time.monotonic() < deadline, "mosquitto does not start"
                time.sleep(0.02)

    def close(self):
        self.process.terminate()
        self.process.wait()


class Scene:
    """One folder for all; `close` removes it."""

    def __init__(self, place, programs, broker=""):
        place = os.path.abspath(place)
        self.place, self.programs = place, os.path.abspath(programs)
        os.makedirs(place)
        self.broker = Broker(place, broker)
        self.sender = Sender(self.broker.port)
        self.jobs, self.workspaces = f"{place}/jobs", f"{place}/workspaces"
        os.mkdir(self.jobs)
        os.mkdir(self.workspaces)
        self.number = 0
        self.environment = {"PATH": os.environ["PATH"], "HOME": place, "LANG": "C.UTF-8"}

    def program(self, name):
        return f"{self.programs}/{name}"

    # Jobs

    def job(self, step=STEP, steps=None):
        """A folder with one source file and a definition that both workers understand; returns its id."""
        self.number += 1
        name = f"job_{self.number}"
        os.makedirs(f"{self.jobs}/{name}/src")
        with open(f"{self.jobs}/{name}/src/main.c", "w") as source:
            source.write("int main(void) { return 0; }\n")
        with open(f"{self.jobs}/{name}/job.json", "w") as definition:
            json.dump({"steps": steps or [step]}, definition)
        with open(f"{self.jobs}/{name}/step", "w") as text:
            text.write(step + "\n")
        return name

    def send(self, name, topic=TOPIC, retain=False, padding=0):
        request = {"id": name}
        if padding:
            request["env"] = {"PADDING": "x" * padding}
        self.sender.publish(topic, json.dumps(request, separators=(",", ":")), retain)

    def log(self, name, deadline=30):
        """The first step's log, once the job's result is there."""
        self.finished(name, deadline)
        with open(f"{self.jobs}/{name}/results/step_0.log") as log:
            return log.read()

    def finished(self, name, deadline=30):
        end = time.monotonic() + deadline
        while not os.path.exists(f"{self.jobs}/{name}/results/result.json"):
            assert time.monotonic() < end, f"{name} has no result"
            time.sleep(0.0005)

    def forget(self, *names):
        for name in names:
            shutil.rmtree(f"{self.jobs}/{name}")

    # Workers

    def ours(self, name, *options, topic=TOPIC):
        return [self.program("mqtt-fs-worker"), "-u", f"mqtt://127.0.0.1:{self.broker.port}", "-i", name,
                "-j", self.jobs, "-w", self.workspaces, "-t", topic, "--log-level", "error", *options]

    def shell(self, name, topic=TOPIC):
        here = os.path.dirname(os.path.abspath(__file__))
        return [f"{here}/../cycle/shell-worker", str(self.broker.port), name, topic, self.jobs, self.workspaces]

    def subscribe(self, name, topic=TOPIC):
        """Makes the durable session of a worker that has not been there yet."""
        subprocess.run(
            ["mosquitto_sub", "-p", str(self.broker.port), "-V", "5", "-i", name, "-c", "-x", "604800", "-q", "1",
             "-t", topic, "-E"], check=True)

    def measure(self, command, figures):
        """Runs `command` to its end and adds what it took."""
        output = subprocess.run([self.program("measure"), *command], check=True, stdout=subprocess.PIPE, text=True,
                                env=self.environment)
        wall, cpu, memory = output.stdout.split()[-3:]
        figures.add(float(wall), float(cpu), int(memory))

    def start(self, command, **options):
        """Starts `command` in a session of its own."""
        return subprocess.Popen(command, env=self.environment, start_new_session=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, **options)

    @staticmethod
    def stop(*processes):
        for process in processes:
            os.killpg(process.pid, signal.SIGTERM)
        for process in processes:
            process.wait()
            # What a shell had started may take a moment longer.
            while True:
                try:
                    os.killpg(process.pid, 0)
                except ProcessLookupError:
                    break
                time.sleep(0.005)

    def close(self):
        self.sender.close()
        self.broker.close()
        shutil.rmtree(self.place, ignore_errors=True)
