"""A performance in simulated time is what the player did, and the verdict says so; a small bench ends with its JSON."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.bench.arrivals import TRACES, Trace
from tests.bench.audio import Job, Result, add_figures, beaten, jobs, make_trace
from tests.bench.judging import Verdict, judge
from tests.bench.material import talk
from tests.bench.players import PLAYERS
from tests.bench.playing import Counts, Performance, SimulatedSink, play
from tests.rig.align import align_each
from tests.rig.figures import Figures
from tests.rig.wav import RATE

ROOT = Path(__file__).parents[2]
MATERIAL = talk(30, 2)
DEVICE_MS = 30.0  # what is left of the 50 ms it is kept at when the next frame of 20 ms comes


def trace_of(name: str) -> Trace:
    return TRACES[name](MATERIAL, np.random.default_rng(3))


def judged(player: str, trace: Trace) -> tuple[Performance, Verdict]:
    performance = play(PLAYERS[player], trace)
    return performance, judge(performance, trace)


def verdict(pesq: float, delay_ms: float, clicks: int = 0) -> Verdict:
    counts = Counts(0, 0.0, 0.0, 0, 0)
    return Verdict((pesq,), delay_ms, delay_ms, DEVICE_MS, (1.0,) * clicks, counts, 0, 0.0)


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


def test_better_but_later_is_not_beaten() -> None:
    ours = verdict(4.0, 100)
    assert beaten(ours, verdict(4.1, 100))
    assert beaten(ours, verdict(4.1, 90))
    assert not beaten(ours, verdict(4.1, 101))
    assert not beaten(ours, verdict(4.004, 90)), "no difference that anybody hears"


def test_what_is_promised_of_ours_is_in_the_figures() -> None:
    job = Job("steady", "ours", 60.0, None, None)
    results = [
        Result(job, 1, verdict(4.1, 100, clicks=1)),
        Result(dataclasses.replace(job, player="vendor"), 1, verdict(4.2, 90)),
        Result(dataclasses.replace(job, player="fixed"), 1, verdict(4.5, 200, clicks=5)),
    ]
    figures = Figures()
    add_figures(figures, results)
    missed = {name for name, bound in figures.bounds.items() if not bound.met}
    assert missed == {"steady_ours_pesq_mean", "steady_ours_clicks", "steady_beaten_by_vendor"}
    assert figures.bounds["steady_beaten_by_fixed"].met


def test_every_trace_meets_every_player_and_quick_is_quick() -> None:
    todo = jobs(list(TRACES), False, None)
    assert {(job.trace, job.player) for job in todo} == {(trace, player) for trace in TRACES for player in PLAYERS}
    assert sorted({job.seconds for job in todo if job.trace in ("fast", "slow")}) == [3600.0]
    assert max(job.seconds for job in jobs(list(TRACES), True, None)) == 300.0
    assert np.array_equal(make_trace("wifi", 20).arrivals_s, make_trace("wifi", 20).arrivals_s)


def test_a_small_bench_ends_with_its_figures(tmp_path: Path) -> None:
    options = ["--quick", "--trace", "bursts", "--json", tmp_path / "out.json", "--wav", tmp_path / "wav"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "audio", *map(str, options)], cwd=ROOT, capture_output=True, text=True
    )
    written = json.loads((tmp_path / "out.json").read_text())
    assert done.returncode == (0 if all(bound["met"] for bound in written["bounds"].values()) else 1), done.stderr
    assert set(written["bounds"]) == {"bursts_ours_clicks", "bursts_beaten_by_vendor", "bursts_beaten_by_fixed"}
    for player in PLAYERS:
        assert 1.0 <= written["figures"][f"bursts_{player}_pesq_min"] <= 4.6
        assert (tmp_path / "wav" / f"bursts-{player}.wav").stat().st_size > 100 * 2 * RATE
    assert "vendor" in done.stdout


@pytest.mark.parametrize("words", [[], ["tea"], ["audio", "--trace", "sunny"], ["audio", "--trace", "wifi", "--cost"]])
def test_what_is_not_there_is_refused(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "tests.bench", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "bench" in done.stderr
