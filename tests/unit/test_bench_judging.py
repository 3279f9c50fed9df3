"""A performance in simulated time is what the player did, and the verdict says so."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from tests.bench.arrivals import Oversleeping, Trace
from tests.bench.judging import Verdict, judge, speech_lost_ms
from tests.bench.material import talk
from tests.bench.players import PLAYERS
from tests.bench.playing import Counts, Performance, SimulatedSink, play
from tests.bench.traces import TRACES
from tests.bench.tracing import runs
from tests.rig.align import align_each
from tests.rig.wav import RATE

MATERIAL = talk(30, 2)
DEVICE_MS = 30.0  # what is left of the 50 ms it is kept at when the next frame of 20 ms comes


def trace_of(name: str) -> Trace:
    return TRACES[name].arrive(MATERIAL, np.random.default_rng(3))


def judged(player: str, trace: Trace) -> tuple[Performance, Verdict]:
    performance = play(PLAYERS[player], trace)
    return performance, judge(performance, trace)


def test_the_simulated_loudspeaker_keeps_time() -> None:
    sink = SimulatedSink()
    assert sink.queued() == 0
    sink.now_s = 0.5
    assert sink.write(b"\x01\x00" * 400) == 400
    assert sink.queued() == 400
    sink.now_s = 0.54
    assert sink.queued() == 80
    assert sink.write(b"\x02\x00" * 4000) == 3200 - 80, "its buffer is full"
    sink.now_s = 1.0
    assert (sink.queued(), sink.underruns) == (0, 0)
    sink.write(b"\x03\x00")
    assert sink.underruns == 1
    played = sink.played()
    assert played[3999:4001].tolist() == [0, 1]
    assert played[4400] == 2
    assert played[-2:].tolist() == [0, 3]
    assert len(played) == RATE + 1


@pytest.mark.parametrize(("player", "waits_ms"), [("vendor", 120), ("fixed", 200)])
def test_on_a_steady_network_nothing_is_spoilt_and_the_delay_is_what_it_waits_for(player: str, waits_ms: float) -> None:
    _, found = judged(player, trace_of("steady"))
    assert found.pesq_min > 4.5
    assert found.clicks_s == ()
    assert found.counts == Counts(0, 0.0, 0.0, 0, 0)
    assert (found.device_underruns, found.recovery_s) == (0, 0.0)
    assert found.device_mean_ms == pytest.approx(DEVICE_MS, abs=2)
    # The frame that fills it is 20 ms of that itself.
    assert found.delay_mean_ms == pytest.approx(waits_ms - 20 + DEVICE_MS, abs=1)
    assert found.delay_p95_ms == pytest.approx(found.delay_mean_ms, abs=1)


@pytest.mark.parametrize("player", PLAYERS)
@pytest.mark.parametrize("name", ["steady", "bursts"])
def test_the_delay_is_the_one_that_is_heard(player: str, name: str) -> None:
    trace = trace_of(name)
    performance, found = judged(player, trace)
    heard = align_each(performance.played, MATERIAL.pcm, MATERIAL.spans, about_s=0.15)
    # A sample is due once its frame is complete.
    late_ms = [(alignment.lag_s - 0.02) * 1000 for alignment in heard]
    assert np.mean(late_ms) == pytest.approx(found.delay_mean_ms, abs=8)


def test_a_stall_is_heard_and_what_has_no_bound_never_recovers() -> None:
    _, vendors = judged("vendor", trace_of("stall"))
    assert vendors.counts.underruns == 1
    assert vendors.counts.concealed_ms == pytest.approx(1900, abs=100)
    assert vendors.delay_p95_ms > 1900
    assert vendors.recovery_s == math.inf
    assert vendors.pesq_min < 4.0


def test_silence_amid_speech_clicks_and_costs() -> None:
    trace = trace_of("steady")
    performance = play(PLAYERS["vendor"], trace)
    played = performance.played.copy()
    span = MATERIAL.spans[1]
    at = span.start + 2 * RATE
    at += int(np.argmax(np.abs(played[at : at + 400])))
    played[at : at + 800] = 0
    found = judge(dataclasses.replace(performance, played=played), trace)
    assert any(at / RATE - 0.001 < click_s < at / RATE + 0.101 for click_s in found.clicks_s)
    assert len(found.clicks_s) <= 2
    assert np.argmin(found.pesq) == 1
    assert found.pesq_min < 4.4


def test_speech_that_is_left_out_is_lost_and_a_pause_or_a_period_is_not() -> None:
    clean, span = MATERIAL.pcm, MATERIAL.spans[1]
    loud = span.start + int(np.argmax(np.abs(clean[span.start : span.stop])))

    def lost_ms(start: int, stop: int) -> float:
        return speech_lost_ms(runs(np.delete(clean, slice(start, stop)), clean), MATERIAL)

    assert lost_ms(0, 0) == 0
    assert lost_ms(loud - 400, loud + 400) == pytest.approx(100, abs=20)
    assert lost_ms(loud - 64, loud + 64) == 0, "a pitch period that was taken out"
    assert lost_ms(span.stop + 800, span.stop + 4000) == 0, "nobody spoke"
    assert speech_lost_ms([], MATERIAL) > 0.5 * sum(span.stop - span.start for span in MATERIAL.spans) / RATE * 1000


def test_a_machine_that_oversleeps_lets_its_loudspeaker_run_dry() -> None:
    punctual = trace_of("steady")
    late = dataclasses.replace(punctual, oversleeping=Oversleeping(0.01, 0.08, 0.12, seed=4))
    performance, found = judged("vendor", late)
    assert found.device_underruns > 3
    assert found.counts.underruns == 0, "the network did not let it down"
    assert np.array_equal(performance.played, play(PLAYERS["vendor"], late).played), "the same every time"


def test_without_an_utterance_there_is_no_pesq() -> None:
    silent = dataclasses.replace(trace_of("steady"), material=dataclasses.replace(MATERIAL, spans=()))
    _, found = judged("fixed", silent)
    assert math.isnan(found.pesq_mean)
    assert math.isnan(found.pesq_min)
    assert (found.speech_lost_ms, found.target_at_end_ms) == (0.0, 200.0)
