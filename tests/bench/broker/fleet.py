"""Devices that have all lost their call and ask for sessions until each has one, by the daemon's own policy: a process.

    python -m tests.bench.broker.fleet < ORDER.json > ATTEMPTS.json

What a device does over HTTP is real, and in real time; each attempt is a connection of its own. What would then be a
call is left out.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from ingestd.core.ingest_session import read_answer
from ingestd.core.times import DEFAULT
from ingestd.errors import BackendError, ChannelClosed
from tests.bench.broker.apart import Apart
from tests.bench.broker.exchange import Address, Connection, request_of_device
from tests.bench.fleet_policies import Ours
from tests.bench.fleet_service import UNREACHABLE

_CUT: Final = ChannelClosed("the connection was reset")
_CONNECT_S: Final = sum(DEFAULT.connect_rounds_s)


class Attempt(NamedTuple):
    """One request of a device."""

    device: int
    began_s: float
    """CLOCK_MONOTONIC, as of every process of this machine."""
    took_s: float
    status: int
    """0 where no answer came."""
    retry_after_s: float | None
    """What the answer asked for."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """Who asks whom, and for how long at most."""

    addresses: Sequence[Address]
    """Brokers; each attempt goes to the next of them, as through a proxy."""
    keys_file: str
    """Devices' keys, one a line."""
    devices: int
    within_s: float
    """A device that has no session by then gives up."""
    seed: int = 1


class Fleet:
    """All of them, cut from now on. Of one thread, which lives as long as they do."""

    def __init__(self, order: Order) -> None:
        self._within_s = order.within_s
        self._apart = Apart("tests.bench.broker.fleet", asdict(order))

    def attempts(self) -> list[Attempt]:
        """Waits until each has a session, or gave up; every attempt in the order in which they ended."""
        return [Attempt(*words) for words in self._apart.result(self._within_s + _CONNECT_S + 2 * DEFAULT.answer_s)]


@dataclass
class _Devices:
    order: Order
    attempts: list[Attempt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._addresses = itertools.cycle(self.order.addresses)

    async def run(self) -> None:
        chance = random.Random(self.order.seed)
        keys = Path(self.order.keys_file).read_text().split()[: self.order.devices]
        until_s = time.monotonic() + self.order.within_s
        await asyncio.gather(*(self._live(number, key, chance, until_s) for number, key in enumerate(keys)))

    async def _live(self, number: int, key: str, chance: random.Random, until_s: float) -> None:
        policy = Ours(chance.random, DEFAULT)
        request = request_of_device(key, kept=False)
        error: Exception | None = _CUT
        took_s = 0.0
        while error is not None and time.monotonic() < until_s:
            await asyncio.sleep(policy.wait_s(error, took_s))
            began_s = time.monotonic()
            status, error = await _attempt(Connection(next(self._addresses), _CONNECT_S, DEFAULT.answer_s), request)
            took_s = time.monotonic() - began_s
            asked_s = error.retry_after_s if isinstance(error, BackendError) else None
            self.attempts.append(Attempt(number, began_s, took_s, status, asked_s))


async def _attempt(connection: Connection, request: bytes) -> tuple[int, Exception | None]:
    """The answer's status, and what the daemon makes of it."""
    try:
        answer = await connection.ask(request)
    except (OSError, EOFError, TimeoutError, ValueError):
        return 0, UNREACHABLE
    finally:
        connection.close()
    try:
        read_answer(answer.status, answer.headers, answer.body)
    except BackendError as error:
        return answer.status, error
    return answer.status, None


def _order(words: dict[str, Any]) -> Order:
    return Order(**{**words, "addresses": [(host, port) for host, port in words["addresses"]]})


async def _main() -> None:
    devices = _Devices(_order(json.load(sys.stdin)))
    await devices.run()
    json.dump(devices.attempts, sys.stdout)


if __name__ == "__main__":
    asyncio.run(_main())
