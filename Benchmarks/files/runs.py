"""Runs tools in turn and keeps what each took."""

import os
import statistics
import subprocess
from dataclasses import dataclass, field


@dataclass
class Figures:
    """What one tool took, over all rounds."""

    seconds: list = field(default_factory=list)
    memory: int = 0

    @property
    def median(self):
        return statistics.median(self.seconds)


class Bench:
    """A folder to work in, on one file system, and the programs."""

    def __init__(self, programs, place, volume):
        self.programs = os.path.abspath(programs)
        self.place = os.path.abspath(place)
        self.volume = volume
        self.number = 0
        os.makedirs(self.place)

    def program(self, name):
        return f"{self.programs}/{name}"

    def fresh(self):
        """A path that has never been used."""
        self.number += 1
        return f"{self.place}/{self.number}"

    def settle(self):
        """On a disk, what an earlier run wrote must not be written during the next one."""
        if self.volume == "disk":
            os.sync()

    def measure(self, figures, command):
        self.settle()
        output = subprocess.run([self.program("measure"), *command], check=True, stdout=subprocess.PIPE, text=True)
        seconds, _, memory = output.stdout.split()[-3:]
        figures.seconds.append(float(seconds))
        figures.memory = max(figures.memory, int(memory))

    def discard(self, *paths):
        for path in paths:
            subprocess.run([self.program("filetree-bench"), "purge", path], check=True)

    def close(self):
        self.discard(self.place)


def in_turn(tools, rounds, run):
    """Each tool once a round, and another one first each round. Returns figures by tool."""
    figures = {tool: Figures() for tool in tools}
    names = list(tools)
    for number in range(rounds):
        shift = number % len(names)
        for tool in names[shift:] + names[:shift]:
            run(tool, figures[tool])
    return figures
