#!/usr/bin/env python3
"""Runs the commands that a page shows, as they stand and in their order, and fails if one of them does.

    readme.py WORKER [PAGE]      WORKER: the executable; PAGE: README.md or a page in docs/, README.md if it is left out

What is run are the fenced `sh` blocks, each by a shell of its own, all in one fresh copy of the repository, with a mosquitto
on localhost:1883 in a network of their own, so that runs beside each other do not meet. An HTML comment on the line before a
block, which readers do not see, says what else there is to know of it:

    <!-- run: no, REASON -->       it is not run here
    <!-- run: beside -->           it goes on while the blocks behind it run: another terminal
    <!-- run: with a worker -->    a worker is started again and again while it runs

A block beside others is gone on from when a worker answers. It must end with 0, if not by itself then when it is
told to at the end.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 120


class Block:
    def __init__(self, line: int, text: str, directive: str | None):
        self.line, self.text = line, text
        self.mode, _, self.reason = (directive or "alone").partition(", ")


def blocks(page: Path) -> list[Block]:
    found, fence, start, lines, directive, before = [], None, 0, [], None, ""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        opening = re.fullmatch(r"( *)```(\w*)", line)
        if fence is None and opening:
            fence, start, lines = opening, number, []
            comment = re.fullmatch(r" *<!-- run: (.*) -->", before)
            directive = comment.group(1) if comment else None
        elif fence is not None and line.strip() == "```":
            if fence.group(2) == "sh":
                indent = len(fence.group(1))
                found.append(Block(start, "\n".join(line[indent:] for line in lines), directive))
            elif directive:
                sys.exit(f"{page.name}:{start}: 'run: {directive}' stands before a block that is not sh")
            fence = None
        elif fence is not None:
            lines.append(line)
        if line.strip():
            before = line
    for block in found:
        if block.mode not in ("alone", "no", "beside", "with a worker") or (block.mode == "no") != bool(block.reason):
            sys.exit(f"{page.name}:{block.line}: 'run: {block.mode}' is not known, or lacks its reason")
    return found


class Scene:
    def __init__(self, worker: Path, folder: Path):
        self.folder = folder
        self.home = folder / "mqtt-fs-worker"
        self.log = folder / "mosquitto.log"
        self.started: list[tuple[str, subprocess.Popen, Path]] = []
        self.copy(worker)
        path = f"{self.home}/.build/release:{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin"
        # Settings of whoever runs this would come before the defaults that the page tells of.
        self.environment = {"PATH": path, "HOME": str(folder), "SHELL": "/bin/sh"}
        self.broker = self.start_broker()

    def copy(self, worker: Path):
        skip = shutil.ignore_patterns(".build*", ".git", "*.swp")
        shutil.copytree(ROOT, self.home, symlinks=True, ignore=skip)
        release = self.home / ".build/release"
        release.mkdir(parents=True)
        (release / "mqtt-fs-worker").symlink_to(worker)

    def start_broker(self) -> subprocess.Popen:
        configuration = self.folder / "mosquitto.conf"
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout
        configuration.write_text(
            f"listener 1883 localhost\nallow_anonymous true\nuser {user}log_type all\nlog_dest file {self.log}\n"
        )
        self.log.touch()
        broker = subprocess.Popen(["mosquitto", "-c", configuration], env=self.environment)
        self.wait("mosquitto on port 1883", lambda: " running\n" in self.log.read_text() or broker.poll() is not None)
        if broker.poll() is not None:
            sys.exit(f"mosquitto does not start:\n{self.log.read_text()}")
        return broker

    def wait(self, what: str, condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {PATIENCE} s")
            time.sleep(0.05)

    def is_answered(self) -> bool:
        """Whether a worker listens: it answers a health-check."""
        command = ["mqtt-fs-worker", "workers", "--json"]
        answer = subprocess.run(
            command, cwd=self.home, env=self.environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        return answer.returncode == 0 and any(worker["answered"] for worker in json.loads(answer.stdout))

    def start(self, command: list[str], name: str) -> subprocess.Popen:
        output = self.folder / f"{name}.out"
        with output.open("wb") as file:
            process = subprocess.Popen(
                command, cwd=self.home, env=self.environment, stdin=subprocess.DEVNULL, stdout=file,
                stderr=subprocess.STDOUT, start_new_session=True)
        self.started.append((name, process, output))
        return process

    def end(self, process: subprocess.Popen):
        """Ends what the shell waits for, so that the shell tells how that ended."""
        if process.poll() is None:
            for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split() or [process.pid]:
                os.kill(int(child), signal.SIGTERM)

    def run(self, block: Block):
        loop = None
        if block.mode == "with a worker":
            # A worker that did a job is started again; one that is told to stop is not.
            again = "while mqtt-fs-worker; do [ ! -e ../enough ] || exit 0; done"
            (self.folder / "enough").unlink(missing_ok=True)
            loop = self.start(["sh", "-c", again], f"worker-of-line-{block.line}")
            self.wait("a worker", self.is_answered)
        process = self.start(["sh", "-eu", "-c", block.text], f"line-{block.line}")
        if block.mode == "beside":
            self.wait("a worker", lambda: process.poll() is not None or self.is_answered())
            return
        self.wait(f"the end of the block in line {block.line}", lambda: process.poll() is not None)
        if loop:
            (self.folder / "enough").touch()
            self.end(loop)
            loop.wait(PATIENCE)

    def leave(self) -> list[str]:
        """Ends what goes on, and says what did not end well."""
        faults = []
        for name, process, output in self.started:
            self.end(process)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
            if process.returncode != 0:
                faults.append(f"{name} ended with {process.returncode}:\n{output.read_text(errors='replace')[-3000:]}")
        self.broker.terminate()
        self.broker.wait()
        return faults


def inside(worker: Path, page: Path) -> int:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory(prefix="readme-") as folder:
        scene = Scene(worker, Path(folder))
        faults = []
        try:
            for block in blocks(page):
                print(f"{page.name}:{block.line}: {block.mode}{f' ({block.reason})' if block.reason else ''}", flush=True)
                if block.mode != "no":
                    scene.run(block)
        except TimeoutError as error:
            faults.append(str(error))
        faults += scene.leave()
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def main() -> int:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    worker = Path(sys.argv[1]).resolve()
    page = Path(sys.argv[2]) if len(sys.argv) == 3 else ROOT / "README.md"
    if os.environ.get("README_NETWORK") == "own":
        return inside(worker, page)
    # In a network namespace of its own port 1883 is free; who is not root needs a user namespace for it (unshare(1)).
    options = ["-n"] if os.geteuid() == 0 else ["-r", "-n"]
    if subprocess.run(["unshare", *options, "true"], capture_output=True).returncode != 0:
        print("no network namespace can be had here: the commands are not run")
        return 77
    environment = {**os.environ, "README_NETWORK": "own"}
    return subprocess.run(["unshare", *options, sys.executable, *sys.argv], env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
