"""The plots of the report."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from bench.experiments import KERNEL, OURS, RATE
from bench.results import Numbers, middle, show, spread

matplotlib.use("svg")
# The same numbers make the same file.
matplotlib.rcParams["svg.hashsalt"] = "corkboard"
OURS_COLOUR, PEER_COLOUR, KERNEL_COLOUR = "#c8553d", "#8d99ae", "#d9d9d9"

# File -> its panels: experiment, key, title.
PLOTS = {
    "performance-fanout.svg": [
        ("fan-out, 4 in flight", RATE, "4 events in flight\ndeliveries per CPU second"),
        ("fan-out, 64 in flight", RATE, "64 events in flight\ndeliveries per CPU second"),
        ("through nginx, 4 in flight", RATE, "4 in flight, through nginx\ndeliveries per CPU second of both"),
    ],
    "performance-listening.svg": [
        ("delay, 20 events per second", "p99_ms", "publishing to receipt, 20 events per second\np99 in ms"),
        ("memory", "bytes_per_connection", "bytes per idle connection"),
        ("handshakes", "per_second", "handshakes per second"),
    ],
    "performance-lossy-network.svg": [
        ("lossy network", "delivered_percent", "events delivered to clients\ncut off every 15 s for 2 s"),
    ],
    "performance-http.svg": [
        ("HTTP POST", "requests_per_second", "POST per second"),
        ("HTTP GET", "requests_per_second", "GET of 50 notes per second"),
        ("HTTP 304", "requests_per_second", "GET of an unchanged list per second"),
    ],
}  # fmt: skip
Found = dict[str, dict[str, list[Numbers]]]


def draw(found: Found, folder: Path) -> list[Path]:
    """Writes the plots for which there are numbers. Returns their files."""
    chosen = {name: [panel for panel in panels if panel[0] in found] for name, panels in PLOTS.items()}
    return [_picture(folder / name, panels, found) for name, panels in chosen.items() if panels]


def _picture(file: Path, panels: list[tuple[str, str, str]], found: Found) -> Path:
    figure, axes = plt.subplots(1, len(panels), figsize=(4.2 * len(panels), 3), squeeze=False)
    for axis, (experiment, key, title) in zip(axes[0], panels, strict=True):
        _bars(axis, found[experiment], key, title)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None}, transparent=False)
    plt.close(figure)
    return file


def _bars(axis: Axes, subjects: dict[str, list[Numbers]], key: str, title: str) -> None:
    names = sorted(subjects, key=lambda name: (name == KERNEL, not name.startswith(OURS), name))
    values = [middle(subjects[name], key) for name in names]
    spreads = [spread(subjects[name], key) for name in names]
    errors = [
        [value - low for value, (low, _) in zip(values, spreads, strict=True)],
        [high - value for value, (_, high) in zip(values, spreads, strict=True)],
    ]
    bars = axis.barh(names, values, xerr=errors, color=[_colour(name) for name in names], height=0.6)
    axis.bar_label(bars, [show(value, key) for value in values], padding=5, fontsize=8)
    axis.invert_yaxis()
    axis.set_title(title, fontsize=9, loc="left")
    axis.set_xlim(0, max(high for _, high in spreads) * 1.3 or 1)
    axis.xaxis.set_visible(False)
    axis.tick_params(axis="y", length=0, labelsize=8)
    for side in ("top", "right", "bottom"):
        axis.spines[side].set_visible(False)


def _colour(name: str) -> str:
    if name == KERNEL:
        return KERNEL_COLOUR
    return OURS_COLOUR if name.startswith(OURS) else PEER_COLOUR
