"""The speaker's life, by its own clock: kept at its fill, lost when it is stuck, looked for again every half second."""

from __future__ import annotations

import itertools
from array import array

import pytest

from ingestd.audio.ports import Negotiated
from ingestd.core.ducking import HOLD_S, RoomVoice
from ingestd.core.level import FLOOR_DBFS
from ingestd.core.playout import Playout
from ingestd.errors import DeviceError
from ingestd.threads.mailbox import DeviceChanged
from ingestd.threads.speaker import Speaker
from tests.rig.scripted_ports import ScriptedSink
from tests.unit.threads_case import Post

LOST = DeviceError("playback device 'x' is lost")
FILL = 400
AGREED = Negotiated("scripted", 80, ScriptedSink.BUFFER_SAMPLES)


class Case:
    """A device that plays 8 samples a millisecond of what it has."""

    def __init__(self, period_samples: int = 80, gain_db: float = 0.0, voice: RoomVoice | None = None) -> None:
        self.now = 1000.0
        self.sink = ScriptedSink(period_samples)
        self.sink.queue = lambda: self.held
        self.sink.takes = self._take
        self.held = 0
        self.asked: list[int] = []
        self.plays = True
        self.playout = Playout(400)
        self.post = Post()
        self.voice = voice
        self.speaker = Speaker(self.sink, self.playout, self.post.box, gain_db, voice, lambda: self.now)

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

    def hear(self, pcm: bytes, seconds: float) -> None:
        """The room says `pcm` over and over, in step with the device."""
        end_s = self.now + seconds
        while self.now < end_s:
            begun_s = self.now
            self.run(0.1)
            self.playout.push(pcm * (2 * round((self.now - begun_s) * 8000) // len(pcm)))

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
    assert case.changes() == [DeviceChanged("playback", "scripted", None, AGREED)]
    assert case.speaker.played_samples == pytest.approx(80_000, abs=2 * FILL)


@pytest.mark.parametrize(("period", "fill"), [(80, 400), (800, 1600), (4000, 3200)])
def test_a_device_of_long_periods_is_kept_fuller(period: int, fill: int) -> None:
    case = Case(period)
    case.run(0.0)
    assert (case.held, case.asked) == (fill, [fill]), "and never asked to take more than it can: the rest would be lost"


def test_room_audio_comes_before_silence(case: Case) -> None:
    case.hear(b"\x07\x00", 1)
    heard = bytes(case.sink.played)
    assert b"\x07\x00" * 400 in heard, "but for what is faded in and out, and stretched"
    assert set(heard) <= set(range(8))


def test_a_gain_applies_to_what_is_played_and_the_meter_shows_that() -> None:
    case = Case(gain_db=-6.0)
    case.run(0.1)
    case.hear(b"\x00\x40", 4.0)
    assert case.speaker.meter.peak_dbfs == pytest.approx(-12.0, abs=0.1)
    assert case.speaker.meter.level_dbfs == pytest.approx(-12.0, abs=0.5)
    assert max(array("h", bytes(case.sink.played))) == pytest.approx(0x4000 / 2, rel=0.01)
    case.sink.lost = LOST
    case.run(0.1)
    assert case.speaker.meter.level_dbfs == FLOOR_DBFS, "nothing is played any more"


def test_a_gain_of_nothing_changes_nothing(case: Case) -> None:
    pulled: list[bytes] = []
    written: list[bytes] = []
    pull, write = case.playout.pull, case.sink.write
    case.playout.pull = lambda samples: pulled.append(pull(samples)) or pulled[-1]  # type: ignore[func-returns-value, method-assign]
    case.sink.write = lambda pcm: written.append(pcm) or write(pcm)  # type: ignore[func-returns-value, method-assign]
    case.hear(b"\xff\x7f\x00\x80", 1.0)
    assert len(pulled) == len(written) > 10
    assert all(pcm is same for pcm, same in zip(pulled, written, strict=True))
    assert case.speaker.gain.clipped == 0


def test_the_voice_is_told_of_what_the_device_took_and_of_what_is_before_it() -> None:
    case = Case(voice=RoomVoice())
    voice = case.voice
    assert voice is not None
    case.run(0.1)
    assert voice.spans == ()
    case.hear(b"\x00\x40", 1.0)
    ((begun_s, until_s),) = voice.spans
    assert begun_s <= case.now
    assert until_s == pytest.approx(case.now + case.held / 8000 + HOLD_S, abs=0.03)


@pytest.mark.parametrize("ppm", [-200, 200])
def test_the_devices_own_clock_is_known_after_a_while_and_kept_over_an_underrun(case: Case, ppm: int) -> None:
    start_s, played = case.now, 0

    def play() -> int:
        nonlocal played
        due = round((case.now - start_s) * 8000 * (1 + ppm * 1e-6))
        case.held, played = max(0, case.held - (due - played)), due
        return case.held

    case.plays = False  # by the run's own, even clock
    case.sink.queue = play
    case.run(100)
    assert case.speaker.drift.ppm == pytest.approx(ppm, abs=10)
    case.now += 0.3  # it runs dry
    case.run(100)
    assert case.speaker.drift.ppm == pytest.approx(ppm, abs=10)
    case.sink.lost = LOST
    case.run(0.1)
    case.sink.lost = None
    case.run(1.0)
    assert case.speaker.drift.ppm is None, "it may be another device"


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
    assert case.changes()[-1] == DeviceChanged("playback", "scripted", None, AGREED)
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
        case.run(0.03)
    case.run(0.9)
    assert case.changes()[-1].error is None
    case.run(0.2)
    assert case.changes()[-1].error is not None


def test_what_was_played_is_what_the_device_took(case: Case) -> None:
    case.sink.takes = lambda samples: samples // 3
    case.run(0.5)
    assert case.speaker.played_samples == len(case.sink.played) // 2 > 0


def test_what_the_device_does_not_take_at_once_is_played_next(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = itertools.count(1)
    monkeypatch.setattr(case.playout, "pull", lambda count: array("h", itertools.islice(numbers, count)).tobytes())
    case.sink.takes = lambda samples: case._take(min(samples, 100))
    case.run(1)
    played = array("h", bytes(case.sink.played)).tolist()
    assert played == list(range(1, len(played) + 1)), "in order, and nothing left out"
    assert len(played) >= 8000
    assert case.speaker.unplayed_samples == 0
    case.sink.lost = LOST
    case.run(0.1)
    assert case.speaker.unplayed_samples == next(numbers) - 1 - len(played) > 0, "but what it took with it is counted"


def test_a_device_that_is_slow_is_not_lost(case: Case) -> None:
    case.run(1)
    case.plays = False
    for _ in range(5):
        case.run(0.9)
        case.held = max(0, case.held - 1)
        case.speaker.feed(case.now)
    assert case.sink.opened == 1
    assert len(case.changes()) == 1


def test_a_device_that_fails_is_told_once_and_tried_every_half_second(case: Case) -> None:
    case.run(1)
    case.sink.lost = case.sink.absent = LOST
    case.run(10.5)
    assert case.changes()[1:] == [DeviceChanged("playback", "scripted", LOST)]
    assert 20 <= case.sink.opened <= 22
    assert case.sink.closed == case.sink.opened, "nothing is left open"
    case.sink.lost = case.sink.absent = None
    case.held = 0
    case.run(1.1)
    assert case.changes()[2:] == [DeviceChanged("playback", "scripted", None, AGREED)]
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


def test_a_device_that_ran_dry_is_kept_fuller_from_then_on(case: Case) -> None:
    case.run(1)
    case.sink.dry = 1
    case.run(1)
    highest = 0
    for _ in range(40):
        case.run(0.01)
        highest = max(highest, case.held)
    assert highest == FILL + 160
    case.run(180)
    highest = 0
    for _ in range(40):
        case.run(0.01)
        highest = max(highest, case.held)
    assert highest == FILL, "and as before once it did not for minutes"


def test_time_in_which_nobody_fed_the_device_is_told_to_the_playout(case: Case) -> None:
    starved: list[int] = []
    case.playout.starved = starved.append  # type: ignore[method-assign, assignment]
    case.run(1)
    case.speaker.feed(case.now)
    fed_s, held = case.now, case.held
    for away_s in (0.0, 0.02, 0.035):
        case.speaker.catch_up(fed_s + away_s)
    assert starved == [], "as good as in time"
    case.speaker.catch_up(fed_s + 0.045)
    assert starved == [0], "too late, though the device had enough"
    starved.clear()
    for _ in range(2):
        case.speaker.catch_up(fed_s + 0.3)
    assert starved == [pytest.approx(0.3 * 8000 - held, abs=2), 0], "once"
    starved.clear()
    case.held = 0
    case.run(1)
    case.speaker.catch_up(case.now)
    case.sink.lost = case.sink.absent = LOST
    case.run(1)
    case.speaker.catch_up(case.now + 5)
    assert starved == [], "nothing of this for a device that is gone"


def test_how_often_the_device_ran_dry_is_its_own_count(case: Case) -> None:
    case.sink.dry = 3
    assert case.speaker.underruns == 3
    case.speaker.close()
    assert case.sink.closed == 1
