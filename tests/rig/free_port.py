"""A port for a server that is started later, or never: nobody else is to get it meanwhile."""

from __future__ import annotations

import contextlib
import os
import random
import socket
from collections.abc import Mapping
from typing import Final

_PORTS: Final = (15_000, 30_000)
"""Below those that the kernel gives out by itself: no server on port 0 takes one before it is used, or between a kill
and the next start."""
_given: Final[set[int]] = set()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at; another one each time, and in each of pytest-xdist's workers."""
    mine = share(os.environ)
    if _given.issuperset(mine):
        _given.clear()
    while True:
        port = random.choice(mine)
        if port in _given:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port


def share(environ: Mapping[str, str]) -> range:
    """The ports of one worker, which no other one draws from."""
    number = int(environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = max(number + 1, int(environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    return range(*_PORTS)[number::workers]
