"""From the status to Prometheus' text. The only importer of prometheus_client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from ingestd import __version__
from ingestd.core.catalog import session_faults
from ingestd.core.lifecycle import IN_THE_ROOM, State
from ingestd.core.wire import WIRE_FAULTS
from ingestd.metrics import figures
from ingestd.metrics.figures import Figure
from ingestd.metrics.library import Expiry, Render, Status

_PREFIX: Final = "ingestd_"
_CLOCKS: Final = ("capture", "playback", "server")
_DEVICES: Final = ("capture", "playback")
_FAILURES: Final = session_faults()
_ROOM_STATES: Final = frozenset(state.value for state in IN_THE_ROOM)


def renderer(status: Status, token_expires: Expiry) -> Render:
    """What writes all figures: the daemon's, read off its status, its token's, and the library's of the process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(status, token_expires))
    ProcessCollector(registry=registry)
    return lambda: generate_latest(registry)


class _Figures(Collector):
    def __init__(self, status: Status, token_expires: Expiry) -> None:
        self._status = status
        self._token_expires = token_expires

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering must not read the status."""
        return ()

    def collect(self) -> Iterator[Metric]:
        return families(self._status(), self._token_expires())


def families(status: Mapping[str, Any], token_expires: float | None) -> Iterator[Metric]:
    """All that a status holds for Prometheus, and when the token expires, where it says so. Pure.

    No text of a stranger, no name of this device; labels are few.
    """
    build = InfoMetricFamily(_PREFIX + figures.BUILD[0], figures.BUILD[1])
    build.add_metric([], {"version": __version__})
    yield build
    yield from _states(status)
    for figure in figures.FIGURES:
        yield _family(figure, {(): _found(status, figure.path)})
    yield _family(figures.CLOCKS, {(name,): status["clocks"][f"{name}_ppm"] for name in _CLOCKS}, "clock")
    for figure in figures.DEVICES:
        yield _family(figure, {(name,): status["devices"][name].get(figure.path) for name in _DEVICES}, "device")
    refused = Figure(*figures.REFUSED, "messaging.refused", True)
    counts = _found(status, refused.path)
    yield _family(refused, {(kind,): counts.get(kind, 0) for kind in WIRE_FAULTS}, "kind")
    yield _faults(status["faults"])
    failed = status["session"]["failed"]
    # Those that did not happen too: Prometheus sees no increase in what begins with 1.
    yield _family(Figure(*figures.FAILED, "", True), {(name,): failed.get(name, 0) for name in _FAILURES}, "fault")
    yield _family(Figure(*figures.START_AUTO, ""), {(): status["session"]["start"] == "auto"})
    yield _family(Figure(*figures.MUTE_UNKEPT, ""), {(): not status["uplink"]["mute_kept"]})
    yield _family(Figure(*figures.TOKEN_EXPIRY, ""), {(): token_expires})


def _states(status: Mapping[str, Any]) -> Iterator[Metric]:
    state = status["state"]
    yield _family(Figure(*figures.STATE, ""), {(each.value,): each.value == state for each in State}, "state")
    yield _family(Figure(*figures.IN_ROOM, ""), {(): state in _ROOM_STATES})
    for (name, meaning), path in (
        (figures.STATE_SINCE, "since"),
        (figures.ROOM_SINCE, "room_since"),
        (figures.SESSION_SINCE, "session.started"),
    ):
        text = _found(status, path)
        yield _family(Figure(name, meaning, path), {(): None if text is None else _seconds(text)})


def _faults(faults: Iterable[Mapping[str, Any]]) -> Metric:
    """Several of one name are one: they differ by what they say only."""
    active: dict[tuple[str, ...], bool] = {}
    for fault in faults:
        key = (fault["area"], fault["name"])
        active[key] = active.get(key, False) or not fault["over"]
    return _family(Figure(*figures.FAULT, ""), active, "area", "fault")


def _family(figure: Figure, values: Mapping[tuple[str, ...], float | None], *labels: str) -> Metric:
    kind = CounterMetricFamily if figure.counter else GaugeMetricFamily
    family = kind(_PREFIX + figure.name, figure.help, labels=labels)
    for key, value in values.items():
        if value is not None:
            family.add_metric(key, float(value) * figure.factor)
    return family


def _found(status: Mapping[str, Any], path: str) -> Any:
    """None where there is no such thing at present."""
    found: Any = status
    for name in path.split("."):
        if found is None:
            return None
        found = found[name]
    return found


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
