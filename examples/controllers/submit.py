#!/usr/bin/env python3
"""A controller in Python, over paho-mqtt 2: has a job run, shows its logs as they grow, exits with its exit code.

    submit.py FOLDER [ID]        ID: the folder's name if it is left out

MQTT_BROKER (localhost), MQTT_PORT (1883), MQTT_USERNAME, MQTT_PASSWORD, MQTT_CA_CERTS (then TLS), MQTT_JOBS_DIR (./jobs),
MQTT_TOPIC (jobs/pending). `pip install 'paho-mqtt>=2.1'`.
"""

import json
import os
import queue
import shutil
import sys
import time
import uuid
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

NO_MATCHING_SUBSCRIBERS = 0x10


def place(folder: Path, jobs: Path, name: str) -> Path:
    """Puts the folder on the volume: whole and at once, under a name that nobody has yet."""
    place = jobs / name
    hidden = jobs / f".submit-{name}-{uuid.uuid4()}"
    if not jobs.is_dir():
        sys.exit(f"submit.py: {jobs} is no folder; check that the volume is mounted")
    try:
        shutil.copytree(folder, hidden, symlinks=True, ignore=shutil.ignore_patterns("results", "results.previous"))
        os.sync()
        # mkdir is exclusive, and rename(2) replaces an empty folder.
        place.mkdir()
        hidden.rename(place)
    except FileExistsError:
        sys.exit(f"submit.py: {place} exists already; give another id")
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return place


class Request:
    """One request, sent until a worker has it, and what is heard of it."""

    def __init__(self, name: str):
        self.name = name
        self.key = str(uuid.uuid4())
        self.news: queue.Queue[dict] = queue.Queue()
        self.is_taken = False
        self.has_warned = False
        self.result: dict | None = None
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"submit-{uuid.uuid4()}", protocol=mqtt.MQTTv5)
        self.client.on_connect = self.connected
        self.client.on_connect_fail = self.failed
        self.client.on_message = self.arrived
        self.client.on_publish = self.published
        if username := os.environ.get("MQTT_USERNAME"):
            self.client.username_pw_set(username, os.environ.get("MQTT_PASSWORD"))
        if ca := os.environ.get("MQTT_CA_CERTS"):
            self.client.tls_set(ca)

    def start(self):
        host, port = os.environ.get("MQTT_BROKER", "localhost"), int(os.environ.get("MQTT_PORT", "1883"))
        # Tries again by itself, now and whenever the connection is lost.
        self.client.connect_async(host, port, clean_start=mqtt.MQTT_CLEAN_START_FIRST_ONLY)
        self.client.loop_start()

    def stop(self):
        self.client.disconnect()
        self.client.loop_stop()

    def connected(self, client, userdata, flags, reason, properties):
        if reason.is_failure:
            sys.exit(f"submit.py: the broker refuses the connection: {reason}")
        options = SubscribeOptions(qos=1)
        client.subscribe([(f"jobs/events/{self.name}", options), (f"jobs/results/{self.name}", options)])
        # What was sent over the last connection may be lost.
        self.send()

    def failed(self, client, userdata):
        if not self.has_warned:
            print("submit.py: the broker does not answer; trying again until it does", file=sys.stderr)
        self.has_warned = True

    def send(self):
        if self.is_taken and self.result:
            return
        properties = Properties(PacketTypes.PUBLISH)
        properties.CorrelationData = self.key.encode()
        payload = json.dumps({"id": self.name, "requestId": self.key})
        # Of several the last, least urgent one.
        topic = os.environ.get("MQTT_TOPIC", "jobs/pending").split()[-1]
        self.client.publish(topic, payload, qos=1, properties=properties)

    def published(self, client, userdata, mid, reason, properties):
        if reason.value == NO_MATCHING_SUBSCRIBERS:
            self.news.put({"event": "nobody listens"})
        elif reason.is_failure:
            self.news.put({"event": "refused", "error": str(reason)})

    def arrived(self, client, userdata, message):
        news = json.loads(message.payload)
        # Other requests for the job are answered here, too.
        if news.get("requestId") != self.key:
            return
        self.is_taken = True
        if message.topic.startswith("jobs/results/"):
            self.result = news
        self.news.put(news)

    def next(self, seconds: float) -> dict | None:
        try:
            return self.news.get(timeout=seconds)
        except queue.Empty:
            return None


def follow(place: Path, positions: dict[str, int]):
    """Writes what is new in the logs; they are complete when the result is there."""
    logs = (place / "results").glob("step_*.log")
    for log in sorted(logs, key=lambda log: int(log.stem.removeprefix("step_"))):
        with log.open("rb") as file:
            file.seek(positions.get(log.name, 0))
            while chunk := file.read(1 << 16):
                sys.stdout.buffer.write(chunk)
            positions[log.name] = file.tell()
    sys.stdout.buffer.flush()


def main():
    if len(sys.argv) not in (2, 3) or not (Path(sys.argv[1]) / "job.json").is_file():
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    name = sys.argv[2] if len(sys.argv) == 3 else folder.resolve().name
    home = place(folder, Path(os.environ.get("MQTT_JOBS_DIR", "./jobs")), name)
    request = Request(name)
    request.start()
    positions: dict[str, int] = {}
    again = time.monotonic() + 30
    while request.result is None:
        news = request.next(0.1)
        if news and news["event" if "event" in news else "status"] == "nobody listens":
            print("submit.py: no worker listens yet; waiting for one", file=sys.stderr)
            again = time.monotonic() + 1
        elif news and news.get("event") in ("refused", "duplicate"):
            sys.exit(f"submit.py: the request is not taken: {news}")
        if not request.is_taken and time.monotonic() >= again:
            again = time.monotonic() + 30
            request.send()
        if request.is_taken:
            follow(home, positions)
    follow(home, positions)
    request.stop()
    print(json.dumps(request.result), file=sys.stderr)
    sys.exit(request.result.get("exitCode", 1))


if __name__ == "__main__":
    main()
