"""What a worker that waits costs: memory that it has for itself, and how often it wakes up."""

import os
import time

from pickup import settle


def run(scene, seconds, tools):
    """`tools`: a title to the command lines that it starts. Per tool, for each of them, with the processes that it has
    started: PSS in KiB, and wake-ups a second."""
    found = {}
    for tool, commands in tools.items():
        workers = [scene.start(command) for command in commands]
        for worker in workers:
            settle(worker)
        processes = [pid for worker in workers for pid in [worker.pid, *children(worker.pid)]]
        before = wakeups(processes)
        time.sleep(seconds)
        rate = sum(count - before.get(thread, 0) for thread, count in wakeups(processes).items()) / seconds
        found[tool] = (sum(map(pss, processes)) / len(workers), rate / len(workers))
        scene.stop(*workers)
    return found


def children(pid):
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children") as text:
            found += map(int, text.read().split())
    return found


def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))


def wakeups(processes):
    """Per thread, how often it has given up the processor by itself: each time it had been woken."""
    counts = {}
    for pid in processes:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/status") as status:
                counts[thread] = sum(int(line.split()[1]) for line in status if line.startswith("voluntary"))
    return counts
