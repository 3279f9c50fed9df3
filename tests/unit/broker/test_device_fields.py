"""What a device's name and fields may be."""

from __future__ import annotations

from typing import Any

import pytest

from ingestd.broker.device_fields import FIELDS, check_fields, check_name
from ingestd.broker.devices import NewDevice
from ingestd.broker.errors import BrokerError

WHOLE = {
    "certificate_name": "pump-7.field.example",
    "room_id": "x" * 128,
    "participant_id": "p-1",
    "participant_name": "Pümp 7",
    "participant_metadata": {"site": "nørth", "floors": [1, 2.5, None, True]},
    "agent": {"id": "ag-1", "type": "voice", "metadata": {"a": {}}},
    "region": "us002",
}


def test_every_field_may_be_given_or_not() -> None:
    check_fields(WHOLE)
    check_fields(dict.fromkeys(FIELDS))
    assert {"name", *FIELDS} == set(NewDevice._fields)


@pytest.mark.parametrize("name", ["a", "a.B-9_" * 21 + "xy", "-", "..."])
def test_a_good_name_is_taken(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", " ", "a b", "a/b", "ä", "a\n", "x" * 129, "a;drop table devices"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(BrokerError, match=r"can't be a device's name; give 1 to 128 of"):
        check_name(name)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"room_id": ""}, "room_id can't be ''; give 1 to 128 printable characters"),
        ({"room_id": "a\nb"}, r"room_id can't be 'a\\nb'"),
        ({"room_id": 7}, "room_id can't be 7"),
        ({"room_id": "x" * 129}, "room_id can't be"),
        ({"region": "x" * 65}, "region can't be .* 1 to 64"),
        ({"participant_name": " "}, "participant_name can't be"),
        ({"participant_id": "\ud800"}, "participant_id can't be"),
        ({"certificate_name": "CN=a,O=b"}, "certificate_name can't have a comma"),
        ({"participant_metadata": []}, "participant_metadata is no JSON object"),
        ({"participant_metadata": {"a": "\0"}}, "participant_metadata has a NUL character"),
        ({"participant_metadata": {"a": float("inf")}}, "participant_metadata has a number that JSON does not know"),
        ({"participant_metadata": {"a": "x" * 17_000}}, "participant_metadata has more than 16384 bytes"),
        ({"agent": {}}, "agent needs an id"),
        ({"agent": {"id": " "}}, "agent needs an id"),
        ({"agent": "ag-1"}, "agent is no JSON object"),
        ({"room_id": "a", "custom_room_id": "b"}, "a device is in one room"),
    ],
)
def test_a_field_that_cannot_be_kept_is_told(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(BrokerError, match=told):
        check_fields(fields)


@pytest.mark.parametrize("field", ["id", "name", "enabled", "key_hash", "due_ms", "rooom_id"])
def test_a_field_that_there_is_not_is_told(field: str) -> None:
    with pytest.raises(BrokerError, match=f"a device has no {field}; it has certificate_name, "):
        check_fields({field: "1"})
