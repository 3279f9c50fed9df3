"""What the capture thread tells clocks, meter and counters five frames at a time: all of it, and nothing late."""

from __future__ import annotations

import time

import pytest

from ingestd.core.level import FLOOR_DBFS
from ingestd.core.sampleclock import SampleClock
from ingestd.core.wire import FRAME_S, FRAME_SAMPLES, SAMPLE_RATE_HZ
from ingestd.errors import DeviceError
from ingestd.threads import capture
from tests.rig.process import wait_until
from tests.unit.peers import GUARD_S
from tests.unit.test_capture import Case, pcm
from tests.unit.threads_case import running

CUT_OFF = pcm(32767, FRAME_SAMPLES)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A microphone that brings nothing is not given up: a test may be held up before it brings more."""
    for name in ("_DEAD_AFTER_S", "_COLD_START_S"):
        monkeypatch.setattr(capture, name, 1000.0)


def bring(case: Case, frames: int, frame: bytes = CUT_OFF) -> list[tuple[float, int]]:
    """So many whole frames on a grid, of which the last is complete now; returns what a clock is to know of them."""
    first = case.mic.ring.written // FRAME_SAMPLES
    begin_s = time.monotonic() - (first + frames) * FRAME_S
    pairs = [(begin_s + number * FRAME_S, number * FRAME_SAMPLES) for number in range(first + 1, first + frames + 1)]
    for time_s, _ in pairs:
        case.source.bring(frame, time_s=time_s)
    case.wait_written((first + frames) * FRAME_SAMPLES)
    return pairs


@pytest.mark.parametrize("frames", [1, 9, 10, 12, 15, 47])
def test_at_the_end_everybody_knows_of_every_sample(frames: int) -> None:
    case = Case()
    with running(case.thread, case.post):
        pairs = bring(case, frames)
    alone = SampleClock(SAMPLE_RATE_HZ)
    for pair in pairs:
        alone.observe(*pair)
    assert case.mic.clock.now == alone.now
    assert case.mic.clipped == frames * FRAME_SAMPLES


def test_until_the_clock_has_settled_it_knows_of_each_read_at_once() -> None:
    case = Case()
    with running(case.thread, case.post):
        for number in range(1, 11):
            bring(case, 1)
            wait_until(lambda number=number: case.mic.clipped == number * FRAME_SAMPLES, GUARD_S, "the count")  # type: ignore[misc]
            assert case.mic.clock.now is not None
            assert case.mic.clock.now.sample == number * FRAME_SAMPLES


def test_nobody_is_behind_by_as_much_as_a_tenth_of_a_second() -> None:
    case = Case()
    with running(case.thread, case.post):
        bring(case, 10)
        behind = []
        for number in range(11, 22):
            bring(case, 1)
            begun = case.source.reads
            wait_until(lambda begun=begun: case.source.reads > begun, GUARD_S, "the end of the round")  # type: ignore[misc]
            behind.append(number - case.mic.clipped // FRAME_SAMPLES)
    assert max(behind) == 4
    assert min(behind) == 0


def test_a_loss_amid_five_frames_loses_none_of_the_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "_REOPEN_S", 0.01)
    case = Case()
    with running(case.thread, case.post):
        bring(case, 13)
        case.source.fail(DeviceError("capture device 'x' is lost: unplugged"))
        wait_until(case.lost, GUARD_S, "its loss")
        wait_until(lambda: case.mic.meter.peak_dbfs == FLOOR_DBFS, GUARD_S, "nothing to be shown")
        wait_until(lambda: case.mic.clipped == 13 * FRAME_SAMPLES, GUARD_S, "every sample that was cut off")
        assert case.mic.meter.peak_dbfs == FLOOR_DBFS, "and still nothing"


def test_an_overrun_amid_five_frames_begins_another_phase_after_them() -> None:
    case = Case()
    with running(case.thread, case.post):
        bring(case, 13)
        case.source.bring(CUT_OFF, overrun=True)
        case.wait_written(14 * FRAME_SAMPLES)
        wait_until(lambda: case.mic.clipped == 14 * FRAME_SAMPLES, GUARD_S, "the counts")
        clock = case.mic.clock.now
    assert clock is not None
    assert (clock.phase, clock.sample) == (2, 14 * FRAME_SAMPLES)
