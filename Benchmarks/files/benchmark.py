"""Runs the benchmark of file trees. See Benchmarks/run.sh."""

import argparse
import os
import tempfile

import parts
import report
import runs
import trees

PARTS = ["stage", "changes", "purge", "threads", "slow"]


def options():
    parser = argparse.ArgumentParser(prog="Benchmarks/run.sh files", description=__doc__)
    parser.add_argument("--programs", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--results", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=7, help="how often each tool runs (default 7)")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"some of {','.join(PARTS)} (default: all)")
    parser.add_argument("--trees", default="1,2,3,4", help="; ".join(f"{n}: {t}" for n, t in enumerate(trees.TREES, 1)))
    parser.add_argument("--on", default="tmpfs,disk", help="tmpfs, disk or both")
    parser.add_argument("--tmpfs", default="/dev/shm", help="a folder on a tmpfs (default /dev/shm)")
    parser.add_argument("--disk", default=".build", help="a folder on the disk (default .build)")
    return parser.parse_args()


def has_room(bench, tree, rounds):
    """Whether the copies that stay until the end fit on the disk (see parts.stage): five tools, three ways to find what
    changed, two to remove, and the sources. A small file has a block or two, and what the file system keeps of it."""
    if bench.volume != "disk" or tree["sizes"][1] >= 1 << 20:
        return True
    space = os.statvfs(bench.place)
    return tree["folders"] * tree["files"] * 7000 * (10 * rounds + 3) < space.f_bavail * space.f_frsize


def main():
    chosen = options()
    wanted = chosen.parts.split(",")
    names = [list(trees.TREES)[int(number) - 1] for number in chosen.trees.split(",")]
    small = list(trees.TREES)[0]
    sections, groups = [], []

    def add(title, figures, base):
        sections.append(report.table(title, figures, base))
        print(sections[-1], flush=True)

    for volume in chosen.on.split(","):
        place = tempfile.mkdtemp(prefix="benchmark-", dir=chosen.tmpfs if volume == "tmpfs" else chosen.disk)
        bench = runs.Bench(chosen.programs, f"{place}/work", volume)
        try:
            for name in names:
                tree = trees.TREES[name]
                if not has_room(bench, tree, chosen.rounds):
                    sections.append(f"### {name}, {volume}\n\nLeft out: the copies of all rounds have no room there.\n")
                    print(sections[-1], flush=True)
                    continue
                if "stage" in wanted:
                    figures = parts.stage(bench, tree, chosen.rounds)
                    add(f"Copy {name}, {volume}", figures, "cp -a")
                    groups.append((f"copy {name}, {volume}", figures))
                if "changes" in wanted and tree["files"] >= 100:
                    figures = parts.changes(bench, tree, chosen.rounds)
                    add(f"Find 45 changes among {name}, {volume}", figures, "floor: scan (C, 2 threads)")
                    groups.append((f"changes, {name}, {volume}", figures))
                if "purge" in wanted and tree["files"] >= 100:
                    figures = parts.purge(bench, tree, chosen.rounds)
                    add(f"Remove {name}, {volume}", figures, "rm -rf")
                    groups.append((f"remove {name}, {volume}", figures))
            if "threads" in wanted:
                add(f"Copy {small} with numbers of threads, {volume}",
                    parts.threads(bench, trees.TREES[small], chosen.rounds), "as by default")
            if "slow" in wanted and volume == "tmpfs" and os.path.exists(f"{chosen.programs}/slowfs"):
                tools, counts = parts.slow(bench, min(3, chosen.rounds))
                add("Copy 1,000 files of 4 KiB from a volume with 1 ms added to each operation (FUSE)", tools, "cp -a")
                add("The same with numbers of threads", counts, "as by default")
                groups.append(("copy 1,000 files, slow volume", tools))
        finally:
            bench.close()
            os.rmdir(place)

    os.makedirs(chosen.results, exist_ok=True)
    if groups:
        with open(f"{chosen.results}/file-trees.svg", "w") as out:
            out.write(report.plot(groups))
    with open(f"{chosen.results}/file-trees.md", "w") as out:
        out.write(report.markdown(sections, chosen.rounds, "file-trees.svg" if groups else None))


main()
