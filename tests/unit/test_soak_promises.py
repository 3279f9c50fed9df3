"""The bounds of a soak are missed where they should be, on records that somebody made up."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.rig.figures import Figures
from tests.rig.resources import Resources
from tests.soak.promises import judge, kinds
from tests.soak.records import CallMedia, Evidence, Outage, Strike

HELD = Resources(("ingestd", "sender"), ("/dev/null", "socket"), 1 << 20)


def spoken(begin_s: float, end_s: float) -> CallMedia:
    """A session whose every frame came in time."""
    numbers = np.arange(round(begin_s * 50), round(end_s * 50)) + 1
    return CallMedia(begin_s - 0.1, numbers / 50, numbers)


def good() -> Evidence:
    """Ten minutes with a reset after five, and nothing to complain of."""
    return Evidence(
        begin_s=0.0,
        end_s=600.0,
        strikes=[Strike("tcp_reset", 300.0, 300.0, 300.4, 600.0)],
        calls=[spoken(0.0, 300.0), spoken(300.4, 600.0)],
        memory=[(float(at_s), 10 << 20) for at_s in range(600)],
        before=HELD,
        after=HELD,
        outage=Outage(120.0, 20.0, 500, 100),
        log="2026-01-01 00:00:00,000 INFO    streaming: connected\n",
        tokens=["head.payloadpayloadpayload.signaturesignature"],
        stop_s=0.2,
        exit_status=0,
    )


def missed(figures: Figures) -> set[str]:
    return {name for name, bound in figures.bounds.items() if not bound.met}


def test_nothing_to_complain_of() -> None:
    figures = judge(good())
    assert missed(figures) == set()
    assert figures.values["soak_availability_percent"] == 100.0
    assert figures.values["soak_tcp_reset_recovery_p95_s"] == pytest.approx(0.4)
    assert figures.values["soak_tcp_reset_sessions_per_fault"] == 1.0
    assert figures.values["soak_journal_bytes_a_day"] == 86400.0


def _slow(evidence: Evidence) -> None:
    evidence.strikes[0].recovered_s = 301.1


def _never(evidence: Evidence) -> None:
    evidence.strikes[0].recovered_s = math.inf


def _more_threads(evidence: Evidence) -> None:
    evidence.after = replace(HELD, threads=(*HELD.threads, "attempt"))


def _more_descriptors(evidence: Evidence) -> None:
    evidence.after = replace(HELD, descriptors=(*HELD.descriptors, "socket"))


def _grows(evidence: Evidence) -> None:
    evidence.memory = [(float(at_s), (10 << 20) + 4096 * at_s) for at_s in range(600)]


def _leaks(evidence: Evidence) -> None:
    evidence.shown.append('{"reason": "wss://room/videosdk?ref=vs_0123456789abcdef0123"}')


def _talks(evidence: Evidence) -> None:
    evidence.outage = Outage(120.0, 20.0, 500, 2000)


def _tears(evidence: Evidence) -> None:
    evidence.calls[0].numbers[7] = -1


def _doubles(evidence: Evidence) -> None:
    evidence.calls[1].numbers[0] = evidence.calls[0].numbers[-1]


def _breaks(evidence: Evidence) -> None:
    evidence.log += "2026-01-01 00:00:00,000 CRITICAL an attempt failed by KeyError; please report this\n"


def _lingers(evidence: Evidence) -> None:
    evidence.stop_s = 3.0


def _dies(evidence: Evidence) -> None:
    evidence.exit_status = 70


def _new_call_for_a_microphone(evidence: Evidence) -> None:
    evidence.strikes[0].kind = "microphone"


@pytest.mark.parametrize(
    ("spoil", "bounds"),
    [
        (_slow, {"soak_tcp_reset_recovery_p95_s"}),
        (_never, {"soak_tcp_reset_recovery_p95_s", "soak_not_recovered"}),
        (_more_threads, {"soak_threads_more"}),
        (_more_descriptors, {"soak_descriptors_more"}),
        (_grows, {"soak_memory_growth_kib"}),
        (_leaks, {"soak_secrets_seen"}),
        (_talks, {"soak_journal_bytes_a_day"}),
        (_tears, {"soak_torn_frames"}),
        (_doubles, {"soak_doubled_frames"}),
        (_breaks, {"soak_bugs_logged"}),
        (_lingers, {"soak_stop_s"}),
        (_dies, {"soak_exit_status"}),
        (_new_call_for_a_microphone, {"soak_microphone_sessions_per_fault"}),
    ],
)
def test_each_bound_is_missed_by_what_it_is_there_for(spoil: Callable[[Evidence], None], bounds: set[str]) -> None:
    evidence = good()
    spoil(evidence)
    assert missed(judge(evidence)) == bounds


def test_a_short_run_is_not_judged_by_its_memory() -> None:
    evidence = replace(good(), end_s=300.0)
    _grows(evidence)
    figures = judge(evidence)
    assert figures.values["soak_memory_growth_kib"] > 0
    assert "soak_memory_growth_kib" not in figures.bounds


def test_a_run_in_which_nothing_was_measured_is_not_passed() -> None:
    empty = judge(Evidence(end_s=60.0))
    assert {"soak_faults", "soak_frames", "soak_descriptors_more", "soak_exit_status"} <= missed(empty)


def test_each_kind_answers_for_the_time_until_the_next_fault() -> None:
    strikes = [Strike("stall", 100.0, 105.0, 110.0, 200.0), Strike("tcp_reset", 200.0, 200.0, 200.4, 300.0)]
    calls = [spoken(0.0, 100.0), spoken(110.0, 200.0), spoken(200.4, 300.0)]
    stall, reset = kinds(replace(good(), end_s=300.0, strikes=strikes, calls=calls))
    assert (stall.name, stall.faults, stall.sessions) == ("stall", 1, 1.0)
    assert stall.max_s == 5.0
    assert stall.availability_percent == pytest.approx(90.0, abs=0.1)
    assert (reset.name, reset.availability_percent) == ("tcp_reset", 100.0)
