"""The harder traces are what they claim: late heads, long stalls, a machine that oversleeps, music without a pause."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from tests.bench.arrivals import FRAME_S, Trace
from tests.bench.hard_arrivals import HEAD_S, LONG_STALL_EVERY_S, LONG_STALL_S, OVERSLEPT_S, OVERSLEPT_SHARE
from tests.bench.material import FRAME_SAMPLES, MUSIC_DBFS, music, talk
from tests.bench.traces import TRACES
from tests.rig.wav import RATE, rms

MATERIAL = talk(50, 1)


def made(name: str) -> Trace:
    return TRACES[name].arrive(MATERIAL, np.random.default_rng(5))


def test_the_heads_of_talkspurts_come_late_together_and_the_rest_in_time() -> None:
    trace = made("late-heads")
    sent_s = made("pauses").arrivals_s
    assert np.array_equal(trace.earliest_s, sent_s)
    firsts = np.flatnonzero(np.diff(sent_s, prepend=-np.inf) > 2 * FRAME_S)
    assert len(firsts) == len(MATERIAL.spans)
    late = np.zeros(len(sent_s), dtype=bool)
    for first in firsts:
        head = slice(first, first + 8)  # complete at 0, 20 ... 140 ms
        late[head] = True
        assert trace.arrivals_s[head] == pytest.approx(sent_s[first] + HEAD_S)
        assert trace.arrivals_s[first + 8] == sent_s[first + 8]
    assert np.array_equal(trace.arrivals_s[~late], sent_s[~late])


def test_stalls_longer_than_any_delay_come_every_second() -> None:
    trace = made("long-stalls")
    late_s = trace.arrivals_s - trace.earliest_s
    ends_s = np.unique(trace.arrivals_s[late_s > 0])
    assert np.diff(ends_s) == pytest.approx(LONG_STALL_EVERY_S)
    assert len(ends_s) == pytest.approx(MATERIAL.frames * FRAME_S / LONG_STALL_EVERY_S, abs=1)
    gaps_s = np.diff(trace.arrivals_s)
    assert np.sum(gaps_s > LONG_STALL_S - 1e-9) == len(ends_s)
    assert gaps_s.max() <= LONG_STALL_S + FRAME_S + 1e-9


def test_one_wake_up_in_a_hundred_is_late_and_the_network_is_not() -> None:
    trace = made("busy")
    assert np.array_equal(trace.arrivals_s, made("pauses").arrivals_s)
    assert trace.oversleeping is not None
    lateness_s = np.array(list(islice(trace.oversleeping.lateness_s(), 50_000)))
    late_s = lateness_s[lateness_s > 0]
    assert len(late_s) / len(lateness_s) == pytest.approx(OVERSLEPT_SHARE, rel=0.2)
    assert (late_s.min(), late_s.max()) == pytest.approx(OVERSLEPT_S, abs=0.001)
    assert lateness_s[:1000].tolist() == list(islice(trace.oversleeping.lateness_s(), 1000)), "the same every time"


def test_music_has_a_level_and_no_pause_of_100_ms() -> None:
    sound = music(30, 1)
    assert sound.spans == ()
    assert len(sound.pcm) % FRAME_SAMPLES == 0
    assert 20 * np.log10(rms(sound.pcm)) == pytest.approx(MUSIC_DBFS, abs=0.1)
    power = (sound.pcm / 32768.0) ** 2
    smooth = np.convolve(power, np.ones(RATE // 10) / (RATE // 10), "valid")
    assert 10 * np.log10(smooth.min()) > -30
    assert np.abs(sound.pcm.astype(np.int64)).max() < 32767, "nothing is clipped"
    assert np.array_equal(music(30, 1).pcm, sound.pcm)
    assert not np.array_equal(music(30, 2).pcm, sound.pcm)
