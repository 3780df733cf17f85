"""What was measured: samples, and how often each tool takes its turn."""

import statistics
from dataclasses import dataclass, field


@dataclass
class Figures:
    """What one tool took, over all rounds: seconds, seconds of CPU, and KiB of its largest process."""

    wall: list = field(default_factory=list)
    cpu: list = field(default_factory=list)
    memory: list = field(default_factory=list)

    def add(self, wall, cpu=None, memory=None):
        self.wall.append(wall)
        if cpu is not None:
            self.cpu.append(cpu)
        if memory is not None:
            self.memory.append(memory)


def median(samples):
    return statistics.median(samples)


def percentile(samples, share):
    """The smallest sample that `share` of all are not above."""
    ordered = sorted(samples)
    return ordered[max(0, -(-len(ordered) * share // 100) - 1)]


def in_turn(tools, rounds, run):
    """Calls `run(tool)` for each tool once a round, and another one first each round."""
    names = list(tools)
    for number in range(rounds):
        shift = number % len(names)
        for tool in names[shift:] + names[:shift]:
            run(tool)
