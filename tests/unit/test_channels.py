"""Mono out of several channels: the mean of all, or one of them."""

from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.channels import Channel, position_of, to_mono

LOUDEST, LOWEST = 32767, -32768
SAMPLE = st.integers(LOWEST, LOUDEST)


def pcm_of(*samples: int) -> bytes:
    return array("h", samples).tobytes()


@pytest.mark.parametrize(
    ("channel", "position"), [("mix", None), ("left", 0), ("right", 1), (1, 0), (2, 1), (3, 2), (64, 63)]
)
def test_channels_count_from_one(channel: Channel, position: int | None) -> None:
    assert position_of(channel) == position


def test_a_single_channel_is_itself() -> None:
    pcm = pcm_of(1, -2, 3)
    assert to_mono(pcm, 1, None) is pcm
    assert to_mono(pcm, 1, 0) is pcm


@given(st.integers(2, 9).flatmap(lambda count: st.lists(st.lists(SAMPLE, min_size=count, max_size=count), min_size=1)))
def test_the_mean_and_each_channel_are_what_arithmetic_says(frames: list[list[int]]) -> None:
    count = len(frames[0])
    pcm = pcm_of(*(sample for frame in frames for sample in frame))
    assert to_mono(pcm, count, None) == pcm_of(*(sum(frame) // count for frame in frames))
    for nth in range(count):
        assert to_mono(pcm, count, nth) == pcm_of(*(frame[nth] for frame in frames))


@pytest.mark.parametrize("count", [2, 3, 8])
@pytest.mark.parametrize("level", [LOUDEST, LOWEST, -1, 0])
def test_equal_channels_keep_their_level(count: int, level: int) -> None:
    assert to_mono(pcm_of(*[level] * count * 160), count, None) == pcm_of(*[level] * 160)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_nothing_stays_nothing(count: int) -> None:
    assert to_mono(b"", count, None) == to_mono(b"", count, 0) == b""
