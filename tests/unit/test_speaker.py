"""The speaker's life, by its own clock: kept at its fill, lost when it is stuck, looked for again after a second."""

from __future__ import annotations

import pytest

from ingestd.core.playout import Playout
from ingestd.errors import DeviceError
from ingestd.threads.mailbox import DeviceChanged
from ingestd.threads.receiver import Speaker
from tests.rig.scripted_ports import ScriptedSink
from tests.unit.threads_case import Post

LOST = DeviceError("playback device 'x' is lost")
FILL = 400


class Case:
    """A device that plays 8 samples a millisecond of what it has."""

    def __init__(self, period_samples: int = 80) -> None:
        self.now = 1000.0
        self.sink = ScriptedSink(period_samples)
        self.sink.queue = lambda: self.held
        self.sink.takes = self._take
        self.held = 0
        self.asked: list[int] = []
        self.plays = True
        self.playout = Playout(400)
        self.post = Post()
        self.speaker = Speaker(self.sink, self.playout, self.post.box)

    def _take(self, samples: int) -> int:
        self.asked.append(samples)
        taken = min(samples, self.sink.BUFFER_SAMPLES - self.held)
        self.held += taken
        return taken

    def run(self, seconds: float) -> int:
        """Feeds whenever the speaker asks for it; how often that was."""
        end_s = self.now + seconds
        for rounds in range(100_000):
            due_s = self.speaker.feed(self.now)
            assert due_s > self.now, "it would spin"
            if due_s > end_s:
                return rounds
            if self.plays:
                self.held = max(0, self.held - round((due_s - self.now) * 8000))
            self.now = due_s
        raise AssertionError("it spins")

    def changes(self) -> list[DeviceChanged]:
        return [mail for mail in self.post.all() if isinstance(mail, DeviceChanged)]


@pytest.fixture
def case() -> Case:
    return Case()


def test_the_device_is_kept_at_its_fill(case: Case) -> None:
    assert case.speaker.lost
    case.run(0.0)
    assert case.held == FILL
    rounds = case.run(10)
    assert 0 < case.held <= FILL
    assert 380 <= rounds <= 420, "it comes back when half of it is played"
    assert case.sink.opened == 1
    assert case.changes() == [DeviceChanged("playback", "scripted", None)]
    assert case.speaker.played_samples == pytest.approx(80_000, abs=2 * FILL)


@pytest.mark.parametrize(("period", "fill"), [(80, 400), (800, 1600), (4000, 3200)])
def test_a_device_of_long_periods_is_kept_fuller(period: int, fill: int) -> None:
    case = Case(period)
    case.run(0.0)
    assert (case.held, case.asked) == (fill, [fill]), "and never asked to take more than it can: the rest would be lost"


def test_room_audio_comes_before_silence(case: Case) -> None:
    case.run(0.1)
    case.playout.push(b"\x07\x00" * 1600)
    case.run(1)
    heard = bytes(case.sink.played)
    assert b"\x07\x00" * 1600 in heard
    assert heard.strip(b"\0").strip(b"\x07\0") == b""


@pytest.mark.parametrize("how", ["takes nothing", "full and silent"])
def test_a_device_that_is_stuck_for_a_second_is_lost_and_opened_again(case: Case, how: str) -> None:
    case.run(1)
    case.plays = False
    if how == "takes nothing":
        case.held = 0
        case.sink.takes = lambda _samples: 0
    else:
        case.sink.takes = lambda _samples: 0
        case.held = FILL
    case.run(0.95)
    assert case.sink.opened == 1
    assert len(case.changes()) == 1
    case.run(0.15)
    loss = case.changes()[-1].error
    assert isinstance(loss, DeviceError)
    assert "plays nothing" in str(loss)
    assert case.speaker.lost
    assert case.sink.closed == 1
    case.plays = True
    case.sink.takes = case._take
    case.held = 0
    case.run(1.1)
    assert case.sink.opened == 2
    assert case.changes()[-1] == DeviceChanged("playback", "scripted", None)
    assert len(case.changes()) == 3


def test_a_device_that_is_opened_again_has_its_second_too(case: Case) -> None:
    case.run(1)
    case.sink.lost = case.sink.absent = LOST
    case.run(5)
    case.sink.lost = case.sink.absent = None
    case.plays = False
    case.held = 0
    case.sink.takes = lambda _samples: 0
    opened = case.sink.opened
    while case.sink.opened == opened:
        case.run(0.02)
    case.run(0.9)
    assert case.changes()[-1].error is None
    case.run(0.2)
    assert case.changes()[-1].error is not None


def test_what_was_played_is_what_the_device_took(case: Case) -> None:
    case.sink.takes = lambda samples: samples // 3
    case.run(0.5)
    assert case.speaker.played_samples == len(case.sink.played) // 2 > 0


def test_a_device_that_is_slow_is_not_lost(case: Case) -> None:
    case.run(1)
    case.plays = False
    for _ in range(5):
        case.run(0.9)
        case.held = max(0, case.held - 1)
        case.speaker.feed(case.now)
    assert case.sink.opened == 1
    assert len(case.changes()) == 1


def test_a_device_that_fails_is_told_once_and_tried_every_second(case: Case) -> None:
    case.run(1)
    case.sink.lost = LOST
    case.sink.absent = DeviceError("gone")
    case.run(10.5)
    assert case.changes()[1:] == [DeviceChanged("playback", "scripted", LOST)]
    assert 10 <= case.sink.opened <= 12
    assert case.sink.closed == case.sink.opened, "nothing is left open"
    case.sink.lost = case.sink.absent = None
    case.held = 0
    case.run(1.1)
    assert case.changes()[2:] == [DeviceChanged("playback", "scripted", None)]
    case.sink.lost = LOST
    case.run(0.1)
    assert case.changes()[3:] == [DeviceChanged("playback", "scripted", LOST)], "the next loss is news"


def test_nothing_is_kept_for_a_device_that_is_gone(case: Case) -> None:
    case.run(1)
    case.sink.lost = case.sink.absent = LOST
    case.run(0.1)
    case.playout.push(b"\x07\x00" * 1600)
    case.run(0.5)
    assert case.playout.delay_ms == 0


def test_how_often_the_device_ran_dry_is_its_own_count(case: Case) -> None:
    case.sink.dry = 3
    assert case.speaker.underruns == 3
    case.speaker.close()
    assert case.sink.closed == 1
