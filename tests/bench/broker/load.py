"""Devices that ask for sessions, as fast as they get them or at a given rate: a process of its own.

    python -m tests.bench.broker.load < ORDER.json > RESULT.json

Each request is another device's, in turn, so that no device's own limit is met. Connections are kept, as a proxy in
front keeps them.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.bench.broker.apart import Apart
from tests.bench.broker.exchange import Address, Connection, request_of_device

_CONNECT_S: Final = 5.0
_ANSWER_S: Final = 30.0
_LATE_S: Final = 60.0
"""A load that has not ended by then is stuck."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to ask, of whom."""

    addresses: Sequence[Address]
    """Brokers; each request goes to the next of them."""
    keys_file: str
    """Devices' keys, one a line."""
    first: int = 0
    """Which of them begins."""
    seconds: float
    connections: int
    """How many ask at a time where there is no rate."""
    per_second: float | None = None
    """Requests a second, each at its moment whatever became of those before; None as fast as they are answered."""
    path: str = "/v1/sessions"
    body: str = "{}"
    seed: int = 1


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of it."""

    statuses: dict[str, int]
    """How many had each status; `none` where no answer came."""
    latencies_ms: Sequence[float]
    """Of those that were answered 200; with a rate, from the moment that the request was due."""
    seconds: float
    cpu_s: float
    """That this process used."""

    @property
    def good(self) -> int:
        """How many were answered 200."""
        return self.statuses.get("200", 0)

    @property
    def others(self) -> int:
        """How many were not."""
        return sum(self.statuses.values()) - self.good

    @property
    def per_second(self) -> float:
        """Sessions."""
        return self.good / self.seconds


def run(order: Order) -> Result:
    """Has a process of its own do it, and waits for its end."""
    return Result(**Apart("tests.bench.broker.load", asdict(order)).result(order.seconds + _LATE_S))


@dataclass
class _Load:
    order: Order
    requests: Iterator[bytes]
    statuses: Counter[str] = field(default_factory=Counter)
    latencies_ms: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._idle: list[Connection] = []
        self._addresses = itertools.cycle(self.order.addresses)

    async def as_fast_as_answered(self) -> None:
        until_s = time.monotonic() + self.order.seconds
        await asyncio.gather(*(self._one_after_the_other(until_s) for _ in range(self.order.connections)))

    async def at_the_rate(self, per_second: float, chance: random.Random) -> None:
        due_s = begin_s = time.monotonic()
        asked = set()
        while (due_s := due_s + chance.expovariate(per_second)) < begin_s + self.order.seconds:
            await asyncio.sleep(max(0.0, due_s - time.monotonic()))
            asked.add(task := asyncio.create_task(self._by_an_idle_one(due_s)))
            task.add_done_callback(asked.discard)
        await asyncio.gather(*asked)

    async def _one_after_the_other(self, until_s: float) -> None:
        connection = self._connection()
        while (now_s := time.monotonic()) < until_s:
            await self._ask(connection, now_s)
        connection.close()

    async def _by_an_idle_one(self, due_s: float) -> None:
        connection = self._idle.pop() if self._idle else self._connection()
        await self._ask(connection, due_s)
        self._idle.append(connection)

    def _connection(self) -> Connection:
        return Connection(next(self._addresses), _CONNECT_S, _ANSWER_S)

    async def _ask(self, connection: Connection, since_s: float) -> None:
        try:
            answer = await connection.ask(next(self.requests))
        except (OSError, EOFError, TimeoutError, ValueError):
            self.statuses["none"] += 1
            return
        self.statuses[str(answer.status)] += 1
        if answer.status == 200:
            self.latencies_ms.append((time.monotonic() - since_s) * 1000.0)


async def _main(order: Order) -> Result:
    keys = Path(order.keys_file).read_text().split()
    turned = keys[order.first % len(keys) :] + keys[: order.first % len(keys)]
    load = _Load(order, (request_of_device(key, order.path, order.body) for key in itertools.cycle(turned)))
    began_s, cpu_s = time.monotonic(), time.process_time()
    if order.per_second is None:
        await load.as_fast_as_answered()
    else:
        await load.at_the_rate(order.per_second, random.Random(order.seed))
    return Result(
        statuses=dict(load.statuses),
        latencies_ms=load.latencies_ms,
        seconds=time.monotonic() - began_s,
        cpu_s=time.process_time() - cpu_s,
    )


def _order(words: dict[str, Any]) -> Order:
    return Order(**{**words, "addresses": [(host, port) for host, port in words["addresses"]]})


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(_main(_order(json.load(sys.stdin)))))))
