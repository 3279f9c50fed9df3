"""A speaker that answers oddly: impossible fills, underruns in every guise, losses."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterator

import alsaaudio
import pytest

from ingestd.audio.alsa import AlsaSink
from ingestd.errors import DeviceError
from tests.unit.odd_pcm import BROKEN, PIPE, OddPcm, every_device_is_odd


@pytest.fixture
def pcm(monkeypatch: pytest.MonkeyPatch) -> Iterator[OddPcm]:
    with every_device_is_odd(monkeypatch) as odd:
        yield odd


@pytest.fixture
def sink(pcm: OddPcm) -> AlsaSink:
    opened = AlsaSink("odd")
    opened.open()
    return opened


@pytest.mark.parametrize(
    ("available", "queued"),
    [(0, 3200), (3200, 0), (3000, 200), (3201, 0), (-1, 0), (-(2**31), 0), (2**62, 0)],
)
def test_only_a_possible_fill_is_believed(pcm: OddPcm, sink: AlsaSink, available: int, queued: int) -> None:
    pcm.available = available
    assert sink.queued() == queued


@pytest.mark.parametrize("state", ["PREPARED", "XRUN", "SETUP", "SUSPENDED"])
def test_a_device_that_does_not_run_has_nothing_queued(pcm: OddPcm, sink: AlsaSink, state: str) -> None:
    pcm.available = 100
    pcm.now = getattr(alsaaudio, f"PCM_STATE_{state}")
    assert sink.queued() == 0


def test_a_device_that_was_pulled_out_is_lost_at_once(pcm: OddPcm, sink: AlsaSink) -> None:
    pcm.now = alsaaudio.PCM_STATE_DISCONNECTED
    with pytest.raises(DeviceError, match="playback device 'odd' is lost"):
        sink.queued()


def test_a_device_that_stops_while_it_is_asked_has_nothing_queued(pcm: OddPcm, sink: AlsaSink) -> None:
    states = deque([alsaaudio.PCM_STATE_RUNNING, alsaaudio.PCM_STATE_XRUN])
    pcm.state = states.popleft  # type: ignore[method-assign]
    pcm.available = 100
    assert sink.queued() == 0


@pytest.mark.parametrize("call", ["state", "htimestamp"])
def test_a_device_that_can_not_be_asked_is_lost(pcm: OddPcm, sink: AlsaSink, call: str) -> None:
    pcm.raises.add(call)
    with pytest.raises(DeviceError, match="playback device 'odd' is lost"):
        sink.queued()


def test_what_the_device_took_is_told(pcm: OddPcm, sink: AlsaSink) -> None:
    pcm.answers.extend([160, 3, 0, -errno.EAGAIN])
    assert [sink.write(bytes(320)) for _ in range(4)] == [160, 3, 0, 0]
    assert sink.underruns == 0


def test_an_underrun_that_is_reported_is_written_again(pcm: OddPcm, sink: AlsaSink) -> None:
    pcm.answers.extend([PIPE, 160, 160])
    assert sink.write(bytes(320)) == 160
    assert sink.underruns == 1
    assert sink.write(bytes(320)) == 160
    assert sink.underruns == 1


def test_an_underrun_that_is_hidden_shows_in_the_state(pcm: OddPcm, sink: AlsaSink) -> None:
    pcm.now = alsaaudio.PCM_STATE_XRUN
    pcm.answers.append(160)
    assert sink.write(bytes(320)) == 160
    assert sink.underruns == 1


def test_underruns_and_nothing_else_are_a_lost_device(pcm: OddPcm, sink: AlsaSink) -> None:
    pcm.answers.extend([PIPE, PIPE] * 4 + [160] + [PIPE, PIPE] * 4)
    for _ in range(9):
        sink.write(bytes(320))
    pcm.answers.extend([PIPE, PIPE])
    with pytest.raises(DeviceError, match="nothing but underruns"):
        sink.write(bytes(320))


def test_a_failing_write_is_a_lost_device(pcm: OddPcm, sink: AlsaSink) -> None:
    pcm.answers.append(BROKEN)
    with pytest.raises(DeviceError, match="'odd' is lost"):
        sink.write(bytes(320))
