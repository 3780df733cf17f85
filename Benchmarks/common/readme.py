"""Makes the table of docs/performance.md from the pages in Benchmarks/results. See Benchmarks/run.sh."""

import re
import sys

BEGIN, END = "<!-- Made by `Benchmarks/run.sh readme`. -->", "<!-- End of what is made. -->"
OURS = "mqtt-fs-worker"
SHELL = "shell worker"


def tables(path):
    """A title to its rows: a name to column to figure, all as they stand."""
    found, title, header = {}, None, None
    with open(path) as page:
        for line in page:
            if line.startswith("### "):
                title, header = line[4:].strip(), None
            elif line.startswith("|") and title:
                cells = [cell.strip().strip("*").replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
                if header is None:
                    header = cells
                elif not set("".join(cells)) <= set("-:"):
                    found.setdefault(title, {})[cells[0]] = dict(zip(header[1:], cells[1:]))
    return found


def number(text):
    return float(text.replace(",", ""))


def rows(folder):
    """What it is about, what was measured, beside what, and how many times as good."""
    cycle, growth, files = (tables(f"{folder}/{name}.md") for name in ("cycle", "growth", "file-trees"))

    def beside(title, ours, others, column, unit, page, name=None):
        figures = page[title]
        own = number(figures[ours][column])
        cells = [f"{other} {figures[other][column]} {unit}, {number(figures[other][column]) / own:.2f}" for other in others]
        return [name or title, f"{figures[ours][column]} {unit}", "; ".join(cells)]

    def rate(title, ours, others, page, name):
        figures, column = page[title], "jobs a second"
        cells = [f"{other} {figures[other][column]}, {number(figures[ours][column]) / number(figures[other][column]):.2f}" for other in others]
        return [name, f"{figures[ours][column]} a second", "; ".join(cells)]

    pickup = cycle["From request to step, tmpfs"]
    idle = cycle["An idle worker"]
    job = "One waiting trivial job, tmpfs"
    yield beside(job, OURS, [SHELL], "median ms", "ms", cycle, "one job, from the start of its worker to its end")
    yield beside(job, OURS, [SHELL], "CPU ms", "ms", cycle, "the CPU that it takes")
    own, other = pickup[f"{OURS}, idle"], pickup[f"{SHELL}, idle"]
    yield ["from a request to the step, the worker waiting", f"{own['p50 ms']} ms, p99 {own['p99 ms']}",
           f"{SHELL} {other['p50 ms']} ms, p99 {other['p99 ms']}"]
    loops = f"4 loops of the {SHELL}"
    for jobs in ("100", "1,000"):
        yield rate(f"{jobs} queued jobs, tmpfs", f"{OURS} --jobs 0, 4 workers", [loops], cycle, f"{jobs} queued jobs, 4 workers with `--jobs 0`")
    yield rate("100 queued jobs, tmpfs", f"{OURS}, 4 restart loops", [loops], cycle, "100 queued jobs, 4 restart loops")
    yield beside("Log of a step, 1 GiB in lines of 80 bytes, tmpfs", OURS, ["| cat > file", "> file"], "median ms", "ms", cycle, "a log of 1 GiB in lines")
    grown = growth["Finished job folders on the volume"]
    least, most = grown["10"], grown["100,000"]
    yield ["one job, with 100,000 finished ones on the volume", f"{most['median ms']} ms", f"with 10: {least['median ms']} ms"]
    for volume in ("tmpfs", "disk"):
        tree = f"20,000 files of 4 KiB, {volume}"
        yield beside(f"Copy {tree}", OURS, ["cp -a", "rsync -a", "tar to tar"], "median ms", "ms", files, f"staging {tree}")
    yield beside("Find 45 changes among 20,000 files of 4 KiB, tmpfs", f"{OURS}: find and sync",
                 ["find -newer -exec cp -a --parents", "rsync -a --delete"], "median ms", "ms", files, "bringing 40 changed of them back, tmpfs")
    yield beside("Copy 1,000 files of 4 KiB from a volume with 1 ms added to each operation (FUSE)", OURS, ["cp -a"], "median ms", "ms",
                 files, "staging 1,000 files from a volume 1 ms away")
    single, shared = idle[OURS]["PSS MiB"], idle[f"{OURS}, each of 20"]["PSS MiB"]
    yield ["memory of a worker that waits (PSS)", f"{shared} MiB, each of 20; {single} alone", f"mosquitto_sub {idle['mosquitto_sub']['PSS MiB']}, alone"]


def main():
    folder, page = sys.argv[1:]
    lines = ["| what | mqtt-fs-worker | beside it, and how many times as fast the worker is |", "|---|--:|---|"]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows(folder)]
    with open(page) as file:
        text = file.read()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    with open(page, "w") as file:
        file.write("\n".join([before + BEGIN, *lines, END]) + after)


main()
