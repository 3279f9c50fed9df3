"""What a webhook says is read leniently, and what a database can't hold is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.broker.event_body import Told, read_event


def _told(value: Any) -> Told:
    told = read_event(json.dumps(value).encode())
    assert told is not None
    return told


def test_the_service_s_shape_is_read() -> None:
    data = {"callId": "c1", "roomId": "abcd", "timestamp": "2026-11-23T11:30:00.250Z"}
    assert _told({"webhookType": "call-started", "data": data}) == Told("call-started", "c1", 1795433400250)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"webhookType": "call-hangup", "type": "other"}, "call-hangup"),
        ({"type": "call-hangup"}, "call-hangup"),
        ({"webhookType": None, "type": "call-hangup"}, "call-hangup"),
        ({"webhookType": 7}, "unknown"),
        ({"webhookType": ""}, "unknown"),
        ({"webhookType": "x" * 65}, "unknown"),
        ({"webhookType": "a\0b"}, "unknown"),
        ({"webhookType": "x" * 64}, "x" * 64),
        ({"webhookType": "never-heard-of"}, "never-heard-of"),
        ({}, "unknown"),
    ],
)
def test_the_kind_of_an_event(value: dict[str, Any], kind: str) -> None:
    assert _told(value).kind == kind


@pytest.mark.parametrize(
    ("value", "call_id"),
    [
        ({"data": {"callId": "inner"}, "callId": "outer"}, "inner"),
        ({"data": {}, "callId": "outer"}, "outer"),
        ({"data": [1], "callId": "outer"}, "outer"),
        ({"data": {"callId": 7}, "callId": "outer"}, "outer"),
        ({"data": {"callId": "x" * 129}}, None),
        ({"data": {"callId": "x" * 128}}, "x" * 128),
        ({"data": {"callId": "a\0"}}, None),
        ({"data": {"callId": "\ud800"}}, None),
        ({"data": None}, None),
    ],
)
def test_the_call_it_is_about(value: dict[str, Any], call_id: str | None) -> None:
    assert _told(value).call_id == call_id


@pytest.mark.parametrize(
    ("stamp", "ms"),
    [
        ("2026-11-23T11:30:00Z", 1795433400000),
        ("2026-11-23T12:30:00.5+01:00", 1795433400500),
        ("2026-11-23T11:30:00", 1795433400000),
        (1795433400, 1795433400000),
        (1795433400.25, 1795433400250),
        (1795433400250, 1795433400250),
        (0, 0),
        (True, None),
        (-1, None),
        ("yesterday", None),
        ("0001-01-01T00:00:00+23:59", None),
        (float("nan"), None),
        (float("inf"), None),
        (None, None),
        ([], None),
    ],
)
def test_when_it_happened(stamp: Any, ms: int | None) -> None:
    assert _told({"data": {"timestamp": stamp}}).happened_ms == ms


def test_a_number_of_a_thousand_digits_is_legal() -> None:
    assert read_event(b'{"webhookType":"a","timestamp":' + b"9" * 5000 + b"}") == Told("a", None, None)


def test_a_time_beside_the_data_is_as_good() -> None:
    assert _told({"data": {"timestamp": "?"}, "timestamp": 5}).happened_ms == 5000


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"{",
        b"{}{}",
        b"\xff{}",
        b"\xef\xbb\xbf{}",
        b'{"a":"\0"}',
        b'{"a":' * 99_999,
    ],
    ids=["empty", "null", "list", "text", "number", "cut", "two", "latin", "mark", "nul", "deep"],
)
def test_what_is_no_json_object_is_no_event(body: bytes) -> None:
    assert read_event(body) is None


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists)))
def test_whatever_an_object_holds_it_is_an_event_that_a_database_can_hold(value: dict[str, Any]) -> None:
    for told in (_told(value), _told({"webhookType": "a", "data": value})):
        for text in (told.kind, told.call_id or ""):
            assert "\0" not in text
            text.encode()
        assert told.happened_ms is None or 0 <= told.happened_ms < 2**63


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_whatever_comes_nothing_is_raised(body: bytes) -> None:
    read_event(body)
