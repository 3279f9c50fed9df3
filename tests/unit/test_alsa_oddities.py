"""Opening and closing devices that answer oddly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ingestd.audio.alsa import AlsaSink, AlsaSource
from ingestd.errors import DeviceError
from tests.unit.odd_pcm import OddPcm, every_device_is_odd


@pytest.fixture
def pcm(monkeypatch: pytest.MonkeyPatch) -> Iterator[OddPcm]:
    with every_device_is_odd(monkeypatch) as odd:
        yield odd


@pytest.fixture
def source(pcm: OddPcm) -> AlsaSource:
    opened = AlsaSource("odd")
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
