"""A picture of a fleet that lost its backend: requests, and who streams again, over time. Imports matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator

from tests.bench.fleet import Result

_BEFORE_S: Final = 20
_AFTER_S: Final = 80
_INCHES: Final = (11.0, 8.0)
_DPI: Final = 130
_GREY: Final = "0.35"
_COLOURS: Final = ("#0b5394", "#cc4125", "#e69138")
"""Of the daemon's policy first; they differ in brightness, too."""
_WIDTHS: Final = (1.8, 1.8, 4.5)
"""Fixed timers come back alike: one shows behind the other."""


def write_plot(path: Path, curves: Sequence[tuple[str, Result]]) -> None:
    """Draws what each named policy did in the same outage, as PNG; makes the folder where need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    first = curves[0][1]
    outage_s = first.scenario.outage_s
    figure.suptitle(f"{first.devices:,} devices lose their backend for {outage_s / 60:.0f} minutes", fontsize=15)
    _requests(upper, curves)
    _streaming(lower, curves)
    for axes in (upper, lower):
        axes.axvspan(0.0, outage_s, color="0.9", zorder=0)
        axes.grid(True, which="major", color="0.8", linewidth=0.6)
        axes.set_axisbelow(True)
    lower.set_xlim(-_BEFORE_S, outage_s + _AFTER_S)
    lower.xaxis.set_major_locator(MultipleLocator(30))
    lower.set_xlabel("time since the outage began (s)")
    figure.savefig(path, metadata={"Software": None})


def _requests(axes: Axes, curves: Sequence[tuple[str, Result]]) -> None:
    first = curves[0][1]
    edges_s = np.arange(-_BEFORE_S, first.scenario.outage_s + _AFTER_S + 1.0)
    for (label, result), colour in reversed(list(zip(curves, _COLOURS, strict=False))):
        counts, _ = np.histogram(result.record.requests_s, edges_s)
        axes.plot(edges_s[:-1] + 0.5, counts, color=colour, label=label, linewidth=1.3)
    if first.scenario.capacity_percent is not None:
        capacity = first.devices * first.scenario.capacity_percent / 100.0
        label = f"what the backend can serve ({capacity:g}/s)"
        axes.axhline(capacity, color=_GREY, linewidth=1.0, linestyle="--", label=label)
    axes.set_yscale("symlog", linthresh=1.0, linscale=0.4)  # a second without a request is a nought, and shown
    axes.set_ylim(-0.1, first.devices * 3.0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_ylabel("requests per second")
    axes.set_title("What the backend is asked", loc="left")
    axes.legend(loc="lower center", framealpha=1.0, reverse=True)  # no curve passes there


def _streaming(axes: Axes, curves: Sequence[tuple[str, Result]]) -> None:
    first = curves[0][1]
    end_s = first.scenario.outage_s + _AFTER_S
    for (_, result), colour, width in reversed(list(zip(curves, _COLOURS, _WIDTHS, strict=False))):
        back_s = np.sort(result.record.streaming_s)
        share = 100.0 * np.arange(1, len(back_s) + 1) / len(back_s)
        times_s = np.concatenate(([-_BEFORE_S, 0.0, 0.0], back_s, [end_s]))
        axes.plot(times_s, np.concatenate(([100.0, 100.0, 0.0], share, [100.0])), color=colour, linewidth=width)
    axes.set_ylim(-4.0, 104.0)
    axes.set_ylabel("devices that stream (%)")
    axes.set_title("Who is back", loc="left")
    middle_s = first.scenario.outage_s / 2.0
    axes.text(middle_s, 50.0, "the backend is away", ha="center", va="center", color=_GREY, fontsize=12)
