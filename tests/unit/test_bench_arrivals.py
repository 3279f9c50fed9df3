"""The traces are what they claim: quantiles of the published figures, order, stalls, drifts, pauses, bursts."""

from __future__ import annotations

import numpy as np
import pytest

from tests.bench.arrivals import FRAME_S, STALL_S, WIFI_MEMORY_S, WIFI_QUANTILES_MS, Trace, wifi_latency_ms
from tests.bench.material import FRAME_SAMPLES, LEAD_S, ROOM_DBFS, SPEECH_DBFS, TAIL_S, Material, talk
from tests.bench.traces import TRACES
from tests.rig.wav import RATE, rms

MATERIAL = talk(50, 1)


def made(name: str, material: Material = MATERIAL, seed: int = 5) -> Trace:
    return TRACES[name].arrive(material, np.random.default_rng(seed))


def test_the_material_is_at_the_level_it_claims_and_the_same_every_time() -> None:
    assert len(MATERIAL.spans) == 5
    for span in MATERIAL.spans:
        assert 8 <= (span.stop - span.start) / RATE <= 12
        assert 20 * np.log10(rms(MATERIAL.pcm[span.start : span.stop])) == pytest.approx(SPEECH_DBFS, abs=0.1)
    assert 20 * np.log10(rms(MATERIAL.pcm[: MATERIAL.spans[0].start])) == pytest.approx(ROOM_DBFS, abs=0.5)
    assert len(MATERIAL.pcm) % FRAME_SAMPLES == 0
    assert np.array_equal(talk(50, 1).pcm, MATERIAL.pcm)
    assert not np.array_equal(talk(50, 2).pcm, MATERIAL.pcm)


@pytest.mark.parametrize("name", TRACES)
def test_nothing_is_lost_overtaken_or_early_and_the_seed_decides(name: str) -> None:
    trace = made(name)
    assert len(trace.arrivals_s) == len(trace.earliest_s) == trace.material.frames
    assert np.all(np.diff(trace.arrivals_s) >= 0)
    assert np.all(trace.arrivals_s >= trace.earliest_s - 1e-9)
    assert np.min(trace.arrivals_s - trace.earliest_s) == pytest.approx(0, abs=0.5e-3)
    assert np.array_equal(made(name).arrivals_s, trace.arrivals_s)


def test_wifi_latencies_have_the_published_quantiles() -> None:
    latencies_ms = wifi_latency_ms(np.random.default_rng(3).standard_normal(200_000))
    for share, latency_ms in WIFI_QUANTILES_MS:
        assert np.quantile(latencies_ms, share) == pytest.approx(latency_ms, rel=0.1)
    assert (latencies_ms.min(), latencies_ms.max()) >= (1.0, 1.0)
    assert latencies_ms.max() <= 400.0


def test_bad_moments_of_wifi_last_as_long_as_assumed() -> None:
    trace = made("wifi", talk(900, 1))
    sent_s = (np.arange(trace.material.frames) + 1) * FRAME_S
    # A held frame holds those behind it. Only frames that nobody held tell their own latency.
    free = np.diff(trace.arrivals_s, prepend=-1.0) > 0
    own = np.log((trace.arrivals_s - sent_s)[free])
    assert np.median((trace.arrivals_s - sent_s) * 1000) > 3.0, "order makes it worse than the air alone"
    following = np.flatnonzero(np.diff(np.flatnonzero(free)) == 1)
    correlation = np.corrcoef(own[following], own[following + 1])[0, 1]
    assert correlation == pytest.approx(np.exp(-FRAME_S / WIFI_MEMORY_S), abs=0.1)


def test_a_stall_is_two_seconds_of_nothing_and_then_everything() -> None:
    trace = made("stall")
    assert len(trace.stalls_end_s) == 2
    for end_s in trace.stalls_end_s:
        gap = np.flatnonzero(np.abs(trace.arrivals_s - end_s) < 1e-9)
        assert len(gap) * FRAME_S == pytest.approx(STALL_S, abs=FRAME_S)
        assert trace.arrivals_s[gap[0] - 1] <= end_s - STALL_S
        middle = (end_s - STALL_S / 2) * RATE
        assert any(span.start < middle < span.stop for span in MATERIAL.spans)
    late = trace.arrivals_s - trace.earliest_s
    assert np.sum(late > 0) <= 2 * (STALL_S / FRAME_S + 1)


@pytest.mark.parametrize(("name", "ppm"), [("steady", 0.0), ("fast", 200.0), ("slow", -200.0)])
def test_the_servers_clock(name: str, ppm: float) -> None:
    period_s = np.polyfit(np.arange(MATERIAL.frames), made(name).arrivals_s, 1)[0]
    assert (FRAME_S / period_s - 1) * 1e6 == pytest.approx(ppm, abs=0.1)


def test_a_server_that_pauses_counts_no_samples_meanwhile() -> None:
    trace = made("pauses")
    gaps_s = np.diff(trace.arrivals_s)
    assert np.sum(gaps_s > 2 * FRAME_S) == len(MATERIAL.spans) - 1
    assert np.median(gaps_s) == pytest.approx(FRAME_S)
    for before, after in zip(MATERIAL.spans, trace.material.spans, strict=True):
        said = MATERIAL.pcm[before.start : before.stop]
        assert np.array_equal(trace.material.pcm[after.start : after.stop], said)
        # Each sample comes when it did before, a frame later at most.
        assert trace.earliest_of(np.array([after.start]))[0] == pytest.approx(before.start / RATE + FRAME_S, abs=1e-9)
    spoken = sum(span.stop - span.start for span in MATERIAL.spans) / RATE
    most = spoken + len(MATERIAL.spans) * (LEAD_S + TAIL_S + 2 * FRAME_S)
    assert spoken < trace.material.frames * FRAME_S < most


def test_bursts_come_four_at_a_time_when_the_last_is_complete() -> None:
    trace = made("bursts")
    whole = trace.material.frames // 4 * 4
    arrivals = trace.arrivals_s[:whole].reshape(-1, 4)
    assert np.all(arrivals == arrivals[:, :1])
    assert np.diff(arrivals[:, 0]) == pytest.approx(4 * FRAME_S)
    assert arrivals[0, 0] == pytest.approx(4 * FRAME_S)


def test_a_sample_is_due_by_its_place_in_its_frame() -> None:
    trace = made("steady")
    due_s = trace.earliest_of(np.array([0, 80, 160, 161]))
    assert due_s == pytest.approx([0.02, 0.03, 0.04, 0.04 + 1 / RATE])
