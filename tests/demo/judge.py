"""What the scene's evidence comes to, as figures with bounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.demo.scene import Evidence, Spoken
from tests.rig.align import align_each
from tests.rig.figures import Figures
from tests.rig.speech import Span
from tests.rig.wav import RATE, Pcm

LIKE = 0.9
"""The least correlation of what was heard with what was spoken."""
_SETTLE_S = 0.5
"""After the call is back, for the queues on the way to fill again."""
_DELAY_S = 0.6
"""The most that anything is late: what was spoken up to so long before the cut may not have arrived."""
_SHORTEST_S = 1.0
"""A piece of an utterance, beside the cut, that is too short to be judged."""


def judge(evidence: Evidence) -> Figures:
    """All figures of a run."""
    figures = Figures()
    cut_s, restored_s = evidence.cut_start_s, evidence.cut_end_s
    after = evidence.arrivals_s[evidence.arrivals_s >= restored_s]
    back_s = float(after[0]) if len(after) else float("inf")
    figures.add("recovery_s", back_s - restored_s, max=3)
    figures.add("sessions", evidence.sessions)

    times_s = np.array([time for time, _ in evidence.downlink])
    counts = np.array([count for _, count in evidence.downlink])
    # The server's TCP has waits of its own; what it held back then comes at once.
    down_again = times_s[(times_s > restored_s) & (counts > counts[times_s <= restored_s].max(initial=0))]
    down_back_s = float(down_again[0]) if len(down_again) else float("inf")
    figures.add("recovery_downlink_s", down_back_s - restored_s)
    up_settled_s, down_settled_s = back_s + _SETTLE_S, down_back_s + _SETTLE_S
    up = _rate(evidence.arrivals_s, np.arange(len(evidence.arrivals_s)), cut_s - _DELAY_S, up_settled_s)
    down = _rate(times_s, counts, cut_s - _DELAY_S, down_settled_s)
    figures.add("uplink_frames_per_second", up, min=49.5, max=50.5)
    figures.add("downlink_frames_per_second", down, min=49.5, max=50.5)

    ends = (
        ("room", evidence.device_said, evidence.room_heard, evidence.room_heard_start_s, up_settled_s),
        ("speaker", evidence.room_said, evidence.speaker_heard, evidence.speaker_heard_start_s, down_settled_s),
    )
    for where, spoken, heard, start_s, settled_s in ends:
        _judge_speech(figures, where, spoken, heard, start_s, cut_s - _DELAY_S, settled_s)
    figures.add("messages_device_to_room", len(evidence.messages_up), min=2)
    figures.add("messages_room_to_device", len(evidence.messages_down), min=2)
    figures.add("daemon_exit_status", float("nan") if evidence.exit_status is None else evidence.exit_status, max=0)
    return figures


def _judge_speech(
    figures: Figures, where: str, spoken: Spoken, heard: Pcm, start_s: float, cut_s: float, settled_s: float
) -> None:
    about_s = spoken.start_s - start_s
    spans = _without(spoken.spans, cut_s - spoken.start_s, settled_s - spoken.start_s)
    found = align_each(heard, spoken.pcm, spans, about_s=about_s + 0.2)
    correlations = [alignment.correlation for alignment in found]
    delays_ms = [(alignment.lag_s - about_s) * 1000 for alignment in found]
    figures.add(f"utterances_heard_at_{where}", float(np.sum(np.array(correlations) >= LIKE)), min=max(1, len(spans)))
    for number, correlation in enumerate(correlations, start=1):
        figures.add(f"correlation_at_{where}_utterance_{number}", correlation, min=LIKE)
    figures.add(f"delay_to_{where}_median_ms", float(np.median(delays_ms)) if found else float("nan"))


def _without(spans: list[Span], first_s: float, last_s: float) -> list[Span]:
    """The utterances, or what is left of them outside [first_s, last_s], from the start of the speech."""
    first, last = round(first_s * RATE), round(last_s * RATE)
    kept: list[Span] = []
    for span in spans:
        pieces = (Span(span.start, min(span.stop, first)), Span(max(span.start, last), span.stop))
        if span.stop <= first or span.start >= last:
            kept.append(span)
        else:
            kept += [piece for piece in pieces if piece.stop - piece.start >= _SHORTEST_S * RATE]
    return kept


def _rate(times_s: NDArray[np.float64], counts: NDArray[np.int64], cut_s: float, settled_s: float) -> float:
    """Counts per second over the two stretches beside the cut."""
    total = span = 0.0
    for inside in (times_s <= cut_s, times_s >= settled_s):
        if np.sum(inside) > 1:
            total += float(counts[inside][-1] - counts[inside][0])
            span += float(times_s[inside][-1] - times_s[inside][0])
    return total / span if span else float("nan")
