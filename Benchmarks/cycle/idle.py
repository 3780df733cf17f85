"""What a worker that waits costs: memory that it has for itself, and how often it wakes up."""

import time

from processes import children, pss, settle, wakeups


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
