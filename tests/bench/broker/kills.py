"""A broker, and its database, are killed again and again under load; then what was acknowledged is looked for."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests

from tests.bench.broker import kept
from tests.bench.broker.kept import Verdict
from tests.bench.broker.responder import Responder
from tests.bench.broker.scene import broker_of, signing_key
from tests.bench.broker.senders import Senders
from tests.rig.broker import BrokerProcess
from tests.rig.postgres import Postgres
from tests.rig.process import wait_until

_DEVICES: Final = 100
_LIMITS: Final = {"sessions_per_minute": 600, "burst": 600}
"""Of each, so that none is refused for asking too often."""
_START_S: Final = 0.6
"""About what a start takes."""
_LOAD_S: Final = 1.0
"""A round is up to so much longer, so that a good third of the kills hit a start."""
_LAST_S: Final = 0.5
_AGAIN_S: Final = 30.0
_FIRST_STARTS: Final = 2
"""On an empty database, which the broker makes its tables in."""
_KINDS, _OF_WORKERS, _OF_SERVERS = 4, 1, 3
"""Of four rounds in a row, which kill a worker alone, or the database's server where that is wanted."""


_FORESEEN: Final = (0, 200, 503)
"""Answers while something is killed: none, what was wanted, or that the database is away."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of it all."""

    kills: Mapping[str, int]
    """How often what was killed: all of the broker `running` or `starting`, a `worker`, the database's `server`."""
    statuses: Mapping[int, int]
    """How many answers had each status, 0 being requests without one."""
    acknowledged: int
    """Webhooks that were answered 200."""
    calls: int
    """Sessions that devices were given."""
    verdict: Verdict
    unsound: Collection[str]
    """What the database's own checks found."""
    slowest_start_s: float
    """Of the starts that were not cut short: until it was healthy."""
    slowest_again_s: float
    """Until it was healthy after a worker, or the database's server, had been killed, of itself; 0 where none was."""

    @property
    def unforeseen(self) -> int:
        """Answers that no kill explains."""
        return sum(count for status, count in self.statuses.items() if status not in _FORESEEN)


def run(
    folder: Path,
    rounds: int,
    seed: int,
    server: Postgres | None = None,
    *,
    kill_server: bool = False,
    webhooks: int = 0,
) -> Outcome:
    """So many rounds of a second or so on SQLite in `folder`, or on a fresh database of `server`.

    More of them where a slow machine has acknowledged no more than `webhooks` by then. With `kill_server` the
    database's server is killed, too. The server is left running.
    """
    public_key = folder / "public.pem"
    key = signing_key(public_key)
    with Responder(public_key) as responder, contextlib.ExitStack() as stack:
        broker = broker_of(folder / "broker", responder, None if server is None else server.database(), devices=_LIMITS)
        stack.callback(broker.kill)
        killing = _Killing(broker, server if kill_server else None, random.Random(seed))
        for _ in range(_FIRST_STARTS):
            killing.start_and_kill(_START_S)
        killing.start()
        device_keys = broker.add_devices(f"device-{number}" for number in range(_DEVICES))
        broker.kill()
        with Senders(broker.port, key, device_keys) as senders:
            for number in itertools.count():
                if number >= rounds and len(senders.acknowledged) > webhooks:
                    break
                killing.round(number)
            killing.start()
            time.sleep(_LAST_S)
            broker.kill()
    found = kept.stored(broker.database)
    # Without its database a broker hands a session on all the same, and can't write down that it did.
    calls = set() if kill_server else senders.calls
    if server is not None:
        kept.check(server, broker.database)
    return Outcome(
        kills=killing.kills,
        statuses=senders.statuses,
        acknowledged=len(senders.acknowledged),
        calls=len(senders.calls),
        verdict=kept.judge(senders.sent, senders.acknowledged, calls, found),
        unsound=kept.unsound(broker.database) if server is None else [],
        slowest_start_s=killing.slowest_start_s,
        slowest_again_s=killing.slowest_again_s,
    )


class _Killing:
    """One thread, which starts the processes."""

    def __init__(self, broker: BrokerProcess, server: Postgres | None, chance: random.Random) -> None:
        self._broker = broker
        self._server = server
        self._chance = chance
        self.kills: Counter[str] = Counter()
        self.slowest_start_s = self.slowest_again_s = 0.0

    def start(self) -> None:
        """Starts it, and waits until it is healthy."""
        began_s = time.monotonic()
        self._broker.start()
        self.slowest_start_s = max(self.slowest_start_s, time.monotonic() - began_s)

    def round(self, number: int) -> None:
        """Starts it, kills a part of what runs in some rounds and all of it in the others, each at any moment."""
        if number % _KINDS == _OF_WORKERS:
            self._while_it_runs(self._kill_worker)
        elif number % _KINDS == _OF_SERVERS and self._server is not None:
            self._while_it_runs(self._kill_server)
        else:
            self.start_and_kill(_START_S + _LOAD_S)

    def start_and_kill(self, within_s: float) -> None:
        """Starts it, and kills all of it at some moment of that time; as like as not before it is healthy."""
        moment_s = self._chance.uniform(0.0, within_s)
        if moment_s < _START_S:
            self._kill_a_start(moment_s)
        else:
            self.start()  # which may take longer than usual
            time.sleep(moment_s - _START_S)
            _kill_with_children(self._broker.pid)
            self.kills["running"] += 1
            self._broker.kill()

    def _kill_a_start(self, moment_s: float) -> None:
        fired = threading.Event()
        timer = threading.Timer(moment_s, self._kill_all, [fired])
        timer.start()
        try:
            self.start()
            self.kills["running"] += 1
        except RuntimeError:
            if not fired.is_set():
                raise
            self.kills["starting"] += 1
        timer.join()
        self._broker.kill()

    def _kill_all(self, fired: threading.Event) -> None:
        pid = wait_until(self._pid, _AGAIN_S, "the broker's process", every=0.001)
        fired.set()
        _kill_with_children(pid)

    def _pid(self) -> int:
        try:
            return self._broker.pid
        except AssertionError:  # not yet
            return 0

    def _while_it_runs(self, kill: Callable[[], None]) -> None:
        self.start()
        self._wait()
        kill()
        began_s = time.monotonic()
        wait_until(self._is_healthy, _AGAIN_S, "the broker to be healthy again")
        self.slowest_again_s = max(self.slowest_again_s, time.monotonic() - began_s)
        self._wait()
        self._broker.kill()

    def _kill_worker(self) -> None:
        os.kill(self._chance.choice(self._broker.workers), signal.SIGKILL)
        self.kills["worker"] += 1

    def _kill_server(self) -> None:
        assert self._server is not None
        self._server.kill()
        self.kills["server"] += 1
        self._wait()
        self._server.start()

    def _is_healthy(self) -> bool:
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            return self._broker.get("/healthz").status_code == 200
        return False

    def _wait(self) -> None:
        time.sleep(self._chance.uniform(0.0, _LOAD_S))


def _kill_with_children(pid: int) -> None:
    """Both at once: stopped first, it starts no child that would outlive it."""
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        os.kill(pid, signal.SIGSTOP)
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
