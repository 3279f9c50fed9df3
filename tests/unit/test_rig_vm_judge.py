"""What the virtual machine's recordings are judged by tells losses, delays and stalls for what they are."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.rig.speech import Span
from tests.rig.vm import judge
from tests.rig.vm.judge import Break, Event, Line
from tests.rig.wav import RATE, Pcm, tone

FRAMES = 400


def numbered(count: int) -> Pcm:
    return (1 + np.arange(count) % judge.HIGHEST).astype(np.int16)


def times(samples: Pcm) -> judge.Times:
    return np.arange(-(-len(samples) // 160), dtype=np.float64) / 50


def notes(seconds: float, ppm: float = 0.0, late: float = 0.0) -> list[Event]:
    """Notes every 1600 samples of a clock that is fast by `ppm`, every other `late` seconds late."""
    period_s = 1 / (RATE * (1 + ppm * 1e-6))
    counts = range(1600, round(seconds * RATE), 1600)
    return [(100 + n * period_s + late * (n // 1600 % 2), "at", n) for n in counts]


def test_numbers_in_order_have_no_break() -> None:
    samples = np.concatenate([np.zeros(320, np.int16), numbered(FRAMES * 160)])
    assert judge.breaks(samples, times(samples)) == []


def test_lost_samples_are_counted() -> None:
    samples = np.delete(numbered(FRAMES * 160), slice(16000, 16160))
    assert judge.breaks(samples, times(samples)) == [Break(2.0, 0, 160)]


def test_lost_samples_are_counted_where_the_numbers_begin_again() -> None:
    samples = np.delete(numbered(FRAMES * 160), slice(29990, 30001))
    assert [(found.silent, found.missing) for found in judge.breaks(samples, times(samples))] == [(0, 11)]


def test_silence_put_in_is_counted() -> None:
    samples = np.insert(numbered(FRAMES * 160), 16000, np.zeros(160, np.int16))
    assert judge.breaks(samples, times(samples)) == [Break(2.02, 160, 0)]


def test_a_sample_that_comes_twice_is_a_break() -> None:
    samples = np.insert(numbered(FRAMES * 160), 16000, 16000)
    assert len(judge.breaks(samples, times(samples))) == 1


def test_the_first_sound_after_a_time() -> None:
    samples = np.concatenate([numbered(1600), np.zeros(1600, np.int16), numbered(1600)])
    assert judge.first_sound_s(samples, times(samples), 0.3) == pytest.approx(0.4)
    assert math.isnan(judge.first_sound_s(samples, times(samples), 0.7))


def test_the_first_sound_heard_after_a_card_came_back() -> None:
    heard = np.concatenate([numbered(8000), np.zeros(2400, np.int16), numbered(5600)])
    events: list[Event] = [(10.0, "open", 0), (11.0, "at", 8000), (11.5, "lost", 8000)]
    events += [(15.0, "open", 8000), (15.25, "at", 9600), (15.4, "at", 11200), (16.0, "at", 16000)]
    assert judge.first_heard_s(heard, events, 14.0) == pytest.approx(15.3)
    assert math.isnan(judge.first_heard_s(heard, events, 15.1))
    heard[8000:] = 0
    assert math.isnan(judge.first_heard_s(heard, events, 14.0))


@pytest.mark.parametrize("ppm", [-300.0, 0.0, 300.0])
def test_the_line_is_that_of_the_punctual_notes(ppm: float) -> None:
    found = judge.line(notes(60, ppm, late=0.03), 100, 170)
    assert found.ppm == pytest.approx(ppm, abs=1)
    assert found.origin_s == pytest.approx(100, abs=1e-4)


def test_notes_that_stood_still_are_a_stall() -> None:
    events = notes(10)
    assert judge.late_s(events, 0.1) == []
    behind = [(at_s + 0.3 * (n > 16000), event, n) for at_s, event, n in events]
    (stall,) = judge.late_s(behind, 0.1)
    assert stall == pytest.approx((102.0, 102.5))


def test_an_overrun_is_a_stall_and_an_absent_card_is_none() -> None:
    events: list[Event] = [(1.0, "at", 1600), (1.1, "xrun", 1700), (1.3, "at", 3200), (1.4, "lost", 3300)]
    events += [(9.0, "open", 3300), (9.2, "at", 4800)]
    assert judge.late_s(events, 0.1) == [(1.0, 1.1)]


def test_the_share_of_a_time_that_spans_cover_counts_nothing_twice() -> None:
    assert judge.share_covered([], 10, 20) == 0
    assert judge.share_covered([(11, 12), (15, 16.5)], 10, 20) == pytest.approx(0.25)
    assert judge.share_covered([(15, 17), (11, 14), (12, 13), (13.5, 16)], 10, 20) == pytest.approx(0.6)
    assert judge.share_covered([(0, 11), (19, 30), (40, 50)], 10, 20) == pytest.approx(0.2)


@pytest.mark.parametrize("growth_ms", [0.0, 54.0])
def test_a_delay_that_grows_is_seen(growth_ms: float) -> None:
    rng = np.random.default_rng(3)
    said = (6000 * rng.standard_normal(60 * RATE) * np.repeat(rng.uniform(0, 1, 600) ** 2, 800)).clip(-32000, 32000)
    spans = [Span(RATE * second, RATE * (second + 8)) for second in range(1, 50, 10)]
    # Four minutes, in which the far end falls behind by `growth_ms` from the middle of the first to that of the last.
    at_s = np.arange(240 * RATE) / RATE
    behind_s = 0.1 + growth_ms / 1000 * (at_s - 30) / 180
    heard = np.interp((at_s - behind_s) % 60, np.arange(60 * RATE) / RATE, said).astype(np.int16)
    points = judge.delays(heard, Line(500.0, 1 / RATE), said.astype(np.int16), spans, 500.0, 501.0, 739.0)
    assert len(points) > 100
    assert np.median(points[:, 1]) == pytest.approx(0.1 + growth_ms / 1000 / 3, abs=0.02)
    assert judge.creep_ms(points) == pytest.approx(growth_ms, abs=6)


def test_too_little_speech_tells_no_creep() -> None:
    assert math.isnan(judge.creep_ms(np.zeros((3, 2))))


def test_a_tone_that_is_not_what_was_said_gives_no_delay() -> None:
    said = (6000 * np.random.default_rng(4).standard_normal(10 * RATE)).clip(-32000, 32000).astype(np.int16)
    heard = tone(440, 10)
    assert len(judge.delays(heard, Line(0.0, 1 / RATE), said, [Span(0, 8 * RATE)], 0.0, 0.0, 9.5)) == 0
