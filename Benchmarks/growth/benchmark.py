"""Runs the benchmark of what a job costs as volumes, queues and fleets grow. See Benchmarks/run.sh."""

import argparse
import tempfile

import report
from dimensions import DIMENSIONS
from figures import Figures, in_turn, median
from scene import Scene


def options():
    parser = argparse.ArgumentParser(prog="Benchmarks/run.sh growth", description=__doc__)
    parser.add_argument("--programs", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--results", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=15, help="how often each size is measured (default 15)")
    parser.add_argument("--parts", default=",".join(DIMENSIONS), help=f"some of {','.join(DIMENSIONS)} (default: all)")
    parser.add_argument("--shrink", type=int, default=1, help="divides the sizes, for a try")
    parser.add_argument("--place", default="/dev/shm", help="a folder on the file system to measure on (default /dev/shm)")
    return parser.parse_args()


def measure(chosen, dimension, place):
    """Size to figures. Every size has a scene of its own, and they take turns."""
    sizes = sorted({max(1, size // chosen.shrink) for size in dimension.sizes})
    scenes, turns = [], {}
    try:
        for size in sizes:
            scenes.append(Scene(f"{place}/{dimension.name}-{size}", chosen.programs))
            turns[size] = dimension.prepare(scenes[-1], size, chosen.rounds + 1)
            turns[size](Figures())  # The first is not counted.
        figures = {size: Figures() for size in sizes}
        in_turn(figures, chosen.rounds, lambda size: turns[size](figures[size]))
        return figures
    finally:
        for scene in scenes:
            scene.close()


def section(dimension, figures):
    smallest = next(iter(figures.values()))
    rows = []
    for size, figure in figures.items():
        rows.append([f"{size:,}", report.milliseconds(median(figure.wall)),
                     f"{report.milliseconds(min(figure.wall))} to {report.milliseconds(max(figure.wall))}",
                     f"{median(figure.wall) / median(smallest.wall):.2f}", report.milliseconds(median(figure.cpu)),
                     f"{median(figure.cpu) / median(smallest.cpu):.2f}"])
    return report.table(
        dimension.title, ["", "median ms", "min to max", "/ smallest", "CPU ms", "/ smallest"], rows, dimension.note)


def main():
    chosen = options()
    sections, groups = [], []
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=chosen.place) as place:
        for name in chosen.parts.split(","):
            dimension = DIMENSIONS[name]
            figures = measure(chosen, dimension, place)
            sections.append(section(dimension, figures))
            print(sections[-1], flush=True)
            groups.append((dimension.title, {
                f"{size:,}": (1000 * median(f.wall), 1000 * min(f.wall), 1000 * max(f.wall)) for size, f in figures.items()}))
    report.write(chosen.results, "growth.svg", report.bars("One waiting job", "ms", groups))
    note = (f"{chosen.rounds} rounds, the sizes in turn; medians. From the start of a worker to its end, with one waiting trivial "
            "job. CPU includes all processes that the worker starts.")
    report.write(chosen.results, "growth.md", report.document(
        "What a job costs as things grow", "Benchmarks/run.sh growth", chosen.programs, sections,
        [("growth.svg", "Medians")], note))


main()
