"""A PCM that gives answers which libasound and pyalsaaudio give now and then, and no device can be made to."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import alsaaudio
import pytest

GOOD = {"rate": 8000, "channels": 1, "format_name": "S16_LE", "period_size": 160, "buffer_size": 3200}
PIPE = -errno.EPIPE
BROKEN = alsaaudio.ALSAAudioError("broken [x]")


class OddPcm:
    """A PCM that answers as scripted; an exception in the script is raised."""

    def __init__(self) -> None:
        self.answers: deque[Any] = deque()
        self.now: int = alsaaudio.PCM_STATE_RUNNING
        self.available: Any = 3200
        self.details = dict(GOOD)
        self.log: list[str] = []
        self.raises: set[str] = set()
        self.names: list[str] = []
        self._fd = os.eventfd(1, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def _next(self) -> Any:
        answer = self.answers.popleft() if self.answers else (0, b"")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _may_fail(self, name: str) -> None:
        self.log.append(name)
        if name in self.raises:
            raise BROKEN

    def info(self) -> dict[str, Any]:
        self._may_fail("info")
        return self.details

    def polldescriptors(self) -> list[tuple[int, int]]:
        return [(self._fd, 1)]

    def read(self) -> Any:
        self.log.append("read")
        return self._next()

    def write(self, pcm: bytes) -> Any:
        return self._next()

    def state(self) -> int:
        self._may_fail("state")
        return self.now

    def htimestamp(self) -> tuple[int, int, Any]:
        self._may_fail("htimestamp")
        return 0, 0, self.available

    def drop(self) -> None:
        self._may_fail("drop")

    def close(self) -> None:
        self._may_fail("close")


@contextmanager
def every_device_is_odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[OddPcm]:
    """Whatever is opened is the same OddPcm, and its names are kept."""
    odd = OddPcm()

    def pcm_of(*_args: object, device: str, **_options: object) -> OddPcm:
        odd.names.append(device)
        return odd

    monkeypatch.setattr(alsaaudio, "PCM", pcm_of)
    yield odd
    os.close(odd._fd)
