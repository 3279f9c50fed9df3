"""EPOCH and CALL_ID name the session that a line is about."""

from __future__ import annotations

from ingestd.core.callfields import CallFields
from ingestd.core.lifecycle import State


def in_a_call() -> CallFields:
    fields = CallFields()
    assert fields.state(State.CREATING, 1, False) == {"EPOCH": 1}
    fields.session(1, "first")
    assert fields.state(State.CONNECTING, 1, False) == {"EPOCH": 1, "CALL_ID": "first"}
    assert fields.now() == {}
    assert fields.state(State.STREAMING, 1, False) == {"EPOCH": 1, "CALL_ID": "first"}
    return fields


def test_what_happens_during_a_call_is_its_own() -> None:
    fields = in_a_call()
    assert fields.now() == {"EPOCH": 1, "CALL_ID": "first"}
    assert fields.state(State.WAITING, 1, True) == {"EPOCH": 1, "CALL_ID": "first"}
    assert fields.now() == {}


def test_an_attempt_that_failed_is_no_call() -> None:
    fields = in_a_call()
    fields.state(State.WAITING, 1, True)
    assert fields.state(State.CREATING, 2, False) == {"EPOCH": 2}
    assert fields.state(State.WAITING, 2, True) == {"EPOCH": 2}


def test_a_call_that_ends_after_a_renewal_that_failed_is_named() -> None:
    fields = in_a_call()
    assert fields.state(State.RENEWING, 2, False) == {"EPOCH": 2}
    fields.session(2, "second")
    assert fields.state(State.STREAMING, 2, True) == {"EPOCH": 2, "CALL_ID": "second"}, "the renewal's failure"
    assert fields.now() == {"EPOCH": 1, "CALL_ID": "first"}
    assert fields.state(State.WAITING, 2, True) == {"EPOCH": 1, "CALL_ID": "first"}, "the call's end"


def test_a_call_that_ends_during_a_renewal_is_named() -> None:
    fields = in_a_call()
    fields.state(State.RENEWING, 2, False)
    assert fields.state(State.CREATING, 2, True) == {"EPOCH": 1, "CALL_ID": "first"}
    fields.session(2, "second")
    assert fields.state(State.CONNECTING, 2, False) == {"EPOCH": 2, "CALL_ID": "second"}


def test_a_renewal_takes_the_call_over() -> None:
    fields = in_a_call()
    for state in (State.RENEWING, State.RENEWING_CONNECTING, State.OVERLAPPING):
        fields.session(2, "second")
        fields.state(state, 2, False)
        assert fields.now() == {"EPOCH": 1, "CALL_ID": "first"}
    fields.state(State.STREAMING, 2, False)
    assert fields.now() == {"EPOCH": 2, "CALL_ID": "second"}


def test_a_call_that_is_hung_up_keeps_its_name_until_it_is_over() -> None:
    fields = in_a_call()
    fields.state(State.RENEWING, 2, False)
    for state in (State.HANGING_UP, State.STANDBY):
        assert fields.state(state, 2, False) == {"EPOCH": 1, "CALL_ID": "first"}
    assert fields.state(State.CREATING, 3, False) == {"EPOCH": 3}


def test_a_call_that_makes_room_for_another_ends_with_the_other_s_attempt() -> None:
    fields = in_a_call()
    assert fields.state(State.REPLACING, 1, False) == {"EPOCH": 1, "CALL_ID": "first"}
    assert fields.state(State.CREATING, 2, False) == {"EPOCH": 2}


def test_only_ids_that_are_needed_are_kept() -> None:
    fields = in_a_call()
    for epoch in range(2, 100):
        fields.session(epoch, "x" * 1000)
    assert len(fields._ids) == 2
