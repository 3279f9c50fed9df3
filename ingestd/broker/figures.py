"""What Prometheus gets: counts of this broker's requests, and what the database says at a scrape.

The only importer of prometheus_client. With several workers PROMETHEUS_MULTIPROC_DIR names a directory, empty when the
first of them starts, where each keeps its counts: any of them then answers for all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    multiprocess,
    values,
)
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from ingestd import __version__
from ingestd.broker.overview import totals
from ingestd.broker.storage import Storage

_PREFIX: Final = "ingestd_broker_"
_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"
_STATUSES: Final = ("2xx", "429", "4xx", "5xx")
_SERVICE_ANSWERS: Final = ("2xx", "429", "4xx", "5xx", "none")
PUT_OFF: Final = ("rate-limited", "busy", "service")
"""Why a device was answered 429: its own rate, too much at once here, the service's 429."""
OUTCOMES: Final = ("stored", "duplicate", "refused", "unreadable", "unverified")
"""What became of a webhook: kept, had already, a wrong signature, no event, no key to verify it with."""
# Else each of ours has a series more, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's
_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Figures:
    """The counts of one process. Any thread; counting takes microseconds and raises nothing."""

    content_type: Final = CONTENT_TYPE_LATEST

    def __init__(self, storage: Storage | None) -> None:
        """`storage`: where what the database says is read at a scrape; without it only counts are told."""
        _count_for_all()
        self._of_process = registry = CollectorRegistry()
        self._stored = _Stored(storage)
        self._sessions = _counter(
            registry, "sessions", "Answers to devices' requests for a session, by status.", "status", _STATUSES
        )
        self._put_off = _counter(
            registry, "sessions_put_off", "Sessions answered 429, by who was the reason.", "reason", PUT_OFF
        )
        self._took = Histogram(
            f"{_PREFIX}session_seconds",
            "Time to answer a request for a session.",
            registry=registry,
            buckets=_BUCKETS_S,
        )
        self._webhooks = _counter(registry, "webhooks", "Webhooks, by what became of them.", "outcome", OUTCOMES)
        self._answers = _counter(
            registry, "service_answers", "The service's answers to this broker, by status.", "status", _SERVICE_ANSWERS
        )
        self._keys = Counter(f"{_PREFIX}keys_refused", "Requests with no good device key.", registry=registry)
        self._tokens = Counter(
            f"{_PREFIX}tokens_refused", "Times that the service refused this broker's token.", registry=registry
        )

    def session(self, status: int, took_s: float, reason: str | None = None) -> None:
        """A device was answered so, after so long. `reason`: of a 429, one of PUT_OFF; the service's where none."""
        self._sessions.labels(_class_of(status)).inc()
        if status == 429:
            self._put_off.labels(reason if reason in PUT_OFF else "service").inc()
        self._took.observe(took_s)

    def webhook(self, outcome: str) -> None:
        """A webhook came; `outcome` is one of OUTCOMES."""
        self._webhooks.labels(outcome).inc()

    def key_refused(self) -> None:
        """Somebody came with no good device key."""
        self._keys.inc()

    def service_answered(self, status: int) -> None:
        """The service answered with that status; 0 where no answer came."""
        self._answers.labels(_class_of(status) if status else "none").inc()

    def token_refused(self) -> None:
        """The service refused the broker's own token."""
        self._tokens.inc()

    def text(self) -> bytes:
        """All figures, for `content_type`. Reads the database; where that can't be, says so in a figure."""
        scraped = CollectorRegistry(auto_describe=False)
        if _several():
            _OfAllProcesses(scraped)  # type: ignore[no-untyped-call]  # the library's
        else:
            scraped.register(self._of_process)
            ProcessCollector(registry=scraped)
        scraped.register(self._stored)
        return generate_latest(scraped)


def forget_process(pid: int) -> None:
    """A worker has ended: what it kept for its lifetime only goes, its counts stay. Any process of the broker."""
    if _several():
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]  # the library's


class _OfAllProcesses(multiprocess.MultiProcessCollector):
    """The counts of every process, but for one whose file is still empty: the library can't read that."""

    def collect(self) -> Any:
        begun = [str(path) for path in Path(os.environ[_DIRECTORY]).glob("*.db") if path.stat().st_size]
        return self.merge(begun)  # type: ignore[no-untyped-call]  # the library's


class _Stored(Collector):
    """Read at each scrape: what all brokers on this database have in common."""

    def __init__(self, storage: Storage | None) -> None:
        self._storage = storage

    def collect(self) -> Iterator[Metric]:
        build = InfoMetricFamily(f"{_PREFIX}build", "The broker's version.")
        build.add_metric([], {"version": __version__})
        yield build
        if self._storage is None:
            return
        up = f"{_PREFIX}database_up", "Whether the database could be read."
        try:
            with self._storage.reading() as connection:
                found = totals(connection)
        except SQLAlchemyError:
            yield GaugeMetricFamily(*up, value=0)
            return
        yield GaugeMetricFamily(*up, value=1)
        for name, meaning, value in (
            ("devices", "Devices that are registered.", found.devices),
            ("devices_enabled", "Registered devices that get sessions.", found.enabled),
            ("devices_live", "Devices whose newest call has begun and not ended.", found.live),
            ("session_rows", "Requests for sessions that are kept.", found.sessions),
            ("event_rows", "Webhooks that are kept.", found.events),
        ):
            yield GaugeMetricFamily(_PREFIX + name, meaning, value=value)


def _several() -> bool:
    return _DIRECTORY in os.environ


def _count_for_all() -> None:
    # The library looks for the directory once, when it is imported: before anybody read how many workers there are.
    if _several() and not values.ValueClass._multiprocess:
        values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]  # the library's


def _counter(registry: CollectorRegistry, name: str, meaning: str, label: str, known: tuple[str, ...]) -> Counter:
    counter = Counter(_PREFIX + name, meaning, [label], registry=registry)
    for value in known:
        counter.labels(value)  # told from the start: Prometheus sees no increase in what begins with 1
    return counter


def _class_of(status: int) -> str:
    return "429" if status == 429 else f"{status // 100}xx"
