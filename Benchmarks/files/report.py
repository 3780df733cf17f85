"""Markdown tables and a plot."""

import os
import platform
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


def markdown(sections, rounds, plot):
    head = [
        "# Trees of files", "",
        f"Made by `Benchmarks/run.sh` on: {machine()}. {rounds} rounds, the tools in turn; medians. "
        "Content in the page cache; each copy into a fresh destination.", "",
        f"![Medians, cp -a = 1]({plot})", ""]
    return "\n".join(head) + "\n" + "\n".join(sections)


def plot(groups):
    """Bars of the medians relative to cp -a (shorter is faster), with lines from min to max. `groups`: title, figures."""
    colors = ["#b0b8c4", "#8fa3bf", "#6d87ad", "#e4572e", "#333f50"]
    bar, gap, left, width = 18, 26, 240, 520
    names = list(max((figures for _, figures in groups), key=len))
    longest = max(max(f.seconds) / figures["cp -a"].median for _, figures in groups for f in figures.values())
    scale = width / min(longest, 3)
    y, parts = 40 + 18 * len(names), []
    for index, name in enumerate(names):
        parts.append(f'<rect x="{left}" y="{20 + 18 * index}" width="12" height="12" fill="{colors[index]}"/>'
                     f'<text x="{left + 18}" y="{30 + 18 * index}">{escape(name)}</text>')
    for title, figures in groups:
        reference = figures["cp -a"].median
        parts.append(f'<text x="{left - 10}" y="{y + bar * len(figures) / 2 + 4}" text-anchor="end">{escape(title)}</text>')
        for tool, figure in figures.items():
            length = min(width, figure.median / reference * scale)
            low, high = (min(width, end(figure.seconds) / reference * scale) for end in (min, max))
            middle = y + bar / 2 - 1
            parts.append(
                f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{bar - 3}" fill="{colors[names.index(tool)]}"/>'
                f'<line x1="{left + low:.1f}" x2="{left + high:.1f}" y1="{middle}" y2="{middle}" stroke="#000"/>'
                f'<text x="{left + max(length, high) + 6:.1f}" y="{y + 12}">{milliseconds(figure.median)} ms</text>')
            y += bar
        y += gap
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 100}" height="{y}" '
            f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
            f'{"".join(parts)}</svg>\n')
