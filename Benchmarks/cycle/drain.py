"""How long a queue of trivial jobs takes, by restart loops and by workers that start themselves again in place."""

import os
import subprocess
import time

from figures import Figures, in_turn
from report import OURS
from scene import SHARED, SHELL

LOOP = 'while "$@"; do :; done'


def ways():
    """A title to: the tool, how many at once, and options."""
    return {
        f"4 loops of the {SHELL}": (SHELL, 4, []),
        f"{OURS}, 4 restart loops": (OURS, 4, None),
        f"{OURS} --jobs 0, 4 workers": (OURS, 4, ["--jobs", "0"]),
        f"1 loop of the {SHELL}": (SHELL, 1, []),
        f"{OURS} --jobs 0, 1 worker": (OURS, 1, ["--jobs", "0"]),
    }


def run(make_scene, jobs, rounds):
    figures = {way: Figures() for way in ways()}

    def turn(way):
        scene = make_scene()
        try:
            tool, count, options = ways()[way]
            workers = [f"drain-{number}" for number in range(count)]
            for worker in workers:
                scene.subscribe(worker, SHARED)
            for name in [scene.job() for _ in range(jobs)]:
                scene.send(name)
            figures[way].add(drain(scene, tool, workers, options, jobs))
        finally:
            scene.close()

    in_turn(figures, rounds, turn)
    return figures


def drain(scene, tool, workers, options, jobs):
    """Seconds from the start of the workers until the last result arrived."""
    # Events and answers of other topics stay out: each result counts once.
    collector = subprocess.Popen(
        ["mosquitto_sub", "-p", str(scene.broker.port), "-V", "5", "-q", "1", "-t", "jobs/results/+", "-C", str(jobs),
         "-F", "%t"], stdout=subprocess.PIPE, text=True)
    time.sleep(0.2)
    begin = time.monotonic()
    processes = []
    for worker in workers:
        command = scene.shell(worker, SHARED) if tool == SHELL else scene.ours(worker, *options or [], topic=SHARED)
        if tool == SHELL or options is None:
            command = ["sh", "-c", LOOP, "sh", *command]
        processes.append(scene.start(command))
    topics = collector.communicate(timeout=600)[0].split()
    took = time.monotonic() - begin
    scene.stop(*processes)
    assert len(set(topics)) == jobs, "a job has more than one result"
    return took
