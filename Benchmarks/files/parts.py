"""The parts of the benchmark: what is measured, beside what."""

import os
import shutil
import subprocess
import time

import runs
import trees

OURS = "mqtt-fs-worker"


def have(tool):
    return shutil.which(tool) is not None


def copiers(bench, floor=True):
    """Commands that copy a tree to a new path."""
    ours = bench.program("filetree-bench")
    tools = {"cp -a": lambda source, to: ["cp", "-a", source, to]}
    if have("rsync"):
        tools["rsync -a"] = lambda source, to: ["rsync", "-a", f"{source}/", to]
    tools["tar to tar"] = lambda source, to: [
        "sh", "-c", 'mkdir "$2" && tar -C "$1" -cf - . | tar -C "$2" -xf -', "sh", source, to]
    tools[OURS] = lambda source, to: [ours, "stage", source, to]
    if floor:
        tools["floor (C, 2 threads)"] = lambda source, to: [bench.program("floor"), "copy", source, to]
    return tools


def stage(bench, tree, rounds):
    """Copies a tree into a fresh destination."""
    source = bench.fresh()
    trees.make(source, **tree)
    tools = copiers(bench)
    # ext4 without a journal takes many times as long to make files again soon after as many were deleted: there,
    # small files stay until the end. Large ones would fill the disk.
    keep = bench.volume == "disk" and tree["sizes"][1] < 1 << 20

    def run(tool, figures):
        destination = bench.fresh()
        bench.measure(figures, tools[tool](source, destination))
        if not keep:
            bench.discard(destination)

    return runs.in_turn(tools, rounds, run)


def purge(bench, tree, rounds):
    """Removes a tree."""
    source = bench.fresh()
    trees.make(source, **tree)
    commands = {
        "rm -rf": ["rm", "-rf"],
        OURS: [bench.program("filetree-bench"), "purge"],
    }

    def copy():
        destination = bench.fresh()
        subprocess.run([bench.program("filetree-bench"), "stage", source, destination], check=True)
        return destination

    # On a disk all copies first: see above on ext4. In memory there may be no room for so many.
    copies = [copy() for _ in range(rounds * len(commands))] if bench.volume == "disk" else []

    def run(tool, figures):
        bench.measure(figures, [*commands[tool], copies.pop() if copies else copy()])

    return runs.in_turn(commands, rounds, run)


def changes(bench, tree, rounds):
    """Finds 20 changed, 20 new and 5 deleted files, and exports them."""
    source = bench.fresh()
    trees.make(source, **tree)
    figures = {}

    def add(name, seconds):
        figures.setdefault(name, runs.Figures()).seconds.append(seconds)

    for _ in range(rounds):
        staged, results, mirror, found = (bench.fresh() for _ in range(4))
        process = subprocess.Popen(
            [bench.program("filetree-bench"), "changes", source, staged, results],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        if have("rsync"):
            subprocess.run(["cp", "-a", staged, mirror], check=True)
        stamp = bench.fresh()
        open(stamp, "w").close()
        time.sleep(0.02)  # find -newer compares times that are as coarse as the kernel's tick
        trees.edit(staged)
        bench.settle()
        scan = subprocess.run([bench.program("floor"), "scan", staged], check=True, capture_output=True, text=True)
        add("floor: scan (C, 2 threads)", float(scan.stdout))
        bench.settle()
        output, _ = process.communicate("\n")
        finding, exporting, changed, deleted, failed, memory = output.split()
        assert (changed, deleted, failed) == ("40", "5", "0"), output
        add(f"{OURS}: find", float(finding))
        add(f"{OURS}: find and sync", float(finding) + float(exporting))
        figures[f"{OURS}: find and sync"].memory = max(figures[f"{OURS}: find and sync"].memory, int(memory))
        os.mkdir(found)
        script = 'cd "$1" && find . -newer "$2" -type f -exec cp -a --parents -t "$3" {} +'
        figure = figures.setdefault("find -newer -exec cp -a --parents", runs.Figures())
        bench.measure(figure, ["sh", "-c", script, "sh", staged, stamp, found])
        if have("rsync"):
            figure = figures.setdefault("rsync -a --delete", runs.Figures())
            bench.measure(figure, ["rsync", "-a", "--delete", f"{staged}/", mirror])
        bench.discard(results, found)
        if bench.volume != "disk":
            bench.discard(staged, mirror)
    return figures


def threads(bench, tree, rounds, source=None):
    """Copies with fixed numbers of threads, to hold the default against."""
    if source is None:
        source = bench.fresh()
        trees.make(source, **tree)
    ours = bench.program("filetree-bench")
    counts = {"as by default": []} | {str(count): [str(count)] for count in (1, 2, 4, 8, 16, 32, 64)}

    def run(count, figures):
        destination = bench.fresh()
        bench.measure(figures, [ours, "stage", source, destination, *counts[count]])
        if bench.volume != "disk":
            bench.discard(destination)

    return runs.in_turn(counts, rounds, run)


class SlowVolume:
    """A mount on which every operation takes a millisecond more. Only for those who may mount."""

    def __init__(self, bench, microseconds=1000):
        self.bench = bench
        self.back, self.mount = bench.fresh(), bench.fresh()
        os.mkdir(self.back)
        os.mkdir(self.mount)
        trees.make(f"{self.back}/source", **trees.SLOW_TREE)
        self.command = [bench.program("slowfs"), self.back, str(microseconds), self.mount,
                        "-o", "max_threads=64,max_idle_threads=64"]

    def __enter__(self):
        subprocess.run(self.command, check=True)
        return f"{self.mount}/source"

    def __exit__(self, *_):
        subprocess.run(["fusermount3", "-u", self.mount], check=True)


def slow(bench, rounds):
    """Copies from a slow volume."""
    with SlowVolume(bench) as source:
        tools = copiers(bench, floor=False)

        def run(tool, figures):
            destination = bench.fresh()
            bench.measure(figures, tools[tool](source, destination))
            bench.discard(destination)

        return runs.in_turn(tools, rounds, run), threads(bench, None, rounds, source)
