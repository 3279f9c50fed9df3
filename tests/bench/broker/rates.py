"""How many sessions a second brokers give, how long each takes, and who used how much of a processor for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from tests.bench.broker import load
from tests.bench.broker.load import Order, Result
from tests.bench.broker.scene import Scene
from tests.bench.broker.usage import cpu_s
from tests.standin.client import StandIn

CONNECTIONS: Final = 16
"""Of each broker: fewer than it asks the service for at a time, so that none is sent away."""
_WARM_S: Final = 1.0
_HALF: Final = 0.5
_BODY_OF_THE_PAGE: Final = '{"roomId": "abcd-efgh-ijkl"}'


@dataclass(frozen=True)
class Rate:
    """One kind of load on one scene."""

    result: Result
    broker_cpu_s: float
    """Of all brokers."""
    database_cpu_s: float
    """Of PostgreSQL; SQLite's is the brokers'."""
    responder_cpu_s: float

    def latency_ms(self, share: float) -> float:
        """So many of the sessions took no longer."""
        return float(np.quantile(self.result.latencies_ms or [np.inf], share))

    def cpu_ms_per_session(self, seconds: float) -> float:
        """Of the processor time in `seconds`."""
        return seconds * 1000 / max(1, self.result.good)

    def cpu_percent(self, seconds: float) -> float:
        """Of one processor."""
        return seconds * 100 / self.result.seconds


@dataclass(frozen=True)
class Rates:
    """One scene."""

    fastest: Rate
    """Each connection asks as soon as it has its answer."""
    half: Rate
    """Half as many, each at its own random moment: what a session takes where there is no queue to speak of."""


def measure(scene: Scene, seconds: float, database_pid: int | None) -> Rates:
    """Both loads, one after the other, after a second of warming up. Each takes so many seconds."""
    order = Order(
        addresses=scene.addresses,
        keys_file=str(scene.keys_file),
        seconds=seconds,
        connections=CONNECTIONS * len(scene.brokers),
    )
    asked = sum(load.run(replace(order, seconds=min(_WARM_S, seconds))).statuses.values())
    fastest = _rate(scene, replace(order, first=asked), database_pid)
    asked += sum(fastest.result.statuses.values())
    half = _rate(scene, replace(order, first=asked, per_second=_HALF * fastest.result.per_second), database_pid)
    return Rates(fastest, half)


def with_a_slow_service(scene: Scene, seconds: float, connections: int) -> Rate:
    """As many at a time as a broker asks the service for, which takes its time."""
    order = Order(addresses=scene.addresses, keys_file=str(scene.keys_file), seconds=seconds, connections=connections)
    return _rate(scene, order, None)


def of_the_service(scene: Scene, seconds: float) -> Result:
    """What answers the brokers, asked without a broker; it takes any key."""
    return load.run(_to_the_service(scene.keys_file, int(scene.responder.url.rpartition(":")[2]), seconds))


def of_the_standin(folder: Path, seconds: float) -> Result:
    """What tests have for the service, which checks and keeps everything, asked without a broker."""
    keys_file = folder / "standin-keys"
    with StandIn() as standin:
        keys_file.write_text(standin.token)
        return load.run(_to_the_service(keys_file, standin.port, seconds))


def _to_the_service(keys_file: Path, port: int, seconds: float) -> Order:
    return Order(
        addresses=[("127.0.0.1", port)],
        keys_file=str(keys_file),
        seconds=seconds,
        connections=CONNECTIONS,
        path="/v2/ingest/sessions",
        body=_BODY_OF_THE_PAGE,
    )


def _rate(scene: Scene, order: Order, database_pid: int | None) -> Rate:
    pids = [broker.pid for broker in scene.brokers]
    used = [
        _using(lambda: sum(map(cpu_s, pids))),
        _using(lambda: 0.0 if database_pid is None else cpu_s(database_pid)),
        _using(lambda: cpu_s(scene.responder.pid)),
    ]
    result = load.run(order)
    return Rate(result, *(one() for one in used))


def _using(now_s: Callable[[], float]) -> Callable[[], float]:
    """What is used from now until the result is called."""
    before_s = now_s()
    return lambda: now_s() - before_s
