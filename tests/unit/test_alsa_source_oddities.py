"""A microphone that answers oddly: overruns in every guise, wakes without samples, losses."""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import alsaaudio
import pytest

from ingestd.audio.alsa import AlsaSource
from ingestd.errors import DeviceError
from tests.unit.odd_pcm import BROKEN, PIPE, OddPcm, every_device_is_odd
from tests.unit.peers import GUARD_S

IN_VAIN_S = 0.05


@pytest.fixture
def pcm(monkeypatch: pytest.MonkeyPatch) -> Iterator[OddPcm]:
    with every_device_is_odd(monkeypatch) as odd:
        yield odd


@pytest.fixture
def source(pcm: OddPcm) -> AlsaSource:
    opened = AlsaSource("odd")
    opened.open()
    return opened


def read(source: AlsaSource, timeout_s: float = GUARD_S) -> tuple[bytes, bool] | None:
    block = source.read(timeout_s)
    return None if block is None else (block.pcm, block.overrun)


def test_a_short_read_is_as_good_as_any(pcm: OddPcm, source: AlsaSource) -> None:
    pcm.answers.extend([(3, b"abcdef"), (160, bytes(320))])
    assert read(source) == (b"abcdef", False)
    assert read(source) == (bytes(320), False)


def test_a_wake_without_samples_is_waited_out_and_does_not_spin(pcm: OddPcm, source: AlsaSource) -> None:
    pcm.answers.extend([(0, b"")] * 3 + [(1, b"ab")])
    begun_s = time.monotonic()
    assert read(source) == (b"ab", False)
    assert time.monotonic() - begun_s >= 3 * 0.004
    assert read(source, IN_VAIN_S) is None


def test_an_overrun_marks_the_next_samples(pcm: OddPcm, source: AlsaSource) -> None:
    pcm.answers.extend([(PIPE, b""), (0, b""), (1, b"ab"), (1, b"cd")])
    assert read(source) == (b"ab", True)
    assert read(source) == (b"cd", False)


def test_an_overrun_marks_the_next_samples_however_late_they_come(pcm: OddPcm, source: AlsaSource) -> None:
    pcm.answers.append((PIPE, b""))
    assert read(source, IN_VAIN_S) is None
    pcm.answers.append((1, b"ab"))
    assert read(source) == (b"ab", True)


def test_after_an_overrun_a_read_starts_the_stream_before_any_poll(pcm: OddPcm, source: AlsaSource) -> None:
    os.eventfd_read(pcm._fd)  # nothing wakes a poll from now on
    pcm.answers.extend([(PIPE, b""), (1, b"ab")])
    pcm.log.clear()
    block = source.read(IN_VAIN_S)
    assert block is not None
    assert block.overrun
    assert pcm.log == ["state", "read", "read"]


def test_an_overrun_that_is_hidden_shows_in_the_state(pcm: OddPcm, source: AlsaSource) -> None:
    states = deque([alsaaudio.PCM_STATE_XRUN])
    pcm.state = lambda: states.popleft() if states else alsaaudio.PCM_STATE_RUNNING  # type: ignore[method-assign]
    pcm.answers.extend([(0, b""), (1, b"ab"), (1, b"cd")])
    assert read(source) == (b"ab", True)
    assert read(source) == (b"cd", False)


def test_overruns_and_nothing_else_are_a_lost_device(pcm: OddPcm, source: AlsaSource) -> None:
    overrun = [(PIPE, b""), (0, b"")]
    pcm.answers.extend([*overrun * 4, (1, b"ab"), *overrun * 4, (1, b"ab")])
    assert read(source) == (b"ab", True)
    assert read(source) == (b"ab", True), "samples in between begin the count anew"
    pcm.answers.extend(overrun * 5)
    with pytest.raises(DeviceError, match="nothing but overruns"):
        read(source)


@pytest.mark.parametrize("answer", [(-errno.ENODEV, b""), (-errno.EBADFD, b""), (-1, b""), BROKEN])
def test_any_other_answer_is_a_lost_device(pcm: OddPcm, source: AlsaSource, answer: Any) -> None:
    pcm.answers.append(answer)
    with pytest.raises(DeviceError, match="capture device 'odd' is lost"):
        read(source)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (alsaaudio.ALSAAudioError("No such device [odd]"), "No such device (it was pulled out)"),
        (alsaaudio.ALSAAudioError("Streams pipe error [odd]"), "error (the system slept; it is opened again)"),
        (BROKEN, "lost: broken"),
    ],
)
def test_a_loss_says_what_it_means(pcm: OddPcm, source: AlsaSource, answer: Exception, told: str) -> None:
    pcm.answers.append(answer)
    with pytest.raises(DeviceError) as raised:
        read(source)
    assert str(raised.value).endswith(told)


def test_a_descriptor_that_is_gone_is_a_lost_device(pcm: OddPcm) -> None:
    end, other = os.pipe()
    pcm.polldescriptors = lambda: [(end, 1)]  # type: ignore[method-assign]
    source = AlsaSource("odd")
    source.open()
    os.close(end)
    os.close(other)
    with pytest.raises(DeviceError, match="is lost: No such device"):
        read(source)


@pytest.mark.parametrize(("state", "gone"), [("DISCONNECTED", True), ("RUNNING", False), ("PREPARED", False)])
def test_a_descriptor_that_hangs_up_is_a_lost_device_where_its_state_says_so(
    pcm: OddPcm, state: str, gone: bool
) -> None:
    end, other = os.pipe()
    os.close(other)
    pcm.polldescriptors = lambda: [(end, 1)]  # type: ignore[method-assign]
    source = AlsaSource("odd")
    source.open()
    pcm.now = getattr(alsaaudio, f"PCM_STATE_{state}")
    pcm.log.clear()
    try:
        if gone:
            with pytest.raises(DeviceError, match="is lost: No such device"):
                read(source)
        else:
            assert read(source, IN_VAIN_S) is None
            assert pcm.log.count("read") <= IN_VAIN_S / 0.004 + 1, "it doesn't spin"
    finally:
        os.close(end)


def test_a_wake_without_samples_is_settled_with_the_device_where_the_library_can(
    pcm: OddPcm, source: AlsaSource
) -> None:
    settled: list[list[tuple[int, int]]] = []

    def settle(events: list[tuple[int, int]]) -> None:
        settled.append(events)
        os.eventfd_read(pcm._fd)

    pcm.polldescriptors_revents = settle  # type: ignore[attr-defined]
    assert read(source, IN_VAIN_S) is None
    assert settled == [[(pcm._fd, 1)]]


def test_a_device_that_is_lost_while_it_is_opened(pcm: OddPcm) -> None:
    pcm.answers.append(BROKEN)
    with pytest.raises(DeviceError, match="'odd' is lost"):
        AlsaSource("odd").open()
