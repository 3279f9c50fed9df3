"""Cases side by side: what a case does most is wait, so several devices live through theirs at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest

from tests.integration.matrix.table import Cell

Life = TypeVar("Life")
NewLife = Callable[[str, Path], AbstractContextManager[Life]]
"""Makes what the lane of that name plays with, in a directory of its own; entered and left in the lane's thread."""


class Lanes(Generic[Life]):
    """A thread for each lane, with a life of its own; its cases one after the other."""

    def __init__(self, new_life: NewLife[Life], new_directory: Callable[[str], Path]) -> None:
        self._new_life = new_life
        self._new_directory = new_directory
        self._directories: dict[str, Path] = {}
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._managers: dict[str, AbstractContextManager[Life]] = {}
        self._lives: dict[str, Life] = {}
        self._results: dict[str, Future[None]] = {}

    def play(self, name: str, lane: str, case: Callable[[Life], None]) -> None:
        """Queues a case of that name; it is given the lane's life."""
        if lane not in self._threads:
            self._directories[lane] = self._new_directory(lane)  # here: pytest's factory is no thing for many threads
            self._threads[lane] = ThreadPoolExecutor(1, thread_name_prefix=lane)
        self._results[name] = self._threads[lane].submit(self._play, lane, case)

    def _play(self, lane: str, case: Callable[[Life], None]) -> None:
        if lane not in self._lives:
            manager = self._new_life(lane, self._directories[lane])
            self._lives[lane] = manager.__enter__()
            self._managers[lane] = manager
        case(self._lives[lane])

    def result(self, name: str) -> None:
        """Waits for a case; raises what it raised."""
        self._results[name].result()

    def close(self) -> None:
        """Drops what is still queued, and ends every lane's life; raises what one of the ends showed."""
        for result in self._results.values():
            result.cancel()
        ends = [thread.submit(self._end, lane) for lane, thread in self._threads.items()]
        for thread in self._threads.values():
            thread.shutdown()  # not before: what a thread spawned ends with it
        for end in ends:
            end.result()

    def _end(self, lane: str) -> None:
        if lane in self._managers:
            self._managers[lane].__exit__(None, None, None)


@contextmanager
def side_by_side(
    request: pytest.FixtureRequest,
    directories: pytest.TempPathFactory,
    new_life: NewLife[Life],
    plays: Mapping[str, Callable[..., None]],
    lane_of: Callable[[Cell], str] = lambda cell: cell.moment,
) -> Iterator[Lanes[Life]]:
    """Plays every selected test of the module whose function `plays` knows by name.

    What it finds there is given the lane's life and the test's parameters; the test itself only waits for the result.
    """
    lanes = Lanes(new_life, directories.mktemp)
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.module is request.module and item.originalname in plays:
            parameters: dict[str, Any] = item.callspec.params
            play = plays[item.originalname]
            lanes.play(item.nodeid, lane_of(parameters["cell"]), _case(play, parameters))
    try:
        yield lanes
    finally:
        lanes.close()


def _case(play: Callable[..., None], parameters: dict[str, Any]) -> Callable[[Life], None]:
    return lambda life: play(life, **parameters)
