"""What a device asks for, and what the service is asked for it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.broker.bodies import Wanted, asked_in, wanted
from ingestd.broker.devices import Device
from ingestd.broker.errors import Refused
from tests.standin.sessions import check_body

ALL = ("room_id", "participant.id", "participant.name", "participant.metadata", "agent", "region")
DEVICE = Device(
    id=1,
    name="pump-7",
    enabled=True,
    certificate_name=None,
    room_id="room-a",
    custom_room_id=None,
    participant_id="p-1",
    participant_name="Pump 7",
    participant_metadata={"site": "north"},
    agent={"id": "ag-1", "type": "voice"},
    region="us002",
    created_ms=0,
)
REGISTERED = {
    "roomId": "room-a",
    "participant": {"id": "p-1", "name": "Pump 7", "metadata": {"site": "north"}},
    "agent": {"id": "ag-1", "type": "voice"},
    "region": "us002",
}
OWN = {
    "roomId": "room-b",
    "participant": {"id": "p-2", "name": "Mine", "metadata": {"site": "south"}},
    "agent": {"id": "ag-2", "metadata": {}, "mood": [1]},
    "region": "in002",
}


def asked(value: Any) -> Any:
    return asked_in(json.dumps(value).encode())


def refused(body: bytes) -> Refused:
    with pytest.raises(Refused) as caught:
        asked_in(body)
    assert caught.value.status == 400
    assert caught.value.code == "bad-request"
    return caught.value


@pytest.mark.parametrize("body", [b"", b"{}"])
def test_a_device_may_ask_for_nothing_in_particular(body: bytes) -> None:
    assert asked_in(body) == {}
    assert wanted(DEVICE, asked_in(body), (), make_rooms=False).body == REGISTERED


def test_the_pages_own_example_is_taken_whole() -> None:
    example = {
        "roomId": "abcd-efgh-ijkl",
        "participant": {"name": "Field Device 12", "metadata": {"deviceId": "dev_12"}},
    }
    assert asked(example) == example


def test_what_the_page_does_not_know_is_dropped_but_within_agent() -> None:
    value = {**OWN, "token": "x", "webhook": {}, "participant": {**OWN["participant"], "role": "host"}}  # type: ignore[dict-item]
    assert asked(value) == OWN


@pytest.mark.parametrize("body", [b"null", b"[]", b'"a"', b"1", b"true"])
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    assert refused(body).message == "The body is no JSON object"


@pytest.mark.parametrize("body", [b"roomId=a", b" \r\n\t"])
def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    assert refused(body).message == "The body is not JSON"


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"roomId": 7}, "roomId"),
        ({"roomId": None}, "roomId"),
        ({"roomId": ""}, "roomId"),
        ({"roomId": " \u00a0"}, "roomId"),
        ({"roomId": "x" * 129}, "roomId"),
        ({"participant": []}, "participant"),
        ({"participant": None}, "participant"),
        ({"participant": {"id": 1}}, "participant.id"),
        ({"participant": {"name": ["a"]}}, "participant.name"),
        ({"participant": {"name": "x" * 129}}, "participant.name"),
        ({"participant": {"metadata": "a"}}, "participant.metadata"),
        ({"agent": "a"}, "agent"),
        ({"agent": {}}, "agent.id"),
        ({"agent": {"metadata": {}}}, "agent.id"),
        ({"agent": {"id": True}}, "agent.id"),
        ({"agent": {"id": "a", "metadata": 1}}, "agent.metadata"),
        ({"region": False}, "region"),
        ({"region": "x" * 65}, "region"),
    ],
)
def test_a_field_of_another_type_is_refused_by_its_name(value: Any, field: str) -> None:
    assert refused(json.dumps(value).encode()).message.split(" ")[0] == field


def test_text_of_the_greatest_length_is_taken() -> None:
    value = {"roomId": "é" * 128, "participant": {"id": "x" * 128}, "region": "y" * 64}
    assert asked(value) == value


def test_the_registrys_values_win() -> None:
    want = wanted(DEVICE, asked(OWN), (), make_rooms=False)
    assert want == Wanted(REGISTERED, None, ALL)


def test_what_a_device_may_set_it_sets() -> None:
    assert wanted(DEVICE, asked(OWN), ALL, make_rooms=False) == Wanted(OWN, None, ())


@pytest.mark.parametrize("field", ALL)
def test_each_field_is_allowed_by_itself(field: str) -> None:
    want = wanted(DEVICE, asked(OWN), (field,), make_rooms=False)
    part, _, inner = {"room_id": "roomId"}.get(field, field).partition(".")
    expected: dict[str, Any] = json.loads(json.dumps(REGISTERED))
    if inner:
        expected[part][inner] = OWN[part][inner]  # type: ignore[index]
    else:
        expected[part] = OWN[part]
    assert want.body == expected
    assert want.left_out == tuple(one for one in ALL if one != field)


def test_where_a_device_sets_nothing_the_registry_stands() -> None:
    want = wanted(DEVICE, asked({"participant": {"name": "Mine"}}), ALL, make_rooms=False)
    assert want.body == {**REGISTERED, "participant": {**REGISTERED["participant"], "name": "Mine"}}  # type: ignore[dict-item]


def test_what_the_registry_does_not_have_a_device_does_not_set_either() -> None:
    bare = DEVICE._replace(
        participant_id=None, participant_name=None, participant_metadata=None, agent=None, region=None
    )
    assert wanted(bare, asked(OWN), (), make_rooms=False).body == {"roomId": "room-a"}


BARE = DEVICE._replace(room_id=None)


def test_no_room_from_either_is_refused_with_what_the_operator_does() -> None:
    with pytest.raises(Refused, match=r"ingestd-broker device change pump-7 --room") as caught:
        wanted(BARE, asked(OWN), (), make_rooms=True)
    assert (caught.value.status, caught.value.code) == (400, "no-room")


def test_a_room_that_may_not_be_made_is_refused_with_what_the_operator_does() -> None:
    with pytest.raises(Refused, match=r"devices\.make_rooms"):
        wanted(BARE._replace(custom_room_id="north"), {}, ALL, make_rooms=False)


def test_a_room_of_our_name_is_made_where_that_is_on() -> None:
    want = wanted(BARE._replace(custom_room_id="north"), {}, (), make_rooms=True)
    assert want.custom_room_id == "north"
    assert "roomId" not in want.body


def test_a_room_that_a_device_may_set_needs_none_made() -> None:
    want = wanted(BARE._replace(custom_room_id="north"), asked(OWN), ("room_id",), make_rooms=True)
    assert (want.custom_room_id, want.body["roomId"]) == (None, "room-b")


def test_a_device_that_knows_its_room_needs_none_in_the_registry() -> None:
    assert wanted(BARE, asked(OWN), ("room_id",), make_rooms=False).body["roomId"] == "room-b"


_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec=None), max_size=5) | st.just("x" * 129)
)
_ANY: st.SearchStrategy[Any] = _SCALARS | st.dictionaries(
    st.sampled_from(["id", "name", "metadata", "type", ""]), _SCALARS | st.just({})
)


@given(
    st.dictionaries(st.sampled_from(["roomId", "participant", "agent", "region", "url"]), _ANY),
    st.sets(st.sampled_from(ALL)),
)
def test_whatever_a_device_asks_for_the_service_gets_what_its_page_allows(value: Any, may_set: set[str]) -> None:
    try:
        given_fields = asked_in(json.dumps(value).encode())
    except Refused:
        return
    want = wanted(DEVICE, given_fields, may_set, make_rooms=False)
    check_body(want.body)
    json.dumps(want.body, allow_nan=False, ensure_ascii=False).encode("utf-8")
    if not may_set:
        assert want.body == REGISTERED
