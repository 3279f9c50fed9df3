"""What messages may take from the audio, on ways of every speed: simulated frame by frame, without a clock."""

from __future__ import annotations

import pytest

from ingestd.core.messageshare import ROOM_BYTES, MessageShare

FRAME_BYTES = 466
"""One media frame with its head."""
ON_THE_WIRE = 540 / 466
"""What TCP and TLS add."""


def test_one_goes_between_two_frames() -> None:
    share = MessageShare()
    assert share.may_go(0, 0)
    share.message_went(100, 100)
    assert not share.may_go(0, 0)
    share.media_went(FRAME_BYTES)
    assert share.may_go(0, 0)


def test_a_big_one_is_paid_for_in_audio_before_the_next_goes() -> None:
    share = MessageShare()
    share.message_went(8192, 8192)
    frames = 0
    while not share.may_go(0, 0):
        share.media_went(FRAME_BYTES)
        frames += 1
    assert (frames - 1) * FRAME_BYTES < 8192 <= frames * FRAME_BYTES


def test_audio_that_went_before_is_no_credit() -> None:
    share = MessageShare()
    for _ in range(1000):
        share.media_went(FRAME_BYTES)
    share.message_went(8192, 8192)
    share.media_went(FRAME_BYTES)
    assert not share.may_go(0, 0)


@pytest.mark.parametrize(
    ("waiting_bytes", "carried_bytes", "may"),
    [
        (ROOM_BYTES, 0.0, True),
        (ROOM_BYTES + 1, 0.0, False),
        (ROOM_BYTES + 5400, 5400.0, True),
        (ROOM_BYTES + 5401, 5400.0, False),
    ],
)
def test_none_goes_where_the_way_is_full(waiting_bytes: int, carried_bytes: float, may: bool) -> None:
    assert MessageShare().may_go(waiting_bytes, carried_bytes) is may


def test_what_is_on_its_way_of_a_message_is_told_from_the_audio() -> None:
    share = MessageShare()
    assert share.on_the_way_bytes(1000, 1000) == 0
    share.message_went(8192, 9192)
    assert share.on_the_way_bytes(9192, 9192) == 8192, "the frames before it are audio"
    assert share.on_the_way_bytes(5000, 9192) == 5000
    assert share.on_the_way_bytes(5000 + 466, 9192 + 466) == 5000
    assert share.on_the_way_bytes(466, 9192 + 466) == 0


class Way:
    """A link that carries so many bytes a second, and a program that always has a message for it."""

    def __init__(self, kbit_per_s: float, message_bytes: int, seconds: int = 60) -> None:
        self.messages = 0
        self.longest_wait_ms = 0.0
        """What a frame found before it on the way, at most."""
        share, queued_bytes, end = MessageShare(), 0.0, 0
        for _ in range(seconds * 50):
            self.longest_wait_ms = max(self.longest_wait_ms, queued_bytes / (kbit_per_s / 8))
            queued_bytes += FRAME_BYTES * ON_THE_WIRE
            end += FRAME_BYTES
            share.media_went(FRAME_BYTES)
            if share.may_go(int(queued_bytes), 0.0):
                queued_bytes += message_bytes * 1.05
                end += message_bytes
                share.message_went(message_bytes, end)
                self.messages += 1
            queued_bytes = max(0.0, queued_bytes - kbit_per_s * 2.5)


@pytest.mark.parametrize("kbit_per_s", [300, 512, 1000, 100_000])
@pytest.mark.parametrize("message_bytes", [100, 466, 1000, 8260])
def test_a_flood_never_takes_more_than_the_audio_nor_makes_it_late(kbit_per_s: int, message_bytes: int) -> None:
    way = Way(kbit_per_s, message_bytes)
    assert way.messages * message_bytes <= 60 * 50 * FRAME_BYTES + message_bytes
    assert way.longest_wait_ms <= (ROOM_BYTES + 1.05 * message_bytes) / (kbit_per_s / 8)
    assert way.messages >= 60 * 50 * FRAME_BYTES / message_bytes / 8 or way.messages == 60 * 50, "nor does it starve"


def test_small_messages_go_after_every_frame() -> None:
    assert Way(512, 300).messages == 60 * 50


def test_on_a_way_too_narrow_for_the_audio_itself_none_goes_on() -> None:
    assert Way(200, 8260).messages <= 1
