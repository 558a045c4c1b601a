"""The pictures of the report."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from bench.results import Numbers, middle, show, spread

matplotlib.use("svg")
# The same numbers make the same file.
matplotlib.rcParams["svg.hashsalt"] = "corkboard"
OURS_COLOUR, PEER_COLOUR, LIMIT_COLOUR = "#c8553d", "#8d99ae", "#d9d9d9"

Found = dict[str, dict[str, list[Numbers]]]
RATE = "deliveries_per_cpu_second"


def draw(found: Found, folder: Path) -> list[Path]:
    """The plots for which there are numbers."""
    pictures = {
        "performance-fanout.svg": [
            ("fan-out, 4 in flight", RATE, "4 events in flight\ndeliveries a CPU second"),
            ("fan-out, 64 in flight", RATE, "64 events in flight\ndeliveries a CPU second"),
            (
                "through nginx, 4 in flight",
                RATE,
                "4 in flight, through nginx\ndeliveries a CPU second of both",
            ),
        ],
        "performance-listening.svg": [
            (
                "delay, 20 events a second",
                "p99_ms",
                "from publishing to receipt\np99 in ms, 20 events a second",
            ),
            ("memory", "bytes_per_connection", "an idle connection\nbytes"),
            ("handshakes", "per_second", "handshakes a second"),
        ],
        "performance-jitter.svg": [
            (
                "jitter",
                "delivered_percent",
                "share of all events that clients receive\nwho are cut off every 15 s for 2 s",
            ),
        ],
        "performance-http.svg": [
            ("HTTP POST", "requests_per_second", "POST a second"),
            ("HTTP GET", "requests_per_second", "GET of 50 notes a second"),
            ("HTTP 304", "requests_per_second", "GET of an unchanged list a second"),
        ],
    }
    return [
        _picture(folder / name, [panel for panel in panels if panel[0] in found], found)
        for name, panels in pictures.items()
        if any(panel[0] in found for panel in panels)
    ]


def _picture(file: Path, panels: list[tuple[str, str, str]], found: Found) -> Path:
    figure, axes = plt.subplots(1, len(panels), figsize=(4.2 * len(panels), 3), squeeze=False)
    for axis, (experiment, key, title) in zip(axes[0], panels, strict=True):
        _bars(axis, found[experiment], key, title)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None}, transparent=False)
    plt.close(figure)
    return file


def _bars(axis: Axes, subjects: dict[str, list[Numbers]], key: str, title: str) -> None:
    names = sorted(
        subjects, key=lambda name: (name == "the kernel alone", not name.startswith("Corkboard"), name)
    )
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
    if name == "the kernel alone":
        return LIMIT_COLOUR
    return OURS_COLOUR if name.startswith("Corkboard") else PEER_COLOUR
