"""What is promised of our player is held against what was measured; a small bench ends with its JSON."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.bench.audio import Job, Result, jobs
from tests.bench.judging import Verdict
from tests.bench.players import PLAYERS
from tests.bench.playing import Counts
from tests.bench.promises import add_figures, beaten, named_quick
from tests.bench.traces import TRACES, description, make_trace
from tests.rig.figures import Figures
from tests.rig.wav import RATE

ROOT = Path(__file__).parents[2]
NO_COUNTS = Counts(0, 0.0, 0.0, 0, 0)
GOOD = Verdict(
    pesq=(4.5,),
    delay_mean_ms=50.0,
    delay_p95_ms=50.0,
    device_mean_ms=30.0,
    clicks_s=(),
    counts=NO_COUNTS,
    device_underruns=0,
    speech_lost_ms=0.0,
    target_at_end_ms=40.0,
    recovery_s=0.0,
)


def verdict(pesq: float, delay_ms: float) -> Verdict:
    return dataclasses.replace(GOOD, pesq=(pesq,), delay_mean_ms=delay_ms)


def measured(trace: str, ours: Verdict, vendor: Verdict, fixed: Verdict) -> Figures:
    job = Job(trace, "ours", 60.0, None, None)
    verdicts = {"ours": ours, "vendor": vendor, "fixed": fixed}
    figures = Figures()
    results = [Result(dataclasses.replace(job, player=player), 1, of) for player, of in verdicts.items()]
    add_figures(figures, results)
    return figures


def missed(figures: Figures) -> set[str]:
    return {name for name, bound in figures.bounds.items() if not bound.met}


def test_better_but_later_is_not_beaten() -> None:
    ours = verdict(4.0, 100)
    assert beaten(ours, verdict(4.1, 100))
    assert beaten(ours, verdict(4.1, 90))
    assert not beaten(ours, verdict(4.1, 101))
    assert not beaten(ours, verdict(4.0, 90)), "it sounds the same"
    assert beaten(ours, verdict(4.001, 90)), "a hair is more, too"


def test_what_is_promised_of_ours_is_in_the_figures() -> None:
    clicking = dataclasses.replace(verdict(4.1, 100), clicks_s=(1.0,))
    figures = measured(
        "steady", clicking, verdict(4.2, 90), dataclasses.replace(verdict(4.5, 200), clicks_s=(1.0,) * 5)
    )
    assert missed(figures) == {"steady_ours_pesq_mean", "steady_ours_clicks", "steady_beaten_by_vendor"}
    assert figures.bounds["steady_beaten_by_fixed"].met


def test_of_music_it_is_dryness_clicks_and_delay_that_count() -> None:
    figures = measured("music", verdict(float("nan"), 100), verdict(float("nan"), 100), verdict(float("nan"), 90))
    bounds = {"music_ours_clicks", "music_ours_underruns", "music_later_than_vendor", "music_later_than_fixed"}
    assert set(figures.bounds) == bounds
    assert missed(figures) == {"music_later_than_fixed"}
    assert not any("pesq" in name for name in figures.values)
    dry = dataclasses.replace(GOOD, counts=dataclasses.replace(NO_COUNTS, underruns=1), clicks_s=(1.0,))
    assert missed(measured("music", dry, GOOD, GOOD)) == {"music_ours_clicks", "music_ours_underruns"}


def test_of_late_heads_no_speech_may_be_lost() -> None:
    swallowed = dataclasses.replace(GOOD, speech_lost_ms=10.0)
    assert missed(measured("late-heads", swallowed, swallowed, swallowed)) == {"late_heads_ours_speech_lost_ms"}
    assert missed(measured("late-heads", verdict(4.4, 50), GOOD, GOOD)) == {
        "late_heads_beaten_by_vendor",
        "late_heads_beaten_by_fixed",
    }


def test_long_stalls_are_only_compared() -> None:
    spoilt = dataclasses.replace(GOOD, clicks_s=(1.0,), counts=Counts(9, 900.0, 900.0, 0, 0), speech_lost_ms=500.0)
    figures = measured("long-stalls", spoilt, verdict(4.6, 50), GOOD)
    assert set(figures.bounds) == {"long_stalls_beaten_by_vendor", "long_stalls_beaten_by_fixed"}
    assert missed(figures) == {"long_stalls_beaten_by_vendor"}


def test_a_busy_machine_may_not_raise_the_target() -> None:
    figures = measured("busy", dataclasses.replace(GOOD, target_at_end_ms=80.5), GOOD, GOOD)
    assert set(figures.bounds) == missed(figures) == {"busy_ours_target_at_end_ms"}


def test_quick_figures_have_names_of_their_own() -> None:
    full = Figures()
    full.add("wifi_ours_pesq_mean", 4.1, min=4.2)
    full.add("wifi_ours_pesq_min", 3.9)
    quick = named_quick(full)
    assert quick.values == {"quick_wifi_ours_pesq_mean": 4.1, "quick_wifi_ours_pesq_min": 3.9}
    assert missed(quick) == set(quick.bounds) == {"quick_wifi_ours_pesq_mean"}


def test_every_trace_meets_every_player_and_quick_is_quick() -> None:
    todo = jobs(list(TRACES), False, None)
    assert {(job.trace, job.player) for job in todo} == {(trace, player) for trace in TRACES for player in PLAYERS}
    assert sorted({job.seconds for job in todo if job.trace in ("fast", "slow")}) == [3600.0]
    assert max(job.seconds for job in jobs(list(TRACES), True, None)) == 300.0
    assert np.array_equal(make_trace("wifi", 20).arrivals_s, make_trace("wifi", 20).arrivals_s)
    assert all(description(trace) for trace in TRACES)


def test_a_small_bench_ends_with_its_figures(tmp_path: Path) -> None:
    options = ["--quick", "--trace", "bursts", "--json", tmp_path / "out.json", "--wav", tmp_path / "wav"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "audio", *map(str, options)], cwd=ROOT, capture_output=True, text=True
    )
    written = json.loads((tmp_path / "out.json").read_text())
    assert done.returncode == (0 if all(bound["met"] for bound in written["bounds"].values()) else 1), done.stderr
    bounds = {"quick_bursts_ours_clicks", "quick_bursts_beaten_by_vendor", "quick_bursts_beaten_by_fixed"}
    assert set(written["bounds"]) == bounds
    for player in PLAYERS:
        assert 1.0 <= written["figures"][f"quick_bursts_{player}_pesq_min"] <= 4.6
        assert (tmp_path / "wav" / f"bursts-{player}.wav").stat().st_size > 100 * 2 * RATE
    assert "vendor" in done.stdout


@pytest.mark.parametrize(
    "words", [["--tea"], ["tea"], ["audio", "--trace", "sunny"], ["audio", "--trace", "wifi", "--cost"]]
)
def test_what_is_not_there_is_refused(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "tests.bench", *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "bench" in done.stderr
