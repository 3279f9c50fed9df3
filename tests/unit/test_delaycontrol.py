"""When the delay is put right: in pauses at once, in speech only when it must, and never for trifles."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ingestd.core.delaycontrol import (
    FINE,
    INSIST,
    PATIENCE,
    SLACK,
    STRETCH_EVERY,
    URGENT,
    URGENT_LACK,
    WAIT,
    DelayControl,
    Do,
)

FRAME = 160
FAR = 3200


def speech(control: DelayControl, excess: int, start: int, samples: int) -> list[tuple[int, Do]]:
    """What is done at which time while somebody speaks and the delay stays off by so much."""
    done: list[tuple[int, Do]] = []
    for now in range(start, start + samples, FRAME):
        if (do := control.step(now, excess, in_pause=False)) is not Do.NOTHING:
            done.append((now - start, do))
            if do is Do.IN_SPEECH:
                control.stretched(now)
    return done


def test_a_pause_puts_it_right_at_once() -> None:
    for excess in (SLACK + 1, -SLACK - 1, FAR):
        assert DelayControl(FAR).step(0, excess, in_pause=True) is Do.IN_PAUSE


def test_trifles_are_left_alone() -> None:
    control = DelayControl(FAR)
    for now in range(0, 80_000, FRAME):
        assert control.step(now, SLACK, in_pause=True) is Do.NOTHING
    assert speech(control, FINE, 80_000, 80_000) == []
    assert speech(control, -SLACK, 160_000, 80_000) == []


@pytest.mark.parametrize("excess", [FINE + 1, URGENT, -SLACK - 1, -URGENT_LACK])
def test_a_moderate_miss_waits_for_a_pause_but_not_for_ever(excess: int) -> None:
    done = speech(DelayControl(FAR), excess, 0, 3 * WAIT)
    assert WAIT < done[0][0] <= WAIT + FRAME
    assert {do for _, do in done} == {Do.IN_SPEECH}
    assert all(later[0] - earlier[0] >= STRETCH_EVERY for earlier, later in pairwise(done))


@pytest.mark.parametrize("excess", [FINE + 1, -SLACK - 1])
def test_after_a_while_it_insists(excess: int) -> None:
    control = DelayControl(FAR)
    speech(control, excess, 0, INSIST + 1)
    assert not control.insists(INSIST)
    assert control.insists(INSIST + 1)
    control.step(INSIST + 2, 0, in_pause=False)
    assert not control.insists(INSIST + 3)


def test_much_does_not_wait() -> None:
    for excess in (URGENT + 1, -URGENT_LACK - 1):
        assert speech(DelayControl(FAR), excess, 0, WAIT)[0] == (STRETCH_EVERY, Do.IN_SPEECH)


def test_once_begun_it_is_done_whole() -> None:
    control = DelayControl(FAR)
    speech(control, URGENT + 1, 0, 1600)
    assert speech(control, FINE + 1, 1600, 1600)[0][0] <= STRETCH_EVERY
    assert speech(control, FINE, 3200, 1600) == []
    assert speech(control, FINE + 1, 4800, WAIT) == [], "and then begins anew"


def test_too_much_is_dropped_in_a_pause_or_after_a_while() -> None:
    control = DelayControl(FAR)
    assert control.step(0, FAR + 1, in_pause=True) is Do.DROP
    done = speech(DelayControl(FAR), FAR + 1, 0, 2 * PATIENCE)
    assert PATIENCE < done[0][0] <= PATIENCE + FRAME
    assert done[0][1] is Do.DROP


def test_a_new_beginning_forgets() -> None:
    control = DelayControl(FAR)
    speech(control, URGENT, 0, WAIT)
    control.begun(WAIT)
    assert speech(control, URGENT, WAIT, WAIT - FRAME) == []
