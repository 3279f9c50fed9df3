"""The queue between network and speaker: bounded, in order, and never short of an answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.playout import Playout

MS = 16  # bytes of a millisecond


def pcm(start_ms: int, ms: int) -> bytes:
    """Audio whose every millisecond differs from the next."""
    return b"".join(bytes([1 + (start_ms + n) % 255]) * MS for n in range(ms))


def test_playing_starts_at_the_target_and_then_plays_what_came() -> None:
    playout = Playout(max_delay_ms=400, target_delay_ms=80)
    playout.push(pcm(0, 60))
    assert playout.pull(160) == bytes(320)
    assert playout.delay_ms == 60
    playout.push(pcm(60, 20))
    assert playout.pull(160) == pcm(0, 20)
    assert playout.pull(80) == pcm(20, 10)
    assert playout.delay_ms == 50
    assert (playout.underruns, playout.concealed_samples, playout.dropped_samples) == (0, 0, 0)


def test_what_is_missing_is_silence_and_the_target_is_waited_for_again() -> None:
    playout = Playout(max_delay_ms=400, target_delay_ms=40)
    playout.push(pcm(0, 50))
    assert playout.pull(480) == pcm(0, 50) + bytes(10 * MS)
    assert (playout.underruns, playout.concealed_samples) == (1, 80)
    playout.push(pcm(50, 20))
    assert playout.pull(160) == bytes(320), "one frame is not enough to go on"
    playout.push(pcm(70, 20))
    assert playout.pull(320) == pcm(50, 40)
    assert playout.underruns == 1


def test_too_much_is_dropped_oldest_first_down_to_the_target() -> None:
    playout = Playout(max_delay_ms=200, target_delay_ms=80)
    for start in range(0, 200, 20):
        playout.push(pcm(start, 20))
    assert (playout.delay_ms, playout.dropped_samples) == (200, 0)
    playout.push(pcm(200, 20))
    assert playout.delay_ms == 80
    assert playout.dropped_samples == 140 * 8
    assert playout.pull(640) == pcm(140, 80)


def test_one_frame_longer_than_the_bound_is_cut_to_its_newest_part() -> None:
    playout = Playout(max_delay_ms=100, target_delay_ms=60)
    playout.push(pcm(0, 1000))
    assert playout.pull(480) == pcm(940, 60)


def test_the_target_is_never_over_the_bound() -> None:
    playout = Playout(max_delay_ms=40, target_delay_ms=80)
    assert playout.target_ms == 40
    playout.push(pcm(0, 40))
    assert playout.pull(320) == pcm(0, 40)


def test_a_new_connection_starts_afresh() -> None:
    playout = Playout(max_delay_ms=400, target_delay_ms=40)
    playout.push(pcm(0, 100))
    playout.pull(160)
    playout.clear()
    assert playout.delay_ms == 0
    playout.push(pcm(0, 20))
    assert playout.pull(160) == bytes(320)
    assert playout.underruns == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4000)), max_size=60), st.integers(40, 400))
def test_any_sequence_gives_all_that_was_asked_for_and_accounts_for_every_sample(
    steps: list[tuple[bool, int]], max_ms: int
) -> None:
    playout = Playout(max_ms)
    pushed = played = 0
    for is_push, samples in steps:
        if is_push:
            playout.push(b"\x01\x01" * samples)
            pushed += samples
        else:
            got = playout.pull(samples)
            assert len(got) == 2 * samples
            played += got.count(b"\x01") // 2
        assert playout.delay_ms <= max_ms
        assert pushed == played + playout.dropped_samples + playout.delay_ms * 8
