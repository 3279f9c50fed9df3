"""The table of a connection's life: complete, closed, and deaf to what it does not know."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.lifecycle import (
    ATTEMPTING,
    IN_THE_ROOM,
    TRANSITIONS,
    Action,
    Happening,
    IllegalTransition,
    Lifecycle,
    State,
)

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


@pytest.mark.parametrize("state", sorted(set(State) - {State.STOPPED}, key=str))
def test_every_state_but_the_last_can_be_stopped(state: State) -> None:
    seen = [state]
    while seen[-1] is not State.STOPPED:
        assert len(seen) < 4
        seen.append(TRANSITIONS[seen[-1], Happening.STOP][0])


def test_the_last_state_is_the_last() -> None:
    assert not [start for start, _ in TRANSITIONS if start is State.STOPPED]


@pytest.mark.parametrize("state", sorted(set(State) - {State.IDLE, State.STOPPED}, key=str))
def test_the_network_may_come_back_at_any_time(state: State) -> None:
    attempting = (State.CREATING, State.CONNECTING)
    assert TRANSITIONS[state, Happening.NETWORK_BACK][0] is (State.WAITING if state in attempting else state)


def test_a_call_from_its_start_to_its_end() -> None:
    call = (H.START, H.SESSION_CREATED, H.CONNECTED)
    assert after(H.START) == (S.CREATING, (A.ATTEMPT,))
    assert after(*call[:2]) == (S.CONNECTING, ())
    assert after(*call) == (S.STREAMING, (A.CANCEL_TIMER, A.ADOPT))
    assert after(*call, H.STOP) == (S.STOPPING, (A.HANG_UP,))
    assert after(*call, H.STOP, H.CLOSED) == (S.STOPPED, (A.CANCEL_TIMER, A.RELEASE))
    assert after(*call, H.STOP, H.TIMER) == (S.STOPPED, (A.RELEASE,))
    assert after(*call, H.STOP, H.STOP) == (S.STOPPED, (A.CANCEL_TIMER, A.RELEASE))


def test_a_renewal_streams_on_the_first_until_the_second_has_joined() -> None:
    call = (H.START, H.SESSION_CREATED, H.CONNECTED, H.RENEW)
    assert after(*call) == (S.RENEWING, (A.ATTEMPT,))
    assert after(*call, H.SESSION_CREATED) == (S.RENEWING_CONNECTING, ())
    overlap = (*call, H.SESSION_CREATED, H.CONNECTED)
    assert after(*overlap) == (S.OVERLAPPING, (A.CANCEL_TIMER, A.ACCOMPANY))
    assert after(*overlap, H.READY) == (S.STREAMING, (A.CANCEL_TIMER, A.SWITCH))
    assert after(*overlap, H.TIMER) == (S.STREAMING, (A.SWITCH,))
    assert after(*overlap, H.CLOSED) == (S.STREAMING, (A.CANCEL_TIMER, A.SWITCH)), "evicted by the second: no fault"
    assert after(*overlap, H.FAILED) == (S.STREAMING, (A.DROP_SECOND, A.RENEW_LATER))
    assert after(*call, H.FAILED) == (S.STREAMING, (A.RENEW_LATER,)), "it streams on"
    assert after(*call, H.CLOSED) == (S.CREATING, (A.RELEASE,)), "the attempt goes on"


def test_where_two_at_once_must_not_be_the_first_ends_first() -> None:
    call = (H.START, H.SESSION_CREATED, H.CONNECTED, H.REPLACE)
    assert after(*call) == (S.REPLACING, (A.HANG_UP,))
    assert after(*call, H.CLOSED) == (S.CREATING, (A.CANCEL_TIMER, A.RELEASE, A.ATTEMPT))
    assert after(*call, H.TIMER) == (S.CREATING, (A.RELEASE, A.ATTEMPT))


def test_a_call_on_demand() -> None:
    assert after(H.STAND_BY) == (S.STANDBY, ())
    assert after(H.STAND_BY, H.CALL) == (S.CREATING, (A.ATTEMPT,))
    call = (H.STAND_BY, H.CALL, H.SESSION_CREATED, H.CONNECTED)
    assert after(*call, H.ENDED) == (S.STANDBY, (A.CANCEL_TIMER, A.RELEASE))
    assert after(*call, H.CLOSED)[0] is S.WAITING, "a fault does not end the call"
    assert after(*call, H.HANG_UP, H.CLOSED) == (S.STANDBY, (A.CANCEL_TIMER, A.RELEASE))
    assert after(*call, H.HANG_UP, H.CALL, H.CLOSED)[0] is S.CREATING, "called again while hanging up"


def test_whatever_fails_is_tried_again_with_a_new_session() -> None:
    waiting = (S.WAITING, (A.WAIT,))
    assert after(H.START, H.FAILED) == waiting
    assert after(H.START, H.SESSION_CREATED, H.FAILED) == waiting
    assert after(H.START, H.TIMER) == (S.WAITING, (A.ABANDON, A.WAIT))
    assert after(H.START, H.SESSION_CREATED, H.TIMER) == (S.WAITING, (A.ABANDON, A.WAIT))
    assert after(H.START, H.SESSION_CREATED, H.NETWORK_BACK) == (S.WAITING, (A.ABANDON, A.HURRY))
    cut = (H.START, H.SESSION_CREATED, H.CONNECTED, H.CLOSED)
    assert after(*cut) == (S.WAITING, (A.RELEASE, A.WAIT))
    assert after(*cut, H.NETWORK_BACK) == (S.WAITING, (A.HURRY,))
    assert after(*cut, H.TIMER) == (S.CREATING, (A.ATTEMPT,))


class Books:
    """What exists in the world while a table is followed: each action is only possible where its object is there."""

    def __init__(self) -> None:
        self.lifecycle = Lifecycle()
        self.attempt = self.first = self.second = self.timer = False

    def on(self, happening: Happening) -> bool:
        """False where the table refuses it, with nothing changed."""
        before = self.lifecycle.state
        try:
            actions = self.lifecycle.on(happening)
        except IllegalTransition:
            assert self.lifecycle.state is before
            return False
        if happening is Happening.TIMER:
            assert self.timer, "the timer of nobody"
            self.timer = False
        if happening is Happening.FAILED and before in ATTEMPTING:
            self.attempt = False
        for action in actions:
            self._do(action)
        return True

    def _do(self, action: Action) -> None:
        match action:
            case Action.ATTEMPT:
                assert not self.attempt
                assert not self.second
                self.attempt = self.timer = True  # the supervisor gives each attempt its time
            case Action.ABANDON:
                assert self.attempt
                self.attempt = False
            case Action.ADOPT:
                assert (self.attempt, self.first) == (True, False)
                self.attempt, self.first = False, True
            case Action.ACCOMPANY:
                assert (self.attempt, self.first, self.second) == (True, True, False)
                self.attempt, self.second, self.timer = False, True, True
            case Action.SWITCH:
                assert (self.first, self.second) == (True, True), "one of the two streams on"
                self.second = False
            case Action.DROP_SECOND:
                assert self.second
                self.second = False
            case Action.HANG_UP:
                assert (self.first, self.attempt, self.second) == (True, False, False)
                self.timer = True
            case Action.RELEASE:
                assert (self.first, self.second) == (True, False)
                self.first = False
            case Action.WAIT | Action.RENEW_LATER:
                assert (self.attempt, self.second) == (False, False)
                assert self.first == (action is Action.RENEW_LATER)
                self.timer = True
            case Action.HURRY:
                assert self.timer
                assert not self.attempt
            case Action.CANCEL_TIMER:
                self.timer = False

    def check(self) -> None:
        """Every state has what it is named for, and something that will end it."""
        state = self.lifecycle.state
        leaving = (State.HANGING_UP, State.REPLACING, State.STOPPING)
        assert self.first == (state in IN_THE_ROOM or state in leaving)
        assert self.second == (state is State.OVERLAPPING)
        assert self.attempt == (state in ATTEMPTING)
        if state in (State.IDLE, State.STANDBY, State.STOPPED):
            assert not self.timer
        elif state is not State.STREAMING:  # there a failed renewal may have set one
            assert self.timer


@given(st.lists(st.sampled_from(list(Happening)), max_size=80))
def test_any_sequence_keeps_the_books_of_attempts_connections_and_the_timer(happenings: list[Happening]) -> None:
    books = Books()
    for happening in happenings:
        books.on(happening)
        books.check()


WANTED = sorted(set(Happening) - {H.STOP, H.HANG_UP, H.STAND_BY, H.ENDED}, key=str)
"""All that can happen to a device that is to be in the room."""


@given(st.lists(st.sampled_from(WANTED), max_size=40))
def test_from_wherever_it_got_to_the_room_is_reached_again(happenings: list[Happening]) -> None:
    """No dead end: what the supervisor's own timers and a service that works again bring about is enough."""
    books = Books()
    books.on(H.START)
    for happening in happenings:
        books.on(happening)
    for _ in range(8):
        if books.lifecycle.state is State.STREAMING:
            return
        for happening in (H.SESSION_CREATED, H.CONNECTED, H.TIMER):
            if books.on(happening):
                break
    raise AssertionError(books.lifecycle.state)
