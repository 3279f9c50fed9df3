"""The stand-in's POST /v2/ingest/sessions keeps the page's contract."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
import requests

from tests.standin.client import SessionFault, StandIn
from tests.standin.settings import Settings

pytest_plugins = ("tests.standin.fixtures",)


def _post(standin: StandIn, **arguments: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {standin.token}", **arguments.pop("headers", {})}
    return requests.post(f"{standin.base_url}/v2/ingest/sessions", headers=headers, timeout=20, **arguments)


def test_the_answer_has_the_page_s_shape(standin: StandIn) -> None:
    answer = standin.post_session({"roomId": "abcd-efgh-ijkl"})
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"message", "data"}
    assert body["message"] == "Ingest session created"
    assert set(body["data"]) == {"wsUrl", "callId", "expiresIn"}
    assert re.fullmatch(rf"ws://127\.0\.0\.1:{standin.port}/videosdk\?ref=vs_[0-9a-z]{{20}}", body["data"]["wsUrl"])
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", body["data"]["callId"])
    assert body["data"]["expiresIn"] == 90


def test_the_page_s_own_request_is_taken_as_it_stands(standin: StandIn) -> None:
    participant = {"name": "Field Device 12", "metadata": {"deviceId": "dev_12"}}
    answer = standin.post_session({"roomId": "abcd-efgh-ijkl", "participant": participant})
    call = standin.call(answer.json()["data"]["callId"])
    assert call.participant_name == "Field Device 12"
    assert call.body["participant"] == participant
    assert call.participant_id, "an id is generated when none is given"


@pytest.mark.parametrize(("scheme", "bearer", "raw"), [("both", 200, 200), ("bearer", 200, 401), ("raw", 401, 200)])
def test_the_authorization_scheme_is_a_switch(standin: StandIn, scheme: str, bearer: int, raw: int) -> None:
    standin.configure(auth_scheme=scheme)
    body = {"roomId": standin.room}
    assert standin.post_session(body, authorization=f"Bearer {standin.token}").status_code == bearer
    assert standin.post_session(body, authorization=standin.token).status_code == raw
    assert [r.auth_scheme for r in standin.session_requests()[-2:]] == ["bearer", "raw"]


def test_a_missing_wrong_or_expired_token_is_401(standin: StandIn) -> None:
    parts = standin.token.split(".")
    expired = standin.mint_token(expires_in_s=-1)
    for token in ("", "Bearer ", "Bearer nonsense", f"Bearer {expired}", f"Bearer {parts[0]}.{parts[1]}.AAAA"):
        answer = standin.post_session({"roomId": standin.room}, authorization=token)
        assert answer.status_code == 401
        assert answer.json() == {"message": "Token is invalid or expired"}


@pytest.mark.parametrize(
    "claims",
    [{"permissions": ["ask_join"]}, {"permissions": []}, {"roles": ["rtc"]}, {"room_id": "another-room"}],
    ids=str,
)
def test_a_token_without_permission_is_403(standin: StandIn, claims: dict[str, Any]) -> None:
    answer = standin.post_session({"roomId": standin.room}, authorization=f"Bearer {standin.mint_token(**claims)}")
    assert answer.status_code == 403
    assert answer.json()["message"]


def test_a_fixed_token_may_be_accepted_too(standin: StandIn) -> None:
    standin.configure(fixed_token="sesame")
    assert standin.post_session({"roomId": "r"}, authorization="Bearer sesame").status_code == 200
    assert standin.post_session({"roomId": "r"}, authorization="Bearer sesam").status_code == 401


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "roomId"),
        ({"roomId": ""}, "roomId"),
        ({"roomId": 7}, "roomId"),
        ({"roomId": None}, "roomId"),
        ([], "object"),
        ("text", "object"),
        ({"roomId": "r", "participant": "me"}, "participant"),
        ({"roomId": "r", "participant": {"id": 7}}, "participant.id"),
        ({"roomId": "r", "participant": {"id": ""}}, "participant.id"),
        ({"roomId": "r", "participant": {"name": 7}}, "participant.name"),
        ({"roomId": "r", "participant": {"metadata": "x"}}, "participant.metadata"),
        ({"roomId": "r", "agent": "x"}, "agent"),
        ({"roomId": "r", "agent": {}}, "agent.id"),
        ({"roomId": "r", "agent": {"id": 7}}, "agent.id"),
        ({"roomId": "r", "agent": {"id": "a", "metadata": []}}, "agent.metadata"),
        ({"roomId": "r", "region": 7}, "region"),
    ],
    ids=str,
)
def test_every_field_is_validated(standin: StandIn, body: Any, named: str) -> None:
    answer = standin.post_session(body)
    assert answer.status_code == 400
    assert named in answer.json()["message"]


def test_every_optional_field_is_taken_and_unknown_ones_pass(standin: StandIn) -> None:
    participant = {"id": "dev", "name": "Device", "metadata": {"deep": [1, {"a": None}]}, "colour": "red"}
    agent = {"id": "agent", "metadata": {}, "type": "voice"}
    body = {"roomId": "r", "participant": participant, "agent": agent, "region": "us002", "more": 1}
    answer = standin.post_session(body)
    assert answer.status_code == 200
    assert standin.call(answer.json()["data"]["callId"]).body == body


def test_a_body_that_is_no_json_or_not_declared_as_json_is_400(standin: StandIn) -> None:
    assert _post(standin, data=b"{", headers={"Content-Type": "application/json"}).status_code == 400
    assert _post(standin, data=b'{"roomId": "r"}', headers={"Content-Type": "text/plain"}).status_code == 400


def test_a_body_beyond_the_limit_is_413(standin: StandIn) -> None:
    standin.configure(body_limit_bytes=1000)
    body = {"roomId": "r", "participant": {"metadata": {"x": "y" * 1000}}}
    assert standin.post_session(body).status_code == 413


@pytest.mark.parametrize("status", [400, 402, 404])
def test_an_unknown_room_is_refused_with_a_switched_status(standin: StandIn, status: int) -> None:
    assert standin.post_session({"roomId": "never-heard-of"}).status_code == 200
    standin.configure(known_rooms=["known"], unknown_room_status=status)
    assert standin.post_session({"roomId": "known"}).status_code == 200
    answer = standin.post_session({"roomId": "unknown"})
    assert (answer.status_code, answer.json()) == (status, {"message": "Room not found"})


def test_the_error_s_key_and_the_request_id_s_header_are_switches(standin: StandIn) -> None:
    standin.configure(error_key="statusMessage", request_id_header="x-amzn-requestid")
    answer = standin.post_session({})
    assert set(answer.json()) == {"statusMessage"}
    assert answer.headers["x-amzn-requestid"]
    standin.configure(request_id_header="")
    assert "x-request-id" not in standin.post_session({}).headers


def test_optional_fields_may_be_missing_from_the_answer(standin: StandIn) -> None:
    standin.configure(answer_leaves_out=["callId", "expiresIn"])
    assert set(standin.post_session({"roomId": "r"}).json()["data"]) == {"wsUrl"}


@pytest.mark.parametrize("base", ["ws://127.0.0.1:9", "http://127.0.0.1:9", "http://127.0.0.1:9/"])
def test_the_advertised_address_can_be_a_proxy_s(standin: StandIn, base: str) -> None:
    standin.configure(public_base=base)
    assert standin.create_session().ws_url.startswith("ws://127.0.0.1:9/videosdk?ref=vs_")


def test_every_request_is_recorded_without_its_token(standin: StandIn) -> None:
    before = time.monotonic()
    body = {"roomId": standin.room, "participant": {"name": "recorded"}}
    answer = standin.post_session(body)
    request = standin.session_requests()[-1]
    assert before <= request.at_s <= time.monotonic()
    assert (request.status, request.auth_scheme, request.body) == (200, "bearer", body)
    assert request.call_id == answer.json()["data"]["callId"]
    assert standin.token not in str(request)


def test_there_is_nothing_to_get_list_or_delete(standin: StandIn) -> None:
    for method in ("GET", "DELETE", "PUT"):
        answer = requests.request(method, f"{standin.base_url}/v2/ingest/sessions", timeout=20)
        assert answer.status_code == 405


def test_the_defaults_are_the_page_s_figures() -> None:
    settings = Settings()
    assert settings.session_ttl_s == 90
    assert settings.start_timeout_s == 5
    assert settings.ping_interval_s == 30
    assert settings.topic_limit_chars == 128
    assert settings.message_limit_bytes == 8192


# --- scripted faults


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 429, 500, 502, 503])
def test_a_fault_answers_with_a_status(standin: StandIn, status: int) -> None:
    standin.fail_sessions(SessionFault(status=status, message="no", retry_after="7"))
    answer = standin.post_session({"roomId": "r"})
    assert (answer.status_code, answer.json()) == (status, {"message": "no"})
    assert answer.headers["Retry-After"] == "7"
    assert standin.session_requests()[-1].fault == str(status)
    assert standin.post_session({"roomId": "r"}).status_code == 200


def test_faults_queue_up_for_the_next_requests_and_can_be_forgotten(standin: StandIn) -> None:
    standin.fail_sessions(SessionFault(status=500), times=2)
    standin.fail_sessions(SessionFault(status=429), times=5)
    statuses = [standin.post_session({"roomId": "r"}).status_code for _ in range(3)]
    assert statuses == [500, 500, 429]
    assert standin.state()["waiting_faults"]["sessions"] == 4
    standin.clear_faults()
    assert standin.post_session({"roomId": "r"}).status_code == 200


def test_a_fault_stalls_the_answer(standin: StandIn) -> None:
    standin.fail_sessions(SessionFault(stall_s=30))
    with pytest.raises(requests.ReadTimeout):
        requests.post(f"{standin.base_url}/v2/ingest/sessions", json={}, timeout=0.2)


def test_a_fault_resets_the_connection(standin: StandIn) -> None:
    standin.fail_sessions(SessionFault(abort=True))
    with pytest.raises(requests.ConnectionError, match="reset"):
        _post(standin, json={"roomId": "r"})


def test_a_fault_may_fail_although_a_session_was_made(standin: StandIn) -> None:
    standin.fail_sessions(SessionFault(status=502, make_session=True))
    assert standin.post_session({"roomId": "r"}).status_code == 502
    call_id = standin.session_requests()[-1].call_id
    assert call_id is not None
    assert standin.call(call_id).claimed_s is None


@pytest.mark.parametrize("body", ["garbage", "empty", "html", "not_an_object"])
def test_a_fault_answers_with_an_unusable_body(standin: StandIn, body: Any) -> None:
    standin.fail_sessions(SessionFault(body=body))
    answer = standin.post_session({"roomId": "r"})
    assert answer.status_code == 200
    if body == "not_an_object":
        assert isinstance(answer.json(), list)
    else:
        with pytest.raises(requests.JSONDecodeError):
            answer.json()


def test_a_fault_answers_with_a_huge_body(standin: StandIn) -> None:
    standin.fail_sessions(SessionFault(body="huge"))
    assert len(standin.post_session({"roomId": "r"}).content) > 8_000_000


def test_a_fault_cuts_the_answer_short(standin: StandIn) -> None:
    standin.fail_sessions(SessionFault(body="truncated"))
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        _post(standin, json={"roomId": "r"})


def test_a_fault_leaves_fields_out_or_replaces_them(standin: StandIn) -> None:
    standin.fail_sessions(SessionFault(leaves_out=("wsUrl",)))
    standin.fail_sessions(SessionFault(leaves_out=("data",)))
    standin.fail_sessions(SessionFault(replaces={"wsUrl": 7}))
    answers = [standin.post_session({"roomId": "r"}).json() for _ in range(3)]
    assert set(answers[0]["data"]) == {"callId", "expiresIn"}
    assert set(answers[1]) == {"message"}
    assert answers[2]["data"]["wsUrl"] == 7


def test_a_fault_adds_headers(standin: StandIn) -> None:
    standin.fail_sessions(SessionFault(status=302, headers={"Location": "http://192.0.2.1/"}))
    answer = _post(standin, json={"roomId": "r"}, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://192.0.2.1/")
