"""Sound devices in the log: what they agreed to, and a loss once, however long it lasts and however often it comes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ingestd.audio.ports import Negotiated
from ingestd.errors import DeviceError
from ingestd.threads.mailbox import DeviceChanged
from tests.unit.reporter_case import DEBUG, INFO, WARNING, Case, reporter_case


@pytest.fixture
def case() -> Iterator[Case]:
    with reporter_case() as running:
        yield running


def test_a_lost_device_is_one_warning_however_long_it_is_gone(case: Case) -> None:
    lost = DeviceChanged("capture", "mic", DeviceError("capture device 'mic' is lost"))
    found = DeviceChanged("capture", "mic", None)
    case.reporter.device(found)
    assert case.logged() == [(INFO, "capture device 'mic' is open")]
    for _ in range(100):
        case.reporter.device(lost)
        case.now += 60
    assert case.levels() == [WARNING] + [DEBUG] * 99
    case.reporter.device(found)
    case.reporter.device(lost)
    case.reporter.device(found)
    assert case.levels() == [INFO, DEBUG, DEBUG], "it comes and goes"
    case.now += 30
    case.reporter.device(lost)
    ((level, line),) = case.logged()
    assert level == WARNING
    assert "looking for it again" in line


def test_a_loss_for_another_reason_is_told_and_shown(case: Case) -> None:
    absent = DeviceChanged("capture", "mic", DeviceError("can't open capture device 'mic': absent"))
    busy = DeviceChanged("capture", "mic", DeviceError("can't open capture device 'mic': busy"))
    case.reporter.device(absent)
    case.beats(60)
    case.reporter.device(busy)
    assert [level for level, text in case.logged()] == [WARNING, WARNING]
    assert "busy" in case.reporter.faults.all()[-1].what
    for change in (absent, busy) * 100:
        case.beats(60)
        case.reporter.device(change)
    assert set(case.levels()) == {DEBUG}, "once each"
    case.reporter.device(DeviceChanged("capture", "mic", None))
    assert case.levels() == [INFO]


def test_a_second_loss_soon_after_the_return_is_told_once_it_lasts(case: Case) -> None:
    lost = DeviceChanged("capture", "mic", DeviceError("capture device 'mic' is lost"))
    found = DeviceChanged("capture", "mic", None)
    for change in (found, lost, found, lost):
        case.beats(10)
        case.reporter.device(change)
    assert case.levels() == [INFO, WARNING, INFO, DEBUG]
    case.beats(29)
    assert case.logged() == []
    case.beats(7 * 86_400)
    (record,) = case.records
    assert record.levelno == WARNING
    assert record.getMessage() == (
        "capture device 'mic' is lost; looking for it again (it comes and goes; this time it lasts)"
    )
    assert record.__dict__["DEVICE"] == "capture"
    case.records.clear()
    case.reporter.device(found)
    assert case.logged() == [(INFO, "capture device 'mic' is open")]


@pytest.mark.parametrize(
    ("hardware", "said"),
    [
        ((), "capture device 'mic' is open"),
        ((48_000, 2, "speexrate"), "capture device 'mic' is open: 48000 Hz, 2 channels, converted by speexrate"),
        ((8000, 1, None), "capture device 'mic' is open: 8000 Hz, 1 channel"),
        ((None, None, "linear"), "capture device 'mic' is open: converted by linear"),
    ],
)
def test_what_a_device_agreed_to_is_told(case: Case, hardware: tuple[Any, ...], said: str) -> None:
    case.reporter.device(DeviceChanged("capture", "mic", None, Negotiated("mic", 160, 3200, *hardware)))
    assert case.logged() == [(INFO, said)]


def test_a_device_that_warns_is_told_once_and_not_after_every_replug(case: Case) -> None:
    def opened(*warnings: str) -> None:
        negotiated = Negotiated("mic", 160, 3200, warnings=warnings)
        case.reporter.device(DeviceChanged("capture", "mic", DeviceError("it is lost")))
        case.reporter.device(DeviceChanged("capture", "mic", None, negotiated))
        case.now += 1000

    def warned() -> list[str]:
        return [text for level, text in case.logged() if level == WARNING and "lost" not in text]

    opened("a", "b")
    assert warned() == ["capture device 'mic': a", "capture device 'mic': b"]
    opened("b", "c")
    assert warned() == ["capture device 'mic': c"]
    opened()
    opened("b")
    assert warned() == ["capture device 'mic': b"], "it was well in between"


def test_microphone_and_speaker_are_two_faults(case: Case) -> None:
    for device in ("capture", "playback"):
        case.reporter.device(DeviceChanged(device, "x", DeviceError(f"{device} is lost")))
    assert case.levels() == [WARNING] * 2
    case.reporter.device(DeviceChanged("capture", "x", None))
    case.records.clear()
    case.now += 1000
    case.reporter.device(DeviceChanged("playback", "x", DeviceError("playback is lost")))
    assert case.levels() == [DEBUG]
