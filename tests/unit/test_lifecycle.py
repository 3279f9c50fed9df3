"""The table of a connection's life: complete, closed, and deaf to what it does not know."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.lifecycle import TRANSITIONS, Action, Happening, IllegalTransition, Lifecycle, State

LEGAL = sorted(TRANSITIONS, key=str)
ILLEGAL = sorted(set(product(State, Happening)) - set(TRANSITIONS), key=str)


def in_state(state: State) -> Lifecycle:
    lifecycle = Lifecycle()
    lifecycle.state = state
    return lifecycle


def after(*happenings: Happening) -> tuple[State, tuple[Action, ...]]:
    """Where a device stands after all that, and what the last one made it do."""
    lifecycle = Lifecycle()
    actions: tuple[Action, ...] = ()
    for happening in happenings:
        actions = lifecycle.on(happening)
    return lifecycle.state, actions


H, S, A = Happening, State, Action


@pytest.mark.parametrize(("state", "happening"), ILLEGAL)
def test_an_illegal_event_raises_and_changes_nothing(state: State, happening: Happening) -> None:
    lifecycle = in_state(state)
    with pytest.raises(IllegalTransition, match=happening.value):
        lifecycle.on(happening)
    assert lifecycle.state is state


@pytest.mark.parametrize(("state", "happening"), LEGAL)
def test_a_legal_event_moves_and_tells_what_to_do(state: State, happening: Happening) -> None:
    lifecycle = in_state(state)
    actions = lifecycle.on(happening)
    assert (lifecycle.state, actions) == TRANSITIONS[state, happening]


def test_every_state_can_be_reached() -> None:
    reached = {Lifecycle().state}
    while more := {end for (start, _), (end, _) in TRANSITIONS.items() if start in reached} - reached:
        reached |= more
    assert reached == set(State)


@pytest.mark.parametrize("state", set(State) - {State.STOPPED})
def test_every_state_but_the_last_can_be_stopped(state: State) -> None:
    seen = [state]
    while seen[-1] is not State.STOPPED:
        assert len(seen) < 4
        seen.append(TRANSITIONS[seen[-1], Happening.STOP][0])


def test_the_last_state_is_the_last() -> None:
    assert not [start for start, _ in TRANSITIONS if start is State.STOPPED]


@pytest.mark.parametrize("state", set(State) - {State.IDLE, State.STOPPED})
def test_the_network_may_come_back_at_any_time(state: State) -> None:
    attempting = (State.CREATING, State.CONNECTING)
    assert TRANSITIONS[state, Happening.NETWORK_BACK][0] is (State.CREATING if state in attempting else state)


def test_a_call_from_its_start_to_its_end() -> None:
    call = (H.START, H.SESSION_CREATED, H.CONNECTED)
    assert after(H.START) == (S.CREATING, (A.ATTEMPT,))
    assert after(*call[:2]) == (S.CONNECTING, ())
    assert after(*call) == (S.STREAMING, (A.CANCEL_TIMER, A.ADOPT))
    assert after(*call, H.STOP) == (S.STOPPING, (A.HANG_UP,))
    assert after(*call, H.STOP, H.CLOSED) == (S.STOPPED, (A.CANCEL_TIMER, A.RELEASE))
    assert after(*call, H.STOP, H.TIMER) == (S.STOPPED, (A.RELEASE,))
    assert after(*call, H.STOP, H.STOP) == (S.STOPPED, (A.CANCEL_TIMER, A.RELEASE))


def test_whatever_fails_is_tried_again_with_a_new_session() -> None:
    waiting = (S.WAITING, (A.WAIT,))
    assert after(H.START, H.FAILED) == waiting
    assert after(H.START, H.SESSION_CREATED, H.FAILED) == waiting
    assert after(H.START, H.TIMER) == (S.WAITING, (A.ABANDON, A.WAIT))
    assert after(H.START, H.SESSION_CREATED, H.TIMER) == (S.WAITING, (A.ABANDON, A.WAIT))
    assert after(H.START, H.SESSION_CREATED, H.NETWORK_BACK) == (S.CREATING, (A.ABANDON, A.ATTEMPT))
    cut = (H.START, H.SESSION_CREATED, H.CONNECTED, H.CLOSED)
    assert after(*cut) == (S.WAITING, (A.RELEASE, A.WAIT))
    assert after(*cut, H.NETWORK_BACK) == (S.WAITING, (A.HURRY,))
    assert after(*cut, H.TIMER) == (S.CREATING, (A.ATTEMPT,))


@given(st.lists(st.sampled_from(list(Happening)), max_size=60))
def test_any_sequence_keeps_the_books_of_attempts_connections_and_the_timer(happenings: list[Happening]) -> None:
    lifecycle = Lifecycle()
    attempt = connection = timer = False
    for happening in happenings:
        before = lifecycle.state
        try:
            actions = lifecycle.on(happening)
        except IllegalTransition:
            assert lifecycle.state is before
            continue
        if happening is Happening.TIMER:
            assert timer, "the timer of nobody"
            timer = False
        for action in actions:
            match action:
                case Action.ATTEMPT:
                    assert (attempt, connection) == (False, False)
                    attempt = timer = True  # the supervisor gives each attempt its time
                case Action.ABANDON:
                    assert attempt
                    attempt = False
                case Action.ADOPT:
                    assert (attempt, connection) == (True, False)
                    attempt, connection = False, True
                case Action.HANG_UP:
                    assert (connection, timer) == (True, False)
                    timer = True
                case Action.RELEASE:
                    assert connection
                    connection = False
                case Action.WAIT:
                    assert not connection
                    attempt, timer = False, True
                case Action.HURRY | Action.CANCEL_TIMER:
                    assert timer
                    timer = action is Action.HURRY
        assert connection == (lifecycle.state in (State.STREAMING, State.STOPPING))
        assert attempt == (lifecycle.state in (State.CREATING, State.CONNECTING))
        assert timer == (lifecycle.state not in (State.IDLE, State.STREAMING, State.STOPPED))
