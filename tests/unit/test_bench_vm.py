"""What the rounds in the virtual machine are made into: medians of each contender, a ratio, and xruns in all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.bench.vm import THREADS, add_figures, of_round
from tests.bench.vm_rounds import FLOOR, OURS, Recorded, Round
from tests.rig.figures import Figures
from tests.rig.vm.device import Task, Tasks
from tests.rig.vm.judge import Times

FROM_S, UNTIL_S = 100.0, 110.0


def a_round(contender: str, cpu_s: float = 0.1, late_s: float = 0.0) -> Round:
    """Ten seconds; each thread uses `cpu_s` and sleeps 500 times, and every second frame comes so much late."""
    threads = range(7, 7 + len(THREADS[contender]))
    before = Tasks(FROM_S, dict.fromkeys(threads, Task(1.0, 10, 1)))
    after = Tasks(UNTIL_S, dict.fromkeys(threads, Task(1.0 + cpu_s, 510, 21)))
    arrivals_s: Times = FROM_S - 5.0 + 0.02 * np.arange(800, dtype=np.float64)
    arrivals_s[::2] += late_s
    return Round(contender, before, after, arrivals_s, 500, 1.5 if contender == FLOOR else 30.0)


def test_a_round_is_all_threads_over_its_time() -> None:
    told = of_round(a_round(FLOOR, cpu_s=0.1, late_s=0.003))
    assert told["cpu_ms_per_s"] == pytest.approx(20.0)
    assert told["wakeups_per_s"] == pytest.approx(100.0)
    assert told["interruptions_per_s"] == pytest.approx(4.0)
    assert told["gap_error_p50_ms"] == pytest.approx(3.0)
    assert told["up_frames_per_s"] == pytest.approx(50.0, abs=0.2)
    assert told["sender_cpu_ms_per_s"] == pytest.approx(10.0)


def test_a_thread_that_came_in_between_does_not_count() -> None:
    one = a_round(FLOOR)
    later = replace(one.after, threads={**one.after.threads, 99: Task(5.0, 1, 1)})
    assert of_round(replace(one, after=later)) == of_round(one)


def test_figures_are_medians_and_the_ratio_is_that_of_neighbours() -> None:
    floors = [a_round(FLOOR, cpu_s) for cpu_s in (0.1, 0.2, 0.1)]
    ours = [a_round(OURS, cpu_s) for cpu_s in (0.2, 0.4, 0.4)]
    for number, each in enumerate(ours):
        each.capture_xruns, each.playback_underruns = number, 1
        each.started_s = float(each.arrivals_s[0]) - 4.0 - number
    figures = Figures()
    add_figures(figures, Recorded([*floors, *ours], 2, 0.5))
    assert figures.values["vm_floor_cpu_ms_per_s"] == pytest.approx(20.0)
    assert figures.values["vm_ours_cpu_ms_per_s"] == pytest.approx(200.0)
    assert figures.values["vm_round_2_ours_cpu_ms_per_s"] == pytest.approx(200.0)
    assert figures.values["vm_cpu_ratio"] == pytest.approx(5.0)
    assert figures.values["vm_capture_xruns"] == 3
    assert figures.values["vm_playback_underruns"] == 3
    assert figures.values["vm_guest_xruns"] == 2
    assert figures.values["vm_start_to_first_frame_s"] == pytest.approx(5.0)
    assert figures.met


def test_a_contender_that_does_not_stream_misses_its_bound() -> None:
    mute = a_round(OURS)
    mute.arrivals_s = mute.arrivals_s[::2]
    mute.started_s = FROM_S - 9.0
    figures = Figures()
    add_figures(figures, Recorded([a_round(FLOOR), mute], 0, 0.0))
    assert not figures.bounds["vm_ours_up_frames_per_s"].met
