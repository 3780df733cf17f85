"""From the publication of a request to the first instruction of the job's step."""

import time

from processes import settle
from report import OURS
from scene import SHELL

WAYS = ["idle", "queued", "retained"]


def run(scene, rounds):
    """Seconds, by way and tool. Queued and retained requests wait for the worker: its start counts from there on."""
    samples = {}
    for way in WAYS:
        for tool in (OURS, SHELL):
            samples[way, tool] = [one(scene, way, tool) for _ in range(rounds)]
    return samples


def command(scene, tool, name, topic):
    return scene.shell(name, topic) if tool == SHELL else scene.ours(name, topic=topic)


def one(scene, way, tool):
    stamp = scene.program("stamp")
    # A shell of the step's own: what runs first is the program that tells the time.
    name = scene.job(f"exec {stamp}", [{"run": "now", "shell": [stamp]}])
    # A session for each request: what one is subscribed to is not kept for another.
    client = f"{way}-{name}"
    topic = f"pickup/{client}"
    if way != "retained":
        scene.subscribe(client, topic)
    if way == "idle":
        worker = scene.start(command(scene, tool, client, topic))
        settle(worker)
        begin = time.monotonic_ns()
        scene.send(name, topic)
    else:
        scene.send(name, topic, retain=way == "retained")
        begin = time.monotonic_ns()
        worker = scene.start(command(scene, tool, client, topic))
    moment = int(scene.log(name))
    worker.wait()
    scene.forget(name)
    return (moment - begin) / 1e9
