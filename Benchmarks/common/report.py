"""Markdown tables, and plots."""

import os
import platform
import re
import subprocess
from html import escape

from figures import median

OURS = "mqtt-fs-worker"


def milliseconds(seconds):
    value = seconds * 1000
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def row(cells):
    """A name may hold a pipe, which would end its cell."""
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def table(title, header, rows, note=""):
    """`header` and each of `rows` are lists; the first column is text, the rest are figures."""
    lines = [f"### {title}", ""]
    if note:
        lines += [note, ""]
    lines += [row(header), "|---|" + "--:|" * (len(header) - 1)]
    for name, *figures in rows:
        name = f"**{name}**" if name.startswith(OURS) else name
        lines.append(row([name, *figures]))
    return "\n".join(lines) + "\n"


def cost(title, figures, base, note=""):
    """Wall time, CPU and memory of whole processes; ratios against the tool `base`."""
    rows = []
    for tool, figure in figures.items():
        row = [tool, milliseconds(median(figure.wall)), f"{milliseconds(min(figure.wall))} to {milliseconds(max(figure.wall))}",
               f"{median(figure.wall) / median(figures[base].wall):.2f}"]
        row += [milliseconds(median(figure.cpu)), f"{median(figure.cpu) / median(figures[base].cpu):.2f}"] if figure.cpu else ["", ""]
        row += [f"{max(figure.memory) / 1024:.1f}" if figure.memory else ""]
        rows.append(row)
    return table(title, ["", "median ms", "min to max", f"/ `{base}`", "CPU ms", f"/ `{base}`", "peak MiB"], rows, note)


def version(command):
    """The first version number that a program tells of itself."""
    try:
        run = subprocess.run(command, capture_output=True, text=True)
    except OSError:
        return "none"
    found = re.search(r"\d+(\.\d+)+", run.stdout + run.stderr)
    return found.group(0) if found else "unknown"


def machine():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    try:
        with open("/proc/cpuinfo") as info:
            model = next(line.split(":")[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.machine()
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Linux {platform.release()}"


def versions(programs):
    """What was compared."""
    return ", ".join([
        f"{OURS} {version([f'{programs}/mqtt-fs-worker', '-V'])}",
        f"Swift {version(['swift', '--version'])}",
        f"mosquitto {version(['mosquitto', '-h'])}",
        f"coreutils {version(['cp', '--version'])}",
    ])


def document(title, command, programs, sections, plots, note):
    """The whole page. `plots`: file names with their captions."""
    head = [f"# {title}", "", f"Made by `{command}` on: {machine()}, load average {os.getloadavg()[0]:.1f}.",
            f"Versions: {versions(programs)}.", "", note, ""]
    head += [f"![{caption}]({name})" for name, caption in plots]
    return "\n".join(head + [""] * bool(plots)) + "\n" + "\n".join(sections)


COLORS = ["#b0b8c4", "#8fa3bf", "#6d87ad", "#333f50"]


def bars(title, unit, groups):
    """Horizontal bars. `groups`: a title, and a dictionary of tool to (median, low, high)."""
    bar, gap, left, width = 18, 30, 250, 480
    y, parts = 44, [f'<text x="{left}" y="22" font-size="14">{escape(title)}</text>']
    for group, figures in groups:
        scale = width / max(high for _, _, high in figures.values())
        parts.append(f'<text x="{left}" y="{y - 4}" font-weight="bold">{escape(group)}</text>')
        for index, (tool, (middle, low, high)) in enumerate(figures.items()):
            color = "#e4572e" if tool.startswith(OURS) else COLORS[index % len(COLORS)]
            parts.append(
                f'<text x="{left - 10}" y="{y + 12}" text-anchor="end">{escape(tool)}</text>'
                f'<rect x="{left}" y="{y}" width="{middle * scale:.1f}" height="{bar - 3}" fill="{color}"/>'
                f'<line x1="{left + low * scale:.1f}" x2="{left + high * scale:.1f}" y1="{y + 7}" y2="{y + 7}" stroke="#000"/>'
                f'<text x="{left + max(middle, high) * scale + 6:.1f}" y="{y + 12}">{middle:.4g} {unit}</text>')
            y += bar
        y += gap
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 110}" height="{y}" font-family="sans-serif" '
            f'font-size="12"><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n')


def write(folder, name, text):
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{name}", "w") as out:
        out.write(text)
