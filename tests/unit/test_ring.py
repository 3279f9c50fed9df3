"""The ring of samples: what is read is what was written, or nothing."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.ring import SampleRing
from tests.unit.peers import GUARD_S, Task


def counting(start: int, samples: int) -> bytes:
    """Samples whose values are their own numbers, modulo 2^16."""
    return (np.arange(start, start + samples) & 0xFFFF).astype("<u2").tobytes()


def write(ring: SampleRing, samples: int) -> int:
    return ring.write(counting(ring.written, samples))


def test_what_is_written_is_read_across_the_wrap() -> None:
    ring = SampleRing(100)
    for _ in range(50):
        write(ring, 37)
        start = max(0, ring.written - 63)
        assert ring.read(start, ring.written - start) == counting(start, ring.written - start)


def test_a_write_says_how_many_samples_there_are() -> None:
    ring = SampleRing(10)
    assert [write(ring, 3), write(ring, 0), write(ring, 5)] == [3, 3, 8]
    assert ring.written == 8
    assert ring.capacity_samples == 10


def test_what_is_not_there_yet_is_none() -> None:
    ring = SampleRing(10)
    assert ring.read(0, 1) is None
    write(ring, 4)
    assert ring.read(0, 4) == counting(0, 4)
    assert ring.read(1, 4) is None
    assert ring.read(4, 1) is None


def test_what_was_overwritten_is_none_and_the_newest_is_always_there() -> None:
    ring = SampleRing(10)
    for _ in range(5):
        write(ring, 5)
    assert ring.read(14, 3) is None
    assert ring.read(15, 10) == counting(15, 10)
    assert ring.read(0, 5) is None


def test_more_at_once_than_a_reader_could_survive_is_refused() -> None:
    ring = SampleRing(10)
    with pytest.raises(ValueError, match="6 samples at once into a ring of 10"):
        write(ring, 6)
    assert ring.written == 0
    assert write(ring, 5) == 5


@given(st.lists(st.integers(0, 16), max_size=60), st.data())
def test_a_read_is_right_or_none_just_where_it_has_to_be(sizes: list[int], data: st.DataObject) -> None:
    ring = SampleRing(32)
    for size in sizes:
        write(ring, size)
    index = data.draw(st.integers(0, ring.written + 5))
    samples = data.draw(st.integers(0, 40))
    there = ring.written - 32 <= index and index + samples <= ring.written
    assert ring.read(index, samples) == (counting(index, samples) if there else None)


def interrupted(function: Callable[[], object], name: str, meanwhile: Callable[[], None]) -> None:
    """Calls `function` with `meanwhile` before each line of its method `name`: a switch of threads at every place."""

    def at_line(frame: FrameType, event: str, _argument: Any) -> Any:
        if frame.f_code.co_name != name:
            return None
        if event == "line":
            meanwhile()
        return at_line

    before = sys.gettrace()
    sys.settrace(at_line)
    try:
        function()
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("fill", [0, 30, 64, 100, 127])
def test_a_reader_that_comes_between_any_two_steps_of_a_write_gets_whole_frames_or_none(fill: int) -> None:
    ring = SampleRing(64)
    for _ in range(fill):
        write(ring, 1)
    looks = 0

    def look() -> None:
        nonlocal looks
        for index in range(max(0, ring.written - 64), ring.written):
            looks += 1
            got = ring.read(index, ring.written - index)
            assert got in (None, counting(index, ring.written - index))

    for _ in range(4):
        interrupted(lambda: write(ring, 31), "write", look)
    assert looks > 500
    assert ring.written == fill + 4 * 31


@pytest.mark.parametrize("step", [1, 16, 32])
def test_a_write_that_comes_between_any_two_steps_of_a_read_is_noticed(step: int) -> None:
    for lines in range(12):
        ring = SampleRing(64)
        for _ in range(3):
            write(ring, 30)
        left = lines

        def overtake(ring: SampleRing = ring) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                for _ in range(64 // step):
                    write(ring, step)

        got: list[bytes | None] = []
        index = ring.written - 60
        interrupted(partial(read_into, got, ring, index), "read", overtake)
        assert got[0] in (None, counting(index, 60))


def read_into(got: list[bytes | None], ring: SampleRing, index: int) -> None:
    got.append(ring.read(index, 60))


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Threads take turns every few instructions instead of every 5 ms."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_switching")
@pytest.mark.parametrize("lag", [160, 440, 512])
def test_two_threads_at_full_speed_never_see_a_torn_frame(lag: int) -> None:
    # So small and so fast that the writer is over the reader's samples all the time.
    ring = SampleRing(512)
    stop = threading.Event()
    samples = counting(0, 65536 + 160)

    def fill() -> None:
        while not stop.is_set():
            at = (ring.written & 0xFFFF) * 2
            ring.write(samples[at : at + 2 * 147])

    writer = Task(fill)
    whole = overwritten = 0
    begun_s = time.monotonic()
    try:
        while (past_s := time.monotonic() - begun_s) < 0.6 or (
            past_s < GUARD_S and not (whole > 100 and (overwritten or lag != 512))
        ):
            index = max(0, ring.written - lag)
            got = ring.read(index, 160)
            if got is None:
                overwritten += 1
                continue
            whole += 1
            at = (index & 0xFFFF) * 2
            assert got == samples[at : at + 320]
    finally:
        stop.set()
        writer.result()
    assert whole > 100
    if lag == 512:
        assert overwritten, "the writer was never over the reader's samples: this proves nothing"
