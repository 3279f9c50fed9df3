"""The capture thread: every sample into the ring, frames whole across losses, and a microphone that comes and goes."""

from __future__ import annotations

import time

import pytest

from ingestd.core.wire import FRAME_SAMPLES, SAMPLE_RATE_HZ
from ingestd.errors import DeviceError
from ingestd.threads import capture
from ingestd.threads.capture import CaptureThread, Microphone
from ingestd.threads.mailbox import DeviceChanged
from tests.rig.process import wait_until
from tests.rig.scripted_ports import ScriptedSource
from tests.unit.peers import GUARD_S
from tests.unit.threads_case import Post, running

LOST = DeviceError("capture device 'x' is lost: unplugged")


class Case:
    def __init__(self) -> None:
        self.source = ScriptedSource()
        self.mic = Microphone()
        self.post = Post()
        self.thread = CaptureThread(self.source, self.mic, self.post.box)

    def wait_written(self, samples: int) -> None:
        wait_until(lambda: self.mic.ring.written >= samples, GUARD_S, f"{samples} samples in the ring")
        assert self.mic.ring.written == samples

    def lost(self) -> bool:
        return self.mic.lost

    def changes(self) -> list[DeviceChanged]:
        return [mail for mail in self.post.all() if isinstance(mail, DeviceChanged)]


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> Case:
    """Devices are looked for again soon, so that no test waits."""
    monkeypatch.setattr(capture, "_REOPEN_S", 0.01)
    return Case()


def pcm(value: int, samples: int) -> bytes:
    return value.to_bytes(2, "little") * samples


def test_every_sample_comes_into_the_ring_in_order(case: Case) -> None:
    assert case.lost()
    with running(case.thread, case.post):
        case.source.bring(pcm(1, 160), pcm(2, 7), pcm(3, 333))
        case.wait_written(500)
    assert case.mic.ring.read(0, 500) == pcm(1, 160) + pcm(2, 7) + pcm(3, 333)
    assert case.changes() == [DeviceChanged("capture", "scripted", None)]
    assert (case.mic.lost, case.mic.device, case.mic.overruns) == (False, "scripted", 0)
    assert (case.source.opened, case.source.closed) == (1, 1), "closed on the way out"


def test_the_clock_gets_the_time_of_each_read(case: Case) -> None:
    with running(case.thread, case.post):
        case.source.bring(pcm(1, 160), time_s=time.monotonic() - 5)
        case.wait_written(160)
        wait_until(lambda: case.mic.clock.now is not None, GUARD_S, "the clock")
        clock = case.mic.clock.now
        assert clock is not None
        assert clock.sample == 160
        assert clock.time_s < time.monotonic() - 4


def test_the_guard_is_that_of_the_device(case: Case) -> None:
    case.source.PERIOD_SAMPLES = 170
    with running(case.thread, case.post):
        case.source.bring(pcm(1, 170))
        case.wait_written(170)
    assert case.mic.guard_s == pytest.approx(0.002 + 170 / SAMPLE_RATE_HZ)


def test_an_overrun_pads_the_frame_that_was_cut_and_finds_the_phase_anew(case: Case) -> None:
    with running(case.thread, case.post):
        case.source.bring(pcm(1, 200))
        case.wait_written(200)
        wait_until(lambda: case.mic.clock.now is not None, GUARD_S, "the clock")
        before = case.mic.clock.now
        case.source.bring(pcm(2, 160), overrun=True)
        case.wait_written(480)
        wait_until(lambda: case.mic.clock.now is not None, GUARD_S, "the clock")
        after = case.mic.clock.now
    assert case.mic.ring.read(0, 480) == pcm(1, 200) + pcm(0, 120) + pcm(2, 160)
    assert before is not None
    assert after is not None
    assert (after.phase, after.sample) == (before.phase + 1, 480)
    assert case.mic.overruns == 1
    assert len(case.changes()) == 1, "the device was never lost"


