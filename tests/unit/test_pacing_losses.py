"""What the sender's grid counts as lost, whichever way it stopped: each captured frame goes out or is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from ingestd.core.pacing import STALL_S, Do, Pacer
from ingestd.core.sampleclock import SampleClock
from ingestd.core.wire import FRAME_S, FRAME_SAMPLES, SAMPLE_RATE_HZ

pytestmark = pytest.mark.undisturbed

Span = tuple[float, float]
NEVER: Span = (0.0, 0.0)
PHASES_S = [0.0, 0.003, 0.007, 0.011, 0.016, 0.019]
"""Of what happens, against the frames."""


def regular(frames: int, start_s: float = 0.0) -> list[float]:
    """When each was captured."""
    return [start_s + (number + 1) * FRAME_S for number in range(frames)]


def late(captured_s: list[float], span: Span, spacing_s: float = 0.0) -> list[float]:
    """The same, in the ring only at the end of `span` where they were captured within it, one after the other."""
    within = [at_s for at_s in captured_s if span[0] < at_s < span[1]]
    return sorted(span[1] + within.index(at_s) * spacing_s if span[0] < at_s < span[1] else at_s for at_s in captured_s)


def heard(
    pacer: Pacer,
    arrivals_s: Sequence[float],
    *,
    lost: Span = NEVER,
    held: Span = NEVER,
    away: Span = NEVER,
    look: Callable[[float], None] = lambda _now: None,
) -> list[int]:
    """Which frames go out, each in the ring from its time in `arrivals_s`; while the sender is `away` nothing asks."""
    clock = SampleClock(SAMPLE_RATE_HZ)
    coming = list(arrivals_s)
    sent: list[int] = []
    was_lost = False
    now = 0.0
    while now < arrivals_s[-1] + 1.0:
        if away[0] <= now < away[1]:
            now = away[1]
        while coming and coming[0] <= now:
            at_s = coming.pop(0)
            if was_lost and at_s >= lost[1]:
                was_lost = False
                clock.relock()
            clock.observe(at_s, (len(arrivals_s) - len(coming)) * FRAME_SAMPLES)
        was_lost |= lost[0] <= now < lost[1]
        written = (len(arrivals_s) - len(coming)) * FRAME_SAMPLES
        step = pacer.step(now, clock.now, written, was_lost)
        look(now)
        if step.do is Do.SLEEP:
            again_s = step.until_s
        elif held[0] <= now < held[1]:
            again_s = pacer.held(now, step.do, written)
        else:
            if step.do is Do.SEND:
                sent.append(step.sample // FRAME_SAMPLES)
            again_s = pacer.sent(now, step.do)
        now = max(now + 0.0001, min(again_s, now + FRAME_S))  # as the thread does
    assert sent == sorted(set(sent))
    return sent


def missing(sent: Sequence[int]) -> int:
    """Between the first and the last that went out."""
    return sent[-1] - sent[0] + 1 - len(sent)


@pytest.mark.parametrize("lasts_s", [0.15, 0.21, 0.25, 0.3, 0.5, 3.0])
@pytest.mark.parametrize("first", ["sender", "microphone"])
@pytest.mark.parametrize("spacing_s", [0.0, 0.0005, 0.003])
def test_what_a_process_that_stood_still_catches_up_with_counts(lasts_s: float, first: str, spacing_s: float) -> None:
    """All of it stood still; the sender wakes first, or the microphone's thread."""
    for phase_s in PHASES_S:
        pacer = Pacer()
        stall = (1.0 + phase_s, 1.0 + phase_s + lasts_s)
        sender = (stall[0], stall[1] + (-0.005 if first == "sender" else 0.005))
        sent = heard(pacer, late(regular(400), stall, spacing_s), away=sender)
        assert missing(sent) == pacer.dropped_frames
        assert lasts_s >= STALL_S or pacer.dropped_frames == 0


@pytest.mark.parametrize("lasts_s", [0.15, 0.23, 0.25, 0.3, 0.5, 3.0])
@pytest.mark.parametrize("spacing_s", [0.0, 0.0005, 0.003])
def test_what_a_microphones_thread_alone_catches_up_with_counts(lasts_s: float, spacing_s: float) -> None:
    for phase_s in PHASES_S:
        pacer = Pacer()
        sent = heard(pacer, late(regular(400), (1.0 + phase_s, 1.0 + phase_s + lasts_s), spacing_s))
        assert missing(sent) == pacer.dropped_frames
        assert lasts_s >= STALL_S or pacer.dropped_frames == 0


@pytest.mark.parametrize("lasts_s", [0.15, 0.25, 0.31, 0.5, 3.0])
def test_of_a_microphone_that_paused_hardly_anything_is_lost_and_that_counts(lasts_s: float) -> None:
    for phase_s in PHASES_S:
        pacer = Pacer()
        sent = heard(pacer, regular(50) + regular(200, 1.0 + phase_s + lasts_s))
        assert missing(sent) == pacer.dropped_frames <= 1, "one at most: what would come early on the new grid"


def test_what_came_before_a_lost_microphone_goes_out_and_what_comes_after_it_starts_anew() -> None:
    for phase_s in PHASES_S:
        pacer = Pacer()
        lost = (1.001 + phase_s, 2.0 + phase_s)
        # Back, it brings three at once, as one of large periods does: the newest is the first to be heard.
        back = regular(100, lost[1])
        sent = heard(pacer, regular(50) + [back[0]] * 2 + back, lost=lost)
        assert set(sent) >= set(range(50))
        assert 49 < sent[50] <= 53
        assert sent[50:] == list(range(sent[50], 152))
        assert pacer.dropped_frames == 0


def test_what_comes_between_a_stall_and_the_loss_of_the_microphone_counts_and_nothing_after_it() -> None:
    """Of a device that is pulled: nothing for a while, a last rest of what it had, and then the error."""
    for phase_s in PHASES_S:
        pacer = Pacer()
        rest_s = 1.3 + phase_s
        counted: dict[float, int] = {}
        back = regular(100, 3.0 + phase_s)
        arrivals_s = regular(50) + [rest_s] * 5 + [back[0]] * 2 + back
        sent = heard(
            pacer,
            arrivals_s,
            lost=(rest_s, 3.0),
            away=(rest_s - 0.001, rest_s + 0.001),
            look=lambda now, pacer=pacer, counted=counted: counted.update({now: pacer.dropped_frames}),  # type: ignore[misc]
        )
        assert sent[:50] == list(range(50))
        assert sent[50] >= 55
        assert pacer.dropped_frames == 5
        assert next(at_s for at_s, frames in counted.items() if frames) < rest_s + 2 * FRAME_S, "at once"


@pytest.mark.parametrize("lasts_s", [0.15, 0.25, 0.5, 2.0])
@pytest.mark.parametrize("held_s", [0.1, 0.6, 1.5])
def test_what_a_held_link_and_a_stall_cost_together_counts(lasts_s: float, held_s: float) -> None:
    for phase_s in PHASES_S:
        pacer = Pacer()
        stall = (1.3 + phase_s, 1.3 + phase_s + lasts_s)
        sent = heard(pacer, late(regular(400), stall), held=(1.0, 1.0 + held_s), away=(stall[0], stall[1] - 0.005))
        assert missing(sent) == pacer.dropped_frames
