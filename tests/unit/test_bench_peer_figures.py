"""What is measured of a contender, and what is made of it: threads told apart, latency, period, ratios, bounds."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from tests.bench.installed import REPO
from tests.bench.peers import peer_figures
from tests.bench.peers.command import rotated
from tests.bench.peers.contenders import PLAIN, TLS
from tests.bench.peers.measuring import LongRun, Sample, latencies_ms, period_ms, silent
from tests.bench.peers.peer_figures import Results
from tests.bench.peers.usage import Look, peak_rss_mib
from tests.standin.records import KeptFrames

_FLOOR = Sample(
    cpu_ms_per_s=5.0,
    own_cpu_ms_per_s=5.0,
    rss_mib=2.0,
    wakeups_per_s=100.0,
    up_per_s=50.0,
    down_per_s=50.0,
    unheard_frames=0,
    strange_frames=0,
    silent_frames=0,
    gap_errors_ms=np.linspace(0.0, 0.1, 101),
    latency_ms=np.zeros(0),
)
_PEER = dataclasses.replace(_FLOOR, cpu_ms_per_s=30.0, own_cpu_ms_per_s=30.0, rss_mib=60.0)
_OURS = dataclasses.replace(
    _FLOOR, cpu_ms_per_s=9.0, own_cpu_ms_per_s=9.0, rss_mib=20.0, latency_ms=np.linspace(1.0, 3.0, 101)
)
_ALSA = dataclasses.replace(_OURS, cpu_ms_per_s=20.0, own_cpu_ms_per_s=12.0, latency_ms=np.zeros(0))
_LONG = {name: LongRun(20.0, 2.0) for name in ("floor", "node", "threads", "ours")}


def _results(ours: Sample = _OURS, alsa: Sample = _ALSA, period_ms: float = 20.0, rounds: int = 3) -> Results:
    of = {"floor": _FLOOR, "node": _PEER, "asyncio": _PEER, "threads": _PEER, "ours": ours, "ours_alsa": alsa}
    plain = {name: [of[name]] * rounds for name in PLAIN}
    tls = {name: [of[name]] * rounds for name in TLS}
    return Results(plain, tls, {**_LONG, "ours": LongRun(period_ms, 21.0)})


def _missed(results: Results) -> set[str]:
    return {name for name, bound in peer_figures.of(results).bounds.items() if not bound.met}


def test_what_is_promised_is_met_by_who_keeps_it() -> None:
    figures = peer_figures.of(_results())
    assert figures.met
    assert figures.values["ours_cpu_to_floor"] == pytest.approx(1.8)
    assert figures.values["ours_cpu_to_floor_by_round"] == pytest.approx(1.8)
    assert figures.values["ours_alsa_plugin_cpu_ms_per_s"] == pytest.approx(8.0)
    assert figures.values["round_3_tls_node_rss_mib"] == 60.0
    assert figures.values["ours_long_rss_mib"] == 21.0


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"cpu_ms_per_s": 10.1}, {"ours_cpu_to_floor"}),
        ({"cpu_ms_per_s": 12.1}, {"ours_cpu_to_floor", "ours_cpu_to_node"}),
        (
            {"cpu_ms_per_s": 15.1},
            {"ours_cpu_to_floor", "ours_cpu_to_node", "tls_ours_cpu_to_node"},
        ),
        ({"rss_mib": 21.1}, {"ours_rss_to_node", "tls_ours_rss_to_node"}),
        (
            {"rss_mib": 62.1},
            {f"{tls}ours_rss_{than}" for tls in ("", "tls_") for than in ("to_node", "over_threads_mib")},
        ),
        (
            {"gap_errors_ms": np.full(100, 0.151)},
            {"ours_gap_error_p50_over_floor_ms", "ours_gap_error_p99_to_floor"},
        ),
        ({"latency_ms": np.linspace(4.0, 15.0, 101)}, {"ours_latency_p50_ms", "tls_ours_latency_p50_ms"}),
        ({"up_per_s": 48.9}, {"ours_up_per_s", "tls_ours_up_per_s"}),
        ({"down_per_s": 51.1}, {"all_most_down_per_s"}),
        ({"down_per_s": 48.9}, {"all_least_down_per_s"}),
        ({"unheard_frames": 6}, {"all_most_unheard_frames"}),
        ({"strange_frames": 1}, {"all_strange_frames"}),
        ({"silent_frames": 6}, {"all_most_silent_frames"}),
    ],
)
def test_whoever_does_not_keep_it_misses_it(change: dict[str, float], missed: set[str]) -> None:
    assert _missed(_results(ours=dataclasses.replace(_OURS, **change))) == missed  # type: ignore[arg-type]  # mixed fields


def test_a_frame_that_was_never_read_misses_the_bound_of_the_latency() -> None:
    lost = dataclasses.replace(_OURS, latency_ms=np.array([1.0, np.nan]))
    assert "ours_latency_p50_ms" in _missed(_results(ours=lost))


def test_a_microphone_that_is_dead_misses_it() -> None:
    assert _missed(_results(alsa=dataclasses.replace(_ALSA, silent_frames=500))) == {"all_most_silent_frames"}


def test_a_frame_is_silent_that_holds_not_even_the_faintest_noise() -> None:
    noise = np.random.default_rng(1).integers(-2, 3, 160).astype("<i2")
    frames = [bytes(320), noise.tobytes(), np.full(160, 7000, "<i2").tobytes(), b"", bytes(318) + b"\x01\x00"]
    sizes_bytes = np.array([len(frame) for frame in frames], np.uint32)
    received = KeptFrames(np.zeros(len(frames)), sizes_bytes, b"".join(frames))
    assert silent(received).tolist() == [True, False, False, True, True]


def test_the_sound_systems_threads_count_apart() -> None:
    assert _missed(_results(alsa=dataclasses.replace(_ALSA, cpu_ms_per_s=90.0))) == set()
    missed = _missed(_results(alsa=dataclasses.replace(_ALSA, own_cpu_ms_per_s=30.1)))
    assert missed == {"ours_alsa_own_cpu_to_floor", "ours_alsa_own_cpu_to_node"}


def test_a_period_that_is_off_either_way_misses_it() -> None:
    for off_ms in (0.0005, -0.0005):
        assert _missed(_results(period_ms=20.0 + off_ms)) == {"ours_period_off_ppm"}


def test_quick_figures_say_so_and_promise_nothing() -> None:
    figures = peer_figures.quick(_results(ours=_PEER))
    assert not figures.bounds
    assert all(name.startswith("quick_") for name in figures.values)


def test_latency_is_from_the_last_read_before_the_arrival() -> None:
    reads_s = np.linspace(0.0, 0.1, 6)  # an audio of three frames, twice
    found = latencies_ms(np.array([0, 2, 0, -1]), np.array([0.005, 0.041, 0.061, 0.07]), reads_s, 3)
    assert found[:3] == pytest.approx([5.0, 1.0, 1.0])
    assert np.isnan(found[3])


def test_the_period_is_the_slope() -> None:
    stamps_s = 1e9 + np.arange(1000) * 0.0203 + np.tile([0.0, 0.001], 500)
    assert period_ms(stamps_s) == pytest.approx(20.3, abs=1e-3)


def test_every_round_begins_with_another() -> None:
    assert [list(rotated("abc", number)) for number in range(4)] == [list("abc"), list("bca"), list("cab"), list("abc")]


def test_a_process_is_looked_at_by_thread() -> None:
    go, worked, over = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        go.wait()
        while time.thread_time() < 0.05:
            pass
        worked.set()
        over.wait()

    thread = threading.Thread(target=work)
    thread.start()
    before = Look(os.getpid())
    go.set()
    worked.wait()
    used = Look(os.getpid()).since(before)
    over.set()
    thread.join()
    most = max(used.threads, key=lambda thread: thread.cpu_s)
    assert 0.04 < most.cpu_s <= used.seconds
    assert used.cpu_ms_per_s(lambda thread: thread is most) == pytest.approx(most.cpu_s * 1000 / used.seconds)
    assert used.cpu_ms_per_s(lambda thread: thread is not most) < used.cpu_ms_per_s()
    assert used.switches_per_s() > 0
    assert peak_rss_mib(os.getpid()) > 1.0


@pytest.mark.parametrize("words", [["--rounds", "0"], ["peers", "--rounds", "few"], ["--seconds", "tea"]])
def test_options_without_a_command_are_those_of_the_peers(words: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", "tests.bench", *words], cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 2
    assert "bench peers" in done.stderr
