"""Backends make rooms at the stand-in as they do at the service."""

from __future__ import annotations

import re
from typing import Any

import pytest
import requests

from tests.standin.client import StandIn

pytest_plugins = ("tests.standin.fixtures",)


def _post(standin: StandIn, body: Any, authorization: str | None = None) -> requests.Response:
    headers = {"Authorization": standin.token if authorization is None else authorization}
    return requests.post(f"{standin.base_url}/v2/rooms", json=body, headers=headers, timeout=20)


def _made(standin: StandIn, custom_id: str) -> str:
    answer = _post(standin, {"customRoomId": custom_id})
    assert answer.status_code == 200
    return str(answer.json()["roomId"])


def test_a_room_is_made_once_for_a_name(standin: StandIn) -> None:
    room = _made(standin, "barn")
    assert re.fullmatch("[a-z]{4}-[a-z]{4}-[a-z]{4}", room)
    assert _made(standin, "barn") == room
    assert _made(standin, "field") != room
    assert standin.made_rooms()["barn"] == room


def test_without_a_name_every_room_is_a_new_one(standin: StandIn) -> None:
    assert _post(standin, {}).json()["roomId"] != _post(standin, {}).json()["roomId"]


def test_a_room_that_was_made_is_known_from_then_on(standin: StandIn) -> None:
    standin.configure(known_rooms=["another"])
    room = _made(standin, "yard")
    assert standin.create_session(room=room).call_id
    standin.forget_rooms()
    assert standin.post_session({"roomId": room}).status_code == 400
    assert standin.made_rooms() == {}
    assert _made(standin, "yard") != room


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ([], "object"),
        ({"customRoomId": ""}, "customRoomId"),
        ({"customRoomId": 7}, "customRoomId"),
        ({"webhook": "x"}, "webhook"),
        ({"autoCloseConfig": []}, "autoCloseConfig"),
    ],
)
def test_a_room_s_fields_are_validated(standin: StandIn, body: Any, named: str) -> None:
    answer = _post(standin, body)
    assert (answer.status_code, named in answer.json()["message"]) == (400, True)


def test_a_token_is_needed(standin: StandIn) -> None:
    assert _post(standin, {}, "nonsense").status_code == 401
    assert _post(standin, {}, standin.mint_token(roles=["rtc"])).status_code == 403


def test_making_rooms_may_fail_and_every_request_is_recorded(standin: StandIn) -> None:
    before = len(standin.room_requests())
    standin.configure(rooms_status=500)
    assert _post(standin, {"customRoomId": "shed"}).status_code == 500
    assert "shed" not in standin.made_rooms()
    standin.reset()
    _made(standin, "shed")
    records = standin.room_requests(before)
    assert [(record["status"], record["body"]) for record in records] == [
        (500, {"customRoomId": "shed"}),
        (200, {"customRoomId": "shed"}),
    ]