def test_an_overrun_between_two_frames_adds_nothing(case: Case) -> None:
    with running(case.thread, case.post):
        case.source.bring(pcm(1, 2 * FRAME_SAMPLES))
        case.source.bring(pcm(2, FRAME_SAMPLES), overrun=True)
        case.wait_written(3 * FRAME_SAMPLES)
    assert case.mic.overruns == 1


def test_a_lost_device_is_told_once_and_found_again(case: Case) -> None:
    with running(case.thread, case.post):
        case.source.bring(pcm(1, 100))
        case.wait_written(100)
        case.source.absent = DeviceError("can't open it")
        case.source.fail(LOST)
        wait_until(lambda: case.source.opened >= 5, GUARD_S, "some tries")
        assert case.lost()
        assert case.changes() == [
            DeviceChanged("capture", "scripted", None),
            DeviceChanged("capture", "scripted", LOST),
        ]
        assert case.source.closed >= 4, "whatever was open is let go"
        case.source.absent = None
        case.source.bring(pcm(2, 160))
        wait_until(lambda: len(case.changes()) == 3, GUARD_S, "word of its return")
        assert not case.lost()
        case.wait_written(320)
        case.source.fail(LOST)
        wait_until(lambda: len(case.changes()) == 4, GUARD_S, "word of the next loss")
    assert case.mic.ring.read(0, 320) == pcm(1, 100) + pcm(0, 60) + pcm(2, 160), "frames stay whole"
    assert case.changes()[2] == DeviceChanged("capture", "scripted", None)


def test_a_device_that_is_absent_from_the_start_is_told_once(case: Case) -> None:
    case.source.absent = DeviceError("can't open it")
    with running(case.thread, case.post):
        wait_until(lambda: case.source.opened >= 5, GUARD_S, "some tries")
    assert case.changes() == [DeviceChanged("capture", "", case.source.absent)]
    assert case.source.closed == case.source.opened


def test_an_open_device_that_delivers_nothing_is_lost(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "_READ_S", 0.005)
    monkeypatch.setattr(capture, "_DEAD_AFTER_S", 0.1)
    monkeypatch.setattr(capture, "_COLD_START_S", 0.1)
    with running(case.thread, case.post):
        case.source.bring(pcm(1, 160))
        case.wait_written(160)
        wait_until(lambda: len(case.changes()) >= 2, GUARD_S, "word of the loss")
        loss = case.changes()[1].error
        wait_until(lambda: case.source.opened >= 4, GUARD_S, "some more tries")
        assert len(case.changes()) == 2, "and it is told once"
    assert isinstance(loss, DeviceError)
    assert "delivers nothing" in str(loss)


def test_a_device_may_take_seconds_before_its_first_samples(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "_READ_S", 0.001)
    monkeypatch.setattr(capture, "_DEAD_AFTER_S", 0.01)
    monkeypatch.setattr(capture, "_COLD_START_S", GUARD_S)
    with running(case.thread, case.post):
        wait_until(lambda: case.source.reads > 100, GUARD_S, "ten times that time")
        assert case.source.opened == 1
        assert case.changes() == []
        case.source.bring(pcm(1, 160))
        wait_until(lambda: case.changes(), GUARD_S, "the device")
    assert case.changes()[0] == DeviceChanged("capture", "scripted", None)


def test_it_says_that_it_makes_progress_with_or_without_a_device(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "_COLD_START_S", 10 * GUARD_S)
    with running(case.thread, case.post):
        for absent in (None, DeviceError("can't open it")):
            case.source.absent = absent
            if absent is not None:
                case.source.fail(LOST)
                wait_until(lambda: case.mic.lost and case.source.opened > 1, GUARD_S, "its loss")
            begun = time.monotonic()
            wait_until(lambda begun=begun: case.thread.progress_s > begun, GUARD_S, "progress")  # type: ignore[misc]
