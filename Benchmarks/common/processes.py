"""What the kernel tells of processes that run."""

import os
import time


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


def settle(worker):
    """Returns when the worker has slept for a while: it waits for a request."""
    def switches():
        try:
            with open(f"/proc/{worker.pid}/status") as status:
                return [line for line in status if line.startswith(("voluntary", "nonvoluntary"))]
        except OSError:
            raise AssertionError("the worker has ended") from None

    before = None
    while before != (before := switches()):
        time.sleep(0.15)
