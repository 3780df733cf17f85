"""Markdown tables and a plot."""

import os
import platform
import shutil
import subprocess
from html import escape

OURS = "mqtt-fs-worker"


def milliseconds(seconds):
    return f"{seconds * 1000:,.1f}" if seconds < 0.1 else f"{seconds * 1000:,.0f}"


def table(title, figures, base):
    """One table; `base` is the tool that the ratios are held against."""
    lines = [f"### {title}", "", f"| | median ms | min | max | times as fast as `{base}` | peak MiB |",
             "|---|--:|--:|--:|--:|--:|"]
    reference = figures[base].median
    for tool, figure in figures.items():
        name = f"**{tool}**" if tool.startswith(OURS) else tool
        memory = f"{figure.memory / 1024:.1f}" if figure.memory else ""
        lines.append(
            f"| {name} | {milliseconds(figure.median)} | {milliseconds(min(figure.seconds))} "
            f"| {milliseconds(max(figure.seconds))} | {reference / figure.median:.2f} | {memory} |")
    return "\n".join(lines) + "\n"


def machine():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return (f"{os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}, {platform.machine()}, "
            f"load average {os.getloadavg()[2]:.1f}")


def versions():
    """The first line that each tool says of itself."""
    lines = []
    for tool in ("cp", "rsync", "tar", "rm", "find"):
        if shutil.which(tool):
            said = subprocess.run([tool, "--version"], check=True, capture_output=True, text=True).stdout
            lines.append(" ".join(said.splitlines()[0].split()[:5]))
    return "; ".join(lines)


def markdown(sections, rounds, plot):
    head = [
        "# Trees of files", "",
        f"Made by `Benchmarks/run.sh files` on: {machine()}. {rounds} rounds (3 for the slow volume), the tools in turn; "
        f"medians. Content in the page cache; each copy into a fresh destination. {versions()}.", ""]
    if plot:
        head += [f"![Medians; the slowest of each group is 1]({plot})", ""]
    return "\n".join(head) + "\n" + "\n".join(sections)


def color(tool):
    if tool.startswith(OURS):
        return "#e4572e"
    if tool.startswith("floor"):
        return "#333f50"
    return {"cp -a": "#b0b8c4", "rsync -a": "#8fa3bf", "tar to tar": "#6d87ad"}.get(tool, "#a3aebd")


def plot(groups):
    """Bars of the medians relative to the slowest tool of each group (shorter is faster), with lines from min to max.

    `groups`: title, figures.
    """
    bar, gap, left, width = 18, 34, 260, 420
    y, parts = 10, []
    for title, figures in groups:
        slowest = max(figure.median for figure in figures.values())
        parts.append(f'<text x="10" y="{y + 13}" font-weight="bold">{escape(title)}</text>')
        y += 20
        for tool, figure in figures.items():
            length = figure.median / slowest * width
            low, high = (min(width * 1.2, end(figure.seconds) / slowest * width) for end in (min, max))
            middle = y + bar / 2 - 1
            parts.append(
                f'<text x="{left - 10}" y="{y + 12}" text-anchor="end">{escape(tool)}</text>'
                f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{bar - 3}" fill="{color(tool)}"/>'
                f'<line x1="{left + low:.1f}" x2="{left + high:.1f}" y1="{middle}" y2="{middle}" stroke="#000"/>'
                f'<text x="{left + max(length, high) + 6:.1f}" y="{y + 12}">{milliseconds(figure.median)} ms</text>')
            y += bar
        y += gap - 20
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width * 1.2 + 100:.0f}" height="{y}" '
            f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
            f'{"".join(parts)}</svg>\n')
