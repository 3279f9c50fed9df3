"""A picture of what load adds to a call: processor time and cadence. Imports matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, NullLocator

from tests.bench.costs.load import CLIENTS, CLIENTS_PER_S, PER_S, Point

_INCHES: Final = (11.0, 8.0)
_DPI: Final = 130
_COLOURS: Final = {"in": "#0b5394", "out": "#cc4125", "clients": "#38761d"}
_LABELS: Final = {"in": "from the room", "out": "to the room", "clients": f"{CLIENTS_PER_S}/s from the room"}


def write_plot(path: Path, points: Sequence[Point]) -> None:
    """Draws all points as PNG; makes the folder where need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=_INCHES, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle("What messages and local programs add to a call", fontsize=15)
    costs, gaps = figure.subplots(2, 2, sharex="col", sharey="row")
    for column, (kinds, ticks) in enumerate(((("in", "out"), (0, *PER_S)), (("clients",), (0, *CLIENTS)))):
        for kind in kinds:
            curve = [point for point in points if point.kind == kind or point.number == 0]
            _draw_cost(costs[column], kind, curve)
            _draw_gaps(gaps[column], kind, curve)
        for axes in (costs[column], gaps[column]):
            axes.set_xscale("symlog", linthresh=1.0, linscale=0.4)  # nothing at all is a load, and shown
            axes.xaxis.set_major_locator(FixedLocator(ticks))
            axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:,}" for tick in ticks]))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.grid(color="0.8", linewidth=0.6)
            axes.set_axisbelow(True)
            axes.legend()
    costs[0].set_ylim(bottom=0.0)
    costs[0].set_ylabel("processor time (ms per second)")
    gaps[0].set_yscale("log")
    gaps[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    gaps[0].set_ylabel("gap error of frames at the service (ms)")
    gaps[0].set_xlabel("messages a second")
    gaps[1].set_xlabel("local programs that listen")
    figure.savefig(path, metadata={"Software": None})


def _draw_cost(axes: Axes, kind: str, curve: Sequence[Point]) -> None:
    loads = [point.number for point in curve]
    colour = _COLOURS[kind]
    whole = [point.total_cpu_ms_per_s for point in curve]
    control = [point.cpu_ms_per_s.get("control", 0.0) for point in curve]
    axes.plot(loads, whole, color=colour, marker="o", label=_LABELS[kind])
    axes.plot(loads, control, color=colour, marker="o", linestyle=":", label=f"{_LABELS[kind]}: the control thread")


def _draw_gaps(axes: Axes, kind: str, curve: Sequence[Point]) -> None:
    loads = [point.number for point in curve]
    colour = _COLOURS[kind]
    axes.plot(
        loads, [point.gap_error_p50_ms for point in curve], color=colour, marker="o", label=f"{_LABELS[kind]}, 50 %"
    )
    axes.plot(
        loads,
        [point.gap_error_p99_ms for point in curve],
        color=colour,
        marker="^",
        linestyle="--",
        label=f"{_LABELS[kind]}, 99 %",
    )
