"""The life of a fleet, from the first start to the last departure, and what is seen on the way."""

import json
import signal
import time
from types import SimpleNamespace

from fleet import Fleet, Usage, await_condition, await_list, listed, memory, own_memory
from mqtt import Listener, Sender

RECEIVED, SENT = "$SYS/broker/messages/received", "$SYS/broker/messages/sent"
STATUSES = "workers/+/status"


def run(scene, chosen):
    fleet, found = Fleet(scene, "worker"), SimpleNamespace()
    try:
        empty = own_memory(scene.broker.process.pid)
        start(scene, fleet, found, chosen)
        say(f"{found.listed_count} are listed; waiting for {chosen.idle_seconds} s")
        wait(scene, fleet, found, chosen)
        found.broker_memory = (own_memory(scene.broker.process.pid) - empty) / chosen.workers
        command(scene, found, chosen)
        lose(scene, fleet, found, chosen)
        leave(scene, fleet, found)
        say(f"heartbeats of {chosen.beat_workers}, for {chosen.beat_seconds} s")
        found.beats = heartbeats(scene, chosen)
    finally:
        fleet.close()
    return found


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def is_well(worker):
    return worker["alive"] and worker["answered"]


def start(scene, fleet, found, chosen):
    say(f"starting {chosen.workers}")
    first = time.monotonic()
    fleet.start(map(fleet.name, range(chosen.workers)))
    last = time.monotonic()
    workers, now = await_list(
        scene, "all workers in the list", lambda workers: sum(map(is_well, workers)) == chosen.workers)
    found.listed_count, found.listed_after, found.listed_in_all = len(workers), now - last, now - first
    found.listing = []
    for _ in range(chosen.rounds):
        workers, took = listed(scene)
        assert sum(map(is_well, workers)) == len(workers) == chosen.workers, f"{len(workers)} are listed"
        found.listing.append(took)


def wait(scene, fleet, found, chosen):
    """With nobody listening, but to the broker's counters: each listener is sent what there is."""
    processes = fleet.processes()
    counters = Listener(scene.broker.port, RECEIVED, SENT)
    await_condition("the broker's counters", lambda: {RECEIVED, SENT} <= set(latest(counters)))
    # They are a second old, and there were lists just before; threads that started with the workers end after a while.
    time.sleep(10)
    workers, broker = Usage(processes), Usage({"broker": [scene.broker.process.pid]})
    before, at, heard = latest(counters), time.monotonic(), len(counters.messages)
    time.sleep(chosen.idle_seconds)
    # Memory takes a while to read, and is part of nothing.
    (found.watched, used, woken), (_, broker_used, _) = workers.end(), broker.end()
    after, took, told = latest(counters), time.monotonic() - at, len(counters.messages) - heard
    counters.close()
    share = found.watched * chosen.workers
    found.cpu, found.wakeups, found.broker_cpu = used / share, woken / share, broker_used / share
    found.messages = SimpleNamespace(
        received=(after[RECEIVED] - before[RECEIVED]) / took, sent=(after[SENT] - before[SENT] - told) / took,
        statuses=statuses(scene, chosen.idle_seconds))
    found.pss, found.own_pss = memory(processes)


def latest(counters):
    return {topic: int(payload) for _, topic, payload in list(counters.messages)}


def statuses(scene, seconds):
    """How many statuses come in a second, as somebody who listens to all of them sees it."""
    listener = Listener(scene.broker.port, STATUSES)
    time.sleep(1)
    retained = len(listener.messages)
    time.sleep(seconds)
    count = len(listener.messages) - retained
    listener.close()
    return count / seconds


def command(scene, found, chosen):
    say("a command to all")
    listener, sender = Listener(scene.broker.port, "workers/+/answers"), Sender(scene.broker.port)
    found.answers, found.answer_times = chosen.workers, []
    for number in range(chosen.rounds):
        begin, before = time.monotonic(), len(listener.messages)
        sender.publish("workers/all/command", '{"command":"version-report"}')
        await_condition(f"{chosen.workers} answers", lambda: len(listener.messages) - before >= chosen.workers, 30)
        answers = listener.messages[before:]
        found.answers = min(found.answers, len({topic for _, topic, _ in answers}))
        found.answer_times.append(max(at for at, _, _ in answers) - begin)
    listener.close()
    sender.close()


def lose(scene, fleet, found, chosen):
    """A tenth of the fleet is killed, and a fortieth is frozen; then both come back."""
    found.killed, found.frozen = max(1, chosen.workers // 10), max(1, chosen.workers // 40)
    killed = [fleet.name(number) for number in range(found.killed)]
    frozen = [fleet.name(found.killed + number) for number in range(found.frozen)]
    say(f"killing {found.killed}")
    begin = time.monotonic()
    fleet.kill(killed)
    workers, now = await_list(
        scene, "the lost in the list", lambda workers: lost(workers) == set(killed), 30)
    found.lost, found.lost_after, found.listed_with_lost = len(lost(workers)), now - begin, len(workers)

    say(f"freezing {found.frozen}")
    listener = Listener(scene.broker.port, STATUSES)
    begin = time.monotonic()
    fleet.send(signal.SIGSTOP, frozen)
    try:
        wills = {}

        def all_lost():
            for at, topic, payload in list(listener.messages):
                name = topic.split("/")[1]
                if name in frozen and json.loads(payload).get("reason") == "lost":
                    wills.setdefault(name, at - begin)
            return len(wills) == len(frozen)

        await_condition("the wills of the frozen", all_lost, 60)
        found.frozen_for = list(wills.values())
    finally:
        fleet.send(signal.SIGCONT, frozen)
        listener.close()
    say("and back")
    fleet.start(killed)
    workers, _ = await_list(
        scene, "all workers in the list again", lambda workers: sum(map(is_well, workers)) == chosen.workers)
    found.back = sum(map(is_well, workers))


def lost(workers):
    return {worker["workerId"] for worker in workers if worker["state"] == "offline" and worker["reason"] == "lost"}


def leave(scene, fleet, found):
    say("leaving")
    begin = time.monotonic()
    found.ends = fleet.leave()
    found.left_in = time.monotonic() - begin
    ghosts, _ = listed(scene)
    found.ghosts = len(ghosts)
    for ghost in ghosts:
        say(f"is still listed: {json.dumps(ghost)}")


def heartbeats(scene, chosen):
    """What a heartbeat costs a worker: as many with one a second as with none, at the same time, side by side."""
    quick, slow = Fleet(scene, "quick", "--heartbeat", "1s"), Fleet(scene, "slow", "--heartbeat", "1d")
    try:
        for fleet in (quick, slow):
            fleet.start(map(fleet.name, range(chosen.beat_workers)))
        for fleet in (quick, slow):
            await_list(scene, "the beating", lambda workers: sum(map(is_well, workers)) == 2 * chosen.beat_workers)
        listener = Listener(scene.broker.port, "workers/+/status")
        time.sleep(2)
        before = len(listener.messages)
        usages = [Usage(fleet.processes()) for fleet in (quick, slow)]
        time.sleep(chosen.beat_seconds)
        (_, with_beats, _), (_, without, _) = [usage.end() for usage in usages]
        count = len(listener.messages) - before
        listener.close()
        quick.leave()
        slow.leave()
        return SimpleNamespace(cpu=(with_beats - without) / count, count=count, workers=chosen.beat_workers)
    finally:
        quick.close()
        slow.close()
