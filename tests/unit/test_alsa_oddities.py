"""What libasound's plugins and both versions of pyalsaaudio answer now and then, and no device can be made to."""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import alsaaudio
import pytest

from ingestd.audio.alsa import AlsaSink, AlsaSource
from ingestd.errors import DeviceError

GOOD = {"rate": 8000, "channels": 1, "format_name": "S16_LE", "period_size": 160, "buffer_size": 3200}
PIPE = -errno.EPIPE
BROKEN = alsaaudio.ALSAAudioError("broken [x]")


class OddPcm:
    """A PCM that answers as scripted; an exception in the script is raised."""

    def __init__(self) -> None:
        self.answers: deque[Any] = deque()
        self.now: int = alsaaudio.PCM_STATE_RUNNING
        self.available: Any = 3200
        self.details = dict(GOOD)
        self.log: list[str] = []
        self.raises: set[str] = set()
        self.names: list[str] = []
        self._fd = os.eventfd(1, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def _next(self) -> Any:
        answer = self.answers.popleft() if self.answers else (0, b"")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _may_fail(self, name: str) -> None:
        self.log.append(name)
        if name in self.raises:
            raise BROKEN

    def info(self) -> dict[str, Any]:
        self._may_fail("info")
        return self.details

    def polldescriptors(self) -> list[tuple[int, int]]:
        return [(self._fd, 1)]

    def read(self) -> Any:
        self.log.append("read")
        return self._next()

    def write(self, pcm: bytes) -> Any:
        return self._next()

    def state(self) -> int:
        self._may_fail("state")
        return self.now

    def htimestamp(self) -> tuple[int, int, Any]:
        self._may_fail("htimestamp")
        return 0, 0, self.available

    def drop(self) -> None:
        self._may_fail("drop")

    def close(self) -> None:
        self._may_fail("close")


@pytest.fixture
def pcm(monkeypatch: pytest.MonkeyPatch) -> Iterator[OddPcm]:
    odd = OddPcm()

    def pcm_of(*_args: object, device: str, **_options: object) -> OddPcm:
        odd.names.append(device)
        return odd

    monkeypatch.setattr(alsaaudio, "PCM", pcm_of)
    yield odd
    os.close(odd._fd)


@pytest.fixture
def source(pcm: OddPcm) -> AlsaSource:
    opened = AlsaSource("odd")
    opened.open()
    return opened


@pytest.fixture
def sink(pcm: OddPcm) -> AlsaSink:
    opened = AlsaSink("odd")
    opened.open()
    return opened


def read(source: AlsaSource) -> tuple[bytes, bool] | None:
    block = source.read(0.05)
    return None if block is None else (block.pcm, block.overrun)


# --- opening --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "odd"),
    [
        *((make, odd) for make in (AlsaSource, AlsaSink) for odd in ({"rate": 44100}, {"format_name": "S32_LE"})),
        (AlsaSink, {"channels": 2}),
        (AlsaSource, {"significant_bits": 12}),
    ],
)
def test_a_device_that_gives_something_else_is_converted_and_else_let_go_and_told(
    pcm: OddPcm, make: Callable[[str], AlsaSource | AlsaSink], odd: dict[str, Any]
) -> None:
    pcm.details |= odd
    with pytest.raises(DeviceError, match=r"'hw:1' gives .* can't convert") as raised:
        make("hw:1").open()
    assert "significant_bits" in odd or str(next(iter(odd.values()))) in str(raised.value)
    assert pcm.names == ["hw:1", "plughw:1"]
    assert pcm.log.count("close") == 2


def test_a_device_that_can_not_say_what_it_agreed_to_is_let_go(pcm: OddPcm) -> None:
    pcm.raises.add("info")
    with pytest.raises(DeviceError, match="can't open capture device 'odd': broken"):
        AlsaSource("odd").open()
    assert pcm.log[-1] == "close"


