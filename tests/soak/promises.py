"""The figures of a soak, and which of them are promised."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from tests.rig.figures import Figures
from tests.rig.resources import Resources
from tests.soak import judging
from tests.soak.records import Evidence, Strike

LONGEST_RECOVERY_P95_S: Final = {"tcp_reset": 1.0, "cable_at_device": 2.0, "microphone": 2.0, "speaker": 2.0}
NO_NEW_SESSION: Final = ("microphone", "speaker", "garbage")
"""What costs no call."""
MOST_GROWTH_KIB: Final = 1024.0
LATE_S: Final = 1.0
"""What is heard so much later than said is of no use; stalls and black holes on the way make it so, not the device."""
LEAST_FOR_GROWTH_S: Final = 8 * 60.0
MOST_JOURNAL_BYTES_A_DAY: Final = 1 << 20
LONGEST_STOP_S: Final = 2.0
_DAY_S: Final = 86400.0


@dataclass(frozen=True)
class OfKind:
    """What all faults of one kind come to."""

    name: str
    faults: int
    p50_s: float
    p95_s: float
    max_s: float
    availability_percent: float
    """Of the time from each of them to the next fault."""
    sessions: float
    """Made per fault."""


def kinds(evidence: Evidence) -> list[OfKind]:
    """One for each kind that struck, by name."""
    arrivals = _arrivals(evidence)
    created = [call.created_s for call in evidence.calls]
    by_name: dict[str, list[Strike]] = {}
    for strike in evidence.strikes:
        by_name.setdefault(strike.kind, []).append(strike)
    return [_of_kind(name, by_name[name], arrivals, created) for name in sorted(by_name)]


def judge(evidence: Evidence) -> Figures:
    """All figures of a run."""
    figures = Figures()
    recoveries = [strike.recovery_s for strike in evidence.strikes]
    figures.add("soak_faults", len(recoveries), min=1)
    figures.add("soak_not_recovered", sum(map(math.isinf, recoveries)), max=0)
    for what, percent in (("p50", 50), ("p95", 95), ("max", 100)):
        figures.add(f"soak_recovery_{what}_s", judging.percentile(recoveries, percent))
    available = judging.availability_percent(_arrivals(evidence), evidence.begin_s, evidence.end_s)
    figures.add("soak_availability_percent", available)
    for kind in kinds(evidence):
        _add_kind(figures, kind)
    _add_media(figures, evidence)
    _add_resources(figures, evidence)
    _add_words(figures, evidence)
    figures.add("soak_stop_s", evidence.stop_s, max=LONGEST_STOP_S)
    figures.add("soak_exit_status", math.nan if evidence.exit_status is None else evidence.exit_status, max=0)
    return figures


def _of_kind(name: str, strikes: list[Strike], arrivals: judging.Times, created: list[float]) -> OfKind:
    recoveries = [strike.recovery_s for strike in strikes]
    there = [judging.availability_percent(arrivals, strike.struck_s, strike.next_s) for strike in strikes]
    spans = [strike.next_s - strike.struck_s for strike in strikes]
    made = sum(strike.struck_s <= at_s < strike.next_s for strike in strikes for at_s in created)
    return OfKind(
        name,
        len(strikes),
        judging.percentile(recoveries, 50),
        judging.percentile(recoveries, 95),
        max(recoveries),
        availability_percent=float(np.average(there, weights=spans)),
        sessions=made / len(strikes),
    )


def _add_kind(figures: Figures, kind: OfKind) -> None:
    name = f"soak_{kind.name}"
    figures.add(f"{name}_faults", kind.faults)
    figures.add(f"{name}_recovery_p50_s", kind.p50_s)
    figures.add(f"{name}_recovery_p95_s", kind.p95_s, max=LONGEST_RECOVERY_P95_S.get(kind.name))
    figures.add(f"{name}_recovery_max_s", kind.max_s)
    figures.add(f"{name}_availability_percent", kind.availability_percent)
    figures.add(f"{name}_sessions_per_fault", kind.sessions, max=0 if kind.name in NO_NEW_SESSION else None)


def _add_media(figures: Figures, evidence: Evidence) -> None:
    numbers = np.concatenate([call.numbers for call in evidence.calls] or [np.zeros(0, np.int64)])
    figures.add("soak_frames", len(numbers), min=1)
    figures.add("soak_torn_frames", int(np.sum(numbers < 0)), max=0)
    figures.add("soak_doubled_frames", judging.doubled(numbers), max=0)
    times = np.concatenate([call.times_s for call in evidence.calls] or [np.zeros(0)])
    figures.add("soak_late_frames", judging.late(times, numbers, LATE_S))
    figures.add("soak_sessions", len(evidence.calls))


def _add_resources(figures: Figures, evidence: Evidence) -> None:
    long_enough = evidence.end_s - evidence.begin_s >= LEAST_FOR_GROWTH_S
    growth_kib = judging.memory_growth_kib(evidence.memory, evidence.begin_s, evidence.end_s)
    if math.isfinite(growth_kib) or long_enough:
        figures.add("soak_memory_growth_kib", growth_kib, max=MOST_GROWTH_KIB if long_enough else None)
    for name, count in (("descriptors", _descriptors), ("threads", _threads)):
        before, after = (math.nan if held is None else count(held) for held in (evidence.before, evidence.after))
        figures.add(f"soak_{name}_more", after - before, max=0)


def _add_words(figures: Figures, evidence: Evidence) -> None:
    figures.add("soak_secrets_seen", len(secrets_seen(evidence)), max=0)
    figures.add("soak_bugs_logged", len(bugs(evidence)), max=0)
    outage = evidence.outage
    figures.add("soak_journal_first_bytes", outage.first_bytes)
    spell_s = outage.seconds - outage.settled_after_s
    a_day = outage.then_bytes / spell_s * _DAY_S if spell_s else math.nan
    figures.add("soak_journal_bytes_a_day", a_day, max=MOST_JOURNAL_BYTES_A_DAY)


def secrets_seen(evidence: Evidence) -> list[str]:
    """Where a token or a ref can be read; it must not be shown to anybody in full either."""
    return judging.leaks([evidence.log, *evidence.shown], evidence.tokens)


def bugs(evidence: Evidence) -> list[str]:
    """Lines of the log by which the daemon says that something is wrong with itself."""
    return [line for line in evidence.log.splitlines() if " CRITICAL " in line or line.startswith("Traceback")]


def _arrivals(evidence: Evidence) -> judging.Times:
    return np.sort(np.concatenate([call.times_s for call in evidence.calls] or [np.zeros(0)]))


def _descriptors(held: Resources) -> int:
    return len(held.descriptors)


def _threads(held: Resources) -> int:
    return len(held.threads)
