"""A picture of `scripts/bench peers`: processor time and memory by contender, and how even frames come."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tests.bench.peers.contenders import PLAIN, TITLES
from tests.bench.peers.peer_figures import Results, Samples, medians

_INCHES: Final = (11.0, 8.5)
_DPI: Final = 130
_COLOURS: Final = {
    "floor": "0.45",
    "node": "#cc4125",
    "asyncio": "#e69138",
    "threads": "#bf9000",
    "ours": "#0b5394",
    "ours_alsa": "#6fa8dc",
}
_HIGH: Final = 0.38
"""Of a bar, where two of them make a row."""
_LEAST_ERROR_MS: Final = 0.001
_LEAST_SHARE: Final = 0.002


def write_plot(path: Path, results: Results) -> None:
    """Draws it as PNG; makes the folder where need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle("One device in a call: both directions, a frame every 20 ms each way", fontsize=15)
    grid = figure.add_gridspec(2, 2)
    left = figure.add_subplot(grid[0, 0])
    _bars(left, results, "own_cpu_ms_per_s", "processor time (ms per second)")
    right = figure.add_subplot(grid[0, 1], sharey=left)
    _bars(right, results, "rss_mib", "peak of resident memory (MiB)")
    right.tick_params(labelleft=False)
    _errors(figure.add_subplot(grid[1, :]), results.plain)
    figure.savefig(path, metadata={"Software": None})


def _bars(axes: Axes, results: Results, quantity: str, label: str) -> None:
    """The darker bar is over ws, the lighter one over TLS; the sound system's threads are left out."""
    most = 0.0
    for row, name in enumerate(PLAIN):
        for samples, above, alpha in ((results.plain, -_HIGH / 2, 1.0), (results.tls, _HIGH / 2, 0.55)):
            if name not in samples:
                continue
            value = medians(samples[name])[quantity]
            most = max(most, value)
            axes.barh(row + above, value, _HIGH, color=_COLOURS[name], alpha=alpha)
            text = f" {value:.1f}" + (" over TLS" if samples is results.tls else "")
            axes.text(value, row + above, text, va="center", fontsize=8)
    axes.set_yticks(range(len(PLAIN)), [TITLES[name] for name in PLAIN])
    axes.set_ylim(len(PLAIN) - 0.4, -0.6)  # the first on top
    axes.set_xlim(0.0, most * 1.3)
    axes.set_xlabel(label)
    axes.grid(True, axis="x", color="0.85", linewidth=0.6)
    axes.set_axisbelow(True)


def _errors(axes: Axes, samples: Samples) -> None:
    for name, rounds in samples.items():
        errors_ms = np.sort(np.concatenate([sample.gap_errors_ms for sample in rounds]))
        share = 1.0 - np.arange(len(errors_ms)) / len(errors_ms)
        axes.plot(np.maximum(errors_ms, _LEAST_ERROR_MS), share, color=_COLOURS[name], label=TITLES[name])
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(_LEAST_SHARE, 1.1)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:g} %"))
    axes.set_xlabel("how far the time between two frames is from 20 ms, at the room's port (ms)")
    axes.set_ylabel("frames that far off, or farther")
    axes.grid(True, which="major", color="0.85", linewidth=0.6)
    axes.legend(loc="lower left")
