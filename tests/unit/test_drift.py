"""The rate of a stream whose counts come late by jitter, bursts and pauses, in simulated time."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ingestd.core.drift import Drift
from tests.rig.figures import Figures

pytestmark = pytest.mark.undisturbed

FRAME = 160
RATE = 8000
FIRST_S = 5000.0


def wifi_late_s(frames: int, seed: int) -> NDArray[np.float64]:
    """Median 3 ms, 90 % within 20 ms, 99 % within 250 ms; correlated over 100 ms, and in order, as TCP delivers."""
    random = np.random.default_rng(seed)
    memory = np.exp(-0.02 / 0.1)
    level = np.empty(frames)
    level[0] = random.standard_normal()
    steps = random.standard_normal(frames) * np.sqrt(1 - memory**2)
    for frame in range(1, frames):
        level[frame] = memory * level[frame - 1] + steps[frame]
    known = np.array([-3.0, 0.0, 1.2816, 2.3263, 3.0])  # standard normal quantiles
    late_s: NDArray[np.float64] = np.exp(np.interp(level, known, np.log([0.001, 0.003, 0.02, 0.25, 0.4])))
    return late_s


def arrivals(
    ppm: float, late_s: NDArray[np.float64], silent: NDArray[np.bool_] | None = None
) -> list[tuple[float, int]]:
    """(time, samples so far) of every frame; in `silent` slots the server sends nothing."""
    slots = np.arange(1, len(late_s) + 1)
    if silent is not None:
        slots, late_s = slots[~silent], late_s[~silent]
    times = np.maximum.accumulate(FIRST_S + slots * 0.02 / (1 + ppm * 1e-6) + late_s)
    return [(float(time), FRAME * (number + 1)) for number, time in enumerate(times)]


def follow(drift: Drift, pairs: list[tuple[float, int]]) -> Drift:
    for time_s, samples in pairs:
        drift.observe(time_s, samples)
    return drift


def frames(seconds: float) -> int:
    return round(seconds * 50)


@pytest.mark.parametrize("ppm", [-200, 0, 200])
def test_a_servers_rate_is_known_after_five_minutes_of_wifi(ppm: float, figures: Figures) -> None:
    errors = []
    for seed in range(5):
        drift = follow(Drift(), arrivals(ppm, wifi_late_s(frames(300), seed)))
        assert drift.ppm is not None
        errors.append(abs(drift.ppm - ppm))
    name = f"server_clock_{'minus' if ppm < 0 else 'plus'}_{abs(ppm):.0f}ppm_error_ppm"
    assert figures.add(name, max(errors), max=15)


def test_it_is_unknown_for_half_a_minute() -> None:
    pairs = arrivals(100, np.full(frames(60), 0.003))
    drift = follow(Drift(), pairs[: frames(29)])
    assert drift.ppm is None
    follow(drift, pairs[frames(29) :])
    assert drift.ppm == pytest.approx(100, abs=1)


@pytest.mark.parametrize("pause_s", [0.02, 0.4, 3.0])
def test_a_server_that_sends_nothing_in_between_is_no_slower(pause_s: float) -> None:
    """Somebody speaks for 20 s, then the room is silent for a while."""
    slot = np.arange(frames(300))
    silent = slot % frames(20 + pause_s) >= frames(20)
    drift = follow(Drift(), arrivals(150, wifi_late_s(len(slot), 1), silent))
    assert drift.ppm == pytest.approx(150, abs=30)


def test_a_conversation_of_short_words_tells_the_rate_too() -> None:
    """Nobody speaks for longer than 9 s, and nothing is sent in between."""
    slot = np.arange(frames(300))
    drift = follow(Drift(), arrivals(150, wifi_late_s(len(slot), 2), slot % frames(11) >= frames(9)))
    assert drift.ppm == pytest.approx(150, abs=60)


@pytest.mark.parametrize(("turn_s", "pause_s"), [(4.0, 0.3), (4.0, 0.8), (6.0, 0.8), (6.0, 2.0)])
def test_turns_of_a_few_seconds_are_enough(turn_s: float, pause_s: float, figures: Figures) -> None:
    """Each is a short line: they count by their weight, and ends that saw less than the rest do not bend them."""
    slot = np.arange(frames(900))
    silent = slot % frames(turn_s + pause_s) >= frames(turn_s)
    errors = []
    for seed in range(4):
        drift = Drift()
        for time_s, samples in arrivals(150, wifi_late_s(len(slot), seed), silent):
            drift.observe(time_s, samples)
            if time_s > FIRST_S + 400:
                assert drift.ppm is not None
                errors.append(abs(drift.ppm - 150))
    name = f"server_clock_turns_of_{turn_s:.0f}_s_pauses_of_{1000 * pause_s:.0f}_ms_error_ppm"
    assert figures.add(name, max(errors), max=60)


def test_a_stall_and_its_burst_change_nothing() -> None:
    late_s = np.full(frames(200), 0.003)
    for stall in range(1000, 9000, 1500):
        late_s[stall : stall + 100] += np.arange(100, 0, -1) * 0.02
    drift = follow(Drift(), arrivals(-120, late_s))
    assert drift.ppm == pytest.approx(-120, abs=5)


def test_a_new_stream_is_another() -> None:
    drift = follow(Drift(), arrivals(100, np.full(frames(60), 0.003)))
    drift.restart()
    assert drift.ppm is None
    later = [(time_s + 60, samples) for time_s, samples in arrivals(-100, np.full(frames(60), 0.003))]
    assert follow(drift, later).ppm == pytest.approx(-100, abs=1)


def test_an_interruption_keeps_what_is_known() -> None:
    pairs = arrivals(80, np.full(frames(120), 0.003))
    drift = follow(Drift(), pairs[: frames(60)])
    drift.interrupted()
    drift.interrupted()
    assert drift.ppm == pytest.approx(80, abs=1)
    dry = [(time_s + 0.5, samples) for time_s, samples in pairs[frames(60) :]]
    assert follow(drift, dry).ppm == pytest.approx(80, abs=1)


@pytest.mark.parametrize("ppm", [-300, 40, 300])
@pytest.mark.parametrize("period", [8, 80, 480])
def test_a_loudspeaker_that_counts_in_periods(ppm: float, period: int, figures: Figures) -> None:
    """Asked whenever its thread comes by, it tells what was played up to the last period."""
    random = np.random.default_rng(5)
    drift = Drift()
    time_s = 0.0
    while time_s < 300:
        time_s += 0.02 + float(random.exponential(0.003))
        played = int(time_s * RATE * (1 + ppm * 1e-6)) // period * period
        drift.observe(FIRST_S + time_s, played)
    assert drift.ppm is not None
    sign = "minus" if ppm < 0 else "plus"
    name = f"playback_clock_{period}_sample_periods_{sign}_{abs(ppm):.0f}ppm_error_ppm"
    assert figures.add(name, abs(drift.ppm - ppm), max=15)


def test_it_forgets_what_is_five_minutes_old() -> None:
    pairs = arrivals(50, np.full(frames(300), 0.003))
    drift = follow(Drift(), pairs)
    last_s, samples = pairs[-1]
    warmer = [(last_s + 0.02 * n / (1 + 90e-6), samples + FRAME * n) for n in range(1, frames(310))]
    assert follow(drift, warmer).ppm == pytest.approx(90, abs=3)


def test_its_memory_is_bounded() -> None:
    drift = follow(Drift(), arrivals(0, np.full(frames(3600), 0.003)))
    assert len(drift._points) == 300
