"""What grows. Each prepares a scene of a size, and returns what runs one worker in it."""

import json
import os
from dataclasses import dataclass
from typing import Callable

from scene import SHARED

TOPIC = "jobs/growth"
WORKER = "growth"


@dataclass
class Dimension:
    name: str
    title: str
    sizes: list
    prepare: Callable
    note: str = ""


def runs(scene, topic, next_job, before=lambda: None):
    """A function that sends the next job and measures a worker that takes it."""
    command = scene.ours(WORKER, topic=topic)

    def turn(figures):
        before()
        name = next_job()
        scene.measure(command, figures)
        assert os.path.exists(f"{scene.jobs}/{name}/results/result.json"), f"{name} was not run"

    return turn


def sent(scene, topic, **options):
    name = scene.job()
    scene.send(name, topic, **options)
    return name


def finished(scene, size, rounds):
    result = json.dumps({"schema": 1, "status": "success", "exitCode": 0})
    for number in range(size):
        folder = f"{scene.jobs}/old_{number}"
        os.makedirs(f"{folder}/results")
        for path, text in [("job.json", '{"steps":["true"]}'), ("results/result.json", result)]:
            with open(f"{folder}/{path}", "w") as file:
                file.write(text)
    scene.subscribe(WORKER, TOPIC)
    return runs(scene, TOPIC, lambda: sent(scene, TOPIC))


def queue(topic, name):
    """Requests that wait behind the one that is taken, in the session of the worker."""
    def prepare(scene, size, rounds):
        scene.subscribe(WORKER, topic)
        address = topic.removeprefix("$share/workers/")
        names = [scene.job() for _ in range(rounds + size)]
        for job in names:
            scene.send(job, address)
        # A worker of a group takes the oldest, wherever it lies by now.
        waiting = iter(names)
        return runs(scene, topic, lambda: next(waiting))

    return prepare


def members(scene, size, rounds):
    """Files of workers of the same kind that are there; they touch them themselves, so here each is touched."""
    scene.subscribe(WORKER, SHARED)
    folder = f"{scene.jobs}/.worker/members"
    scene.measure(scene.ours(WORKER, "--idle-timeout", "1s", topic=SHARED), _Nothing())
    with open(f"{folder}/{WORKER}.json") as file:
        member = json.load(file)
    # All of them are this process.
    process = dict(member["process"], **alive())
    names = [f"other-{number}" for number in range(size)]
    for name in names:
        other = dict(member, worker=name, clientId=name, state="present", process=process)
        with open(f"{folder}/{name}.json", "w") as file:
            json.dump(other, file)

    def touch():
        for name in names:
            os.utime(f"{folder}/{name}.json")

    return runs(scene, SHARED, lambda: sent(scene, "jobs/pending"), touch)


def alive():
    """This process, as a file of a worker names it: others see that it lives."""
    with open("/proc/self/stat") as stat:
        return {"pid": os.getpid(), "startTime": stat.read().rsplit(")", 1)[1].split()[19]}


def claims(scene, size, rounds):
    """Jobs that workers of another kind run; each claim is touched, as its worker does."""
    scene.subscribe(WORKER, TOPIC)
    folder = f"{scene.jobs}/.worker/claims"
    os.makedirs(folder, exist_ok=True)
    names = [f"{folder}/other_{number}.1.json" for number in range(size)]
    for number, name in enumerate(names):
        with open(name, "w") as file:
            json.dump({"worker": "other", "id": f"other_{number}", "attempt": 1, "filter": "jobs/other", "run": f"r{number}",
                       "envelope": {"payload": "{}", "topic": "jobs/other", "requestId": f"k{number}"},
                       "process": dict({"host": "other", "bootId": "b", "pidNamespace": "p"}, **alive())}, file)

    def touch():
        for name in names:
            os.utime(name)

    return runs(scene, TOPIC, lambda: sent(scene, TOPIC), touch)


def deferred(scene, size, rounds):
    """Requests that workers of another kind have deferred."""
    scene.subscribe(WORKER, TOPIC)
    folder = f"{scene.jobs}/.worker/waiting/jobs%2Fother"
    os.makedirs(folder, exist_ok=True)
    for number in range(size):
        with open(f"{folder}/{10 ** 18 + number}-other_{number}.json", "w") as file:
            json.dump({"payload": "{}", "topic": "jobs/other", "requestId": f"k{number}"}, file)
    return runs(scene, TOPIC, lambda: sent(scene, TOPIC))


class _Nothing:
    def add(self, *figures):
        pass


def steps(scene, size, rounds):
    def job():
        name = scene.job(steps=["true"] * size)
        scene.send(name, TOPIC)
        return name

    scene.subscribe(WORKER, TOPIC)
    return runs(scene, TOPIC, job)


def payload(scene, size, rounds):
    """Variables in the request, in pieces: the kernel takes no longer one than 128 KiB."""
    def job():
        name = scene.job()
        variables = {f"P{start}": "x" * min(16000, size - start) for start in range(0, size, 16000)}
        scene.sender.publish(TOPIC, json.dumps({"id": name, "env": variables}), False)
        return name

    scene.subscribe(WORKER, TOPIC)
    return runs(scene, TOPIC, job)


DIMENSIONS = {dimension.name: dimension for dimension in [
    Dimension("finished", "Finished job folders on the volume", [10, 1000, 100_000], finished),
    Dimension("queued", "Requests that wait behind it, without a group", [10, 10_000], queue("jobs/growth", "queued")),
    Dimension("queued-group", "Requests that wait behind it, in a group", [10, 10_000], queue(SHARED, "queued-group"),
              "A busy worker of a group puts requests down for others, up to 64, once its job has taken 100 ms: with jobs as "
              "short as these it does not."),
    Dimension("members", "Workers of the same kind", [4, 200], members),
    Dimension("claims", "Jobs that other workers run", [10, 1000, 10_000], claims),
    Dimension("deferred", "Deferred requests of another kind", [10, 10_000], deferred),
    Dimension("steps", "Steps", [1, 10, 100, 1000], steps, "Linear: each step is a process."),
    Dimension("payload", "Bytes of payload", [100, 16_000, 256_000], payload,
              "Linear: the request is stored with the claim, and its variables are given to the step."),
]}