@pytest.mark.parametrize(("channels", "channel"), [(1, 2), (1, "right"), (2, 3)])
def test_a_channel_that_is_not_there_is_told_with_those_that_are(pcm: OddPcm, channels: int, channel: Any) -> None:
    pcm.details["channels"] = channels
    with pytest.raises(DeviceError, match=f"(one|2) channels?, and audio.capture.channel is {channel}: write mix"):
        AlsaSource("odd", channel).open()


@pytest.mark.parametrize(
    ("channel", "heard"), [("mix", b"\x02\0\x05\0"), ("left", b"\x01\0\x04\0"), (2, b"\x03\0\x06\0")]
)
def test_what_is_sent_of_two_channels_is_what_was_asked_for(pcm: OddPcm, channel: Any, heard: bytes) -> None:
    pcm.details["channels"] = 2
    source = AlsaSource("odd", channel)
    source.open()
    pcm.answers.append((2, b"\1\0\3\0\4\0\6\0"))
    assert read(source) == (heard, False)


def test_opening_starts_the_stream(pcm: OddPcm, source: AlsaSource) -> None:
    assert pcm.log.count("read") == 1, "only a read starts it, and before that nothing wakes a poll"


# --- reading --------------------------------------------------------------------------------------------------------


def test_a_short_read_is_as_good_as_any(pcm: OddPcm, source: AlsaSource) -> None:
    pcm.answers.extend([(3, b"abcdef"), (160, bytes(320))])
    assert read(source) == (b"abcdef", False)
    assert read(source) == (bytes(320), False)


def test_a_wake_without_samples_is_waited_out_and_does_not_spin(pcm: OddPcm, source: AlsaSource) -> None:
    pcm.answers.extend([(0, b"")] * 3 + [(1, b"ab")])
    begun_s = time.monotonic()
    assert read(source) == (b"ab", False)
    assert time.monotonic() - begun_s >= 3 * 0.004
    assert read(source) is None


def test_an_overrun_marks_the_next_samples(pcm: OddPcm, source: AlsaSource) -> None:
    pcm.answers.extend([(PIPE, b""), (0, b""), (1, b"ab"), (1, b"cd")])
    assert read(source) == (b"ab", True)
    assert read(source) == (b"cd", False)


def test_an_overrun_marks_the_next_samples_however_late_they_come(pcm: OddPcm, source: AlsaSource) -> None:
    pcm.answers.append((PIPE, b""))
    assert read(source) is None
    pcm.answers.append((1, b"ab"))
    assert read(source) == (b"ab", True)


def test_after_an_overrun_a_read_starts_the_stream_before_any_poll(pcm: OddPcm, source: AlsaSource) -> None:
    os.eventfd_read(pcm._fd)  # nothing wakes a poll from now on
    pcm.answers.extend([(PIPE, b""), (1, b"ab")])
    pcm.log.clear()
    block = source.read(0.001)
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
            assert read(source) is None
            assert pcm.log.count("read") <= 0.05 / 0.004 + 1, "it doesn't spin"
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
    assert read(source) is None
    assert settled == [[(pcm._fd, 1)]]


def test_a_device_that_is_lost_while_it_is_opened(pcm: OddPcm) -> None:
    pcm.answers.append(BROKEN)
    with pytest.raises(DeviceError, match="'odd' is lost"):
        AlsaSource("odd").open()


# --- playing --------------------------------------------------------------------------------------------------------


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


# --- closing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("raises", [set(), {"drop"}, {"close"}, {"drop", "close"}])
@pytest.mark.parametrize("make", [AlsaSource, AlsaSink])
def test_closing_drops_what_is_queued_and_never_fails(
    pcm: OddPcm, make: Callable[[str], AlsaSource | AlsaSink], raises: set[str]
) -> None:
    device = make("odd")
    device.open()
    pcm.raises = raises
    pcm.log.clear()
    device.close()
    device.close()
    assert pcm.log == ["drop", "close"], "once: close alone drains, for ever on an unplugged speaker"
