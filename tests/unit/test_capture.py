"""The capture thread: every sample into the ring, frames whole across losses, and a microphone that comes and goes."""

from __future__ import annotations

import itertools
import time
from types import SimpleNamespace

import pytest

from ingestd.audio.ports import Block, Negotiated
from ingestd.core.ducking import RoomVoice, Span
from ingestd.core.level import FLOOR_DBFS
from ingestd.core.wire import FRAME_SAMPLES, SAMPLE_RATE_HZ
from ingestd.errors import DeviceError
from ingestd.threads import capture
from ingestd.threads.capture import CaptureThread, Microphone
from ingestd.threads.mailbox import DeviceChanged
from tests.rig.process import wait_until
from tests.rig.scripted_ports import ScriptedSource, samples
from tests.unit.peers import GUARD_S
from tests.unit.threads_case import Post, running

LOST = DeviceError("capture device 'x' is lost: unplugged")
AGREED = Negotiated("scripted", 160, 20 * 160)
DEAD_AFTER_S, COLD_START_S = capture._DEAD_AFTER_S, capture._COLD_START_S


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A microphone that brings nothing is not given up: a test may be held up before it brings more."""
    for name in ("_DEAD_AFTER_S", "_COLD_START_S"):
        monkeypatch.setattr(capture, name, 1000.0)


class Case:
    def __init__(self, voice: RoomVoice | None = None) -> None:
        self.source = ScriptedSource()
        self.mic = Microphone()
        self.post = Post()
        self.thread = CaptureThread(self.source, self.mic, self.post.box, voice)

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
    assert case.changes() == [DeviceChanged("capture", "scripted", None, AGREED)]
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


def test_gain_and_mute_change_what_the_room_hears_and_the_meter_shows_the_microphone(case: Case) -> None:
    with running(case.thread, case.post):
        case.source.bring(pcm(1000, 160))
        case.wait_written(160)
        case.mic.gain.set(6.0)
        case.source.bring(pcm(1000, 160), pcm(1000, 160))
        case.wait_written(480)
        loud = case.mic.ring.read(320, 160)
        case.mic.mute.on = True
        case.source.bring(pcm(1000, 160), *[pcm(1000, 160)] * 100)
        case.wait_written(640 + 16_000)
        meter = case.mic.meter
        shown = (meter.level_dbfs, meter.peak_dbfs)
        case.source.fail(LOST)
        wait_until(case.lost, GUARD_S, "its loss")
        wait_until(lambda: meter.level_dbfs == FLOOR_DBFS, GUARD_S, "nothing to be shown")
    assert case.mic.ring.read(640, 16_000) == bytes(32_000), "muted, and the samples flow on"
    assert loud == pcm(1995, 160)
    assert shown[0] == pytest.approx(-24.3, abs=0.1), "muted, it is still seen to work"
    assert shown[1] == pytest.approx(-24.3, abs=0.1)
    assert case.mic.clipped == 0


@pytest.mark.parametrize("begun_muted", [False, True])
def test_a_mute_fades_in_and_out_and_then_leaves_the_very_bytes(case: Case, begun_muted: bool) -> None:
    case.mic.mute.begin(begun_muted)
    written = 0

    def heard(block: bytes) -> bytes | None:
        nonlocal written
        case.source.bring(block)
        case.wait_written(written + len(block) // 2)
        written += len(block) // 2
        return case.mic.ring.read(written - len(block) // 2, len(block) // 2)

    loud = pcm(1000, 160)
    with running(case.thread, case.post):
        for on in (begun_muted, not begun_muted, begun_muted, not begun_muted):
            changed, case.mic.mute.on = case.mic.mute.on is not on, on
            first, steady = heard(loud[:60]), [heard(loud), heard(loud)]
            assert (first not in (loud[:60], bytes(60))) == changed, "it fades over two blocks"
            assert (steady[0] not in (loud, bytes(320))) == changed
            assert steady[1] == (bytes(320) if on else loud)


def test_what_the_converter_or_the_gain_cuts_off_is_counted_once(case: Case) -> None:
    with running(case.thread, case.post):
        case.source.bring(pcm(32767, 100))
        case.wait_written(100)
        wait_until(lambda: case.mic.clipped == 100, GUARD_S, "the converter's")
        case.mic.gain.set(6.0)
        case.source.bring(pcm(32767, 100))
        case.wait_written(200)
    assert case.mic.clipped == 200


def test_the_room_does_not_hear_itself_in_half_duplex() -> None:
    voice = RoomVoice()
    case = Case(voice)
    now = time.monotonic()
    voice.spans = (Span(now - 5.0, now - 0.5),)
    with running(case.thread, case.post):
        case.source.bring(pcm(7, 8000), time_s=now)
        case.wait_written(8000)
    heard = case.mic.ring.read(0, 8000)
    assert heard is not None
    assert heard[80 : 2 * 3990] == bytes(2 * 3990 - 80)
    assert heard[-2 * 3800 :] == pcm(7, 3800)


def test_samples_that_were_read_late_are_closed_by_when_they_were_captured() -> None:
    """The thread was held up; the clock knows that the block was complete 200 ms before it was read."""
    voice = RoomVoice()
    case = Case(voice)
    begun_s = time.monotonic() - 100.0
    with running(case.thread, case.post):
        for number in range(1, 51):
            case.source.bring(pcm(7, 160), time_s=begun_s + number * 0.02)
        case.wait_written(8000)
        voice.spans = (Span(begun_s + 1.0, begun_s + 1.02),)
        case.source.bring(pcm(7, 160), time_s=begun_s + 1.22)
        case.wait_written(8160)
    heard = case.mic.ring.read(8000, 160)
    assert heard is not None
    assert heard[120:] == bytes(200)


def test_without_anything_to_do_samples_pass_as_they_are() -> None:
    """Not one is rounded, and half duplex alone changes none."""
    extremes = samples([-32768, -32767, -1, 0, 1, 32766, 32767] * 20)
    for voice in (None, RoomVoice()):
        case = Case(voice)
        with running(case.thread, case.post):
            case.source.bring(extremes)
            case.wait_written(140)
        assert case.mic.ring.read(0, 140) == extremes


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
        case.source.absent = LOST
        case.source.fail(LOST)
        wait_until(lambda: case.source.opened >= 5, GUARD_S, "some tries")
        assert case.lost()
        assert case.changes() == [
            DeviceChanged("capture", "scripted", None, AGREED),
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
    assert case.changes()[2] == DeviceChanged("capture", "scripted", None, AGREED)


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
    case.source.bring(pcm(1, 160))
    with running(case.thread, case.post):
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
    assert case.changes()[0] == DeviceChanged("capture", "scripted", None, AGREED)


def test_a_device_that_is_known_to_start_at_once_gets_no_seconds_of_grace_at_first(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "_DEAD_AFTER_S", DEAD_AFTER_S)
    monkeypatch.setattr(capture, "_COLD_START_S", COLD_START_S)
    now = [1000.0]
    monkeypatch.setattr(capture, "time", SimpleNamespace(monotonic=lambda: now[0]))
    opened_s: list[float] = []

    def opening() -> Negotiated:
        opened_s.append(now[0])
        return AGREED

    def reading(timeout_s: float) -> Block | None:
        now[0] += timeout_s
        if len(opened_s) == 1 and now[0] - opened_s[0] < 0.35:
            return Block(pcm(1, 160), now[0], False)
        return None

    monkeypatch.setattr(case.source, "open", opening)
    monkeypatch.setattr(case.source, "read", reading)
    with running(case.thread, case.post):
        wait_until(lambda: len(opened_s) >= 5, GUARD_S, "some openings that bring nothing")
    grace_s = [later - earlier for earlier, later in itertools.pairwise(opened_s)]
    assert grace_s[0] == pytest.approx(0.3 + 1.0, abs=0.11), "it fell silent for a second"
    assert grace_s[1] == pytest.approx(1.0, abs=0.11), "and is known to start at once"
    assert grace_s[2:4] == [pytest.approx(3.0, abs=0.11)] * 2, "but it may have become slow"


def test_it_says_that_it_makes_progress_with_or_without_a_device(case: Case) -> None:
    with running(case.thread, case.post):
        for absent in (None, DeviceError("can't open it")):
            case.source.absent = absent
            if absent is not None:
                case.source.fail(LOST)
                wait_until(lambda: case.mic.lost and case.source.opened > 1, GUARD_S, "its loss")
            begun = time.monotonic()
            wait_until(lambda begun=begun: case.thread.progress_s > begun, GUARD_S, "progress")  # type: ignore[misc]
