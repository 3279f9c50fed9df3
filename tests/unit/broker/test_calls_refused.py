"""What becomes of a session that the service does not give: tokens, rooms, errors, silence."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestd.broker.settings import VideoSdk
from ingestd.broker.tokens import Tokens
from tests.standin.client import SessionFault, StandIn
from tests.unit.broker.session_site import Site
from tests.unit.peers import read_request, serving, until_closed

pytest_plugins = ("tests.standin.fixtures",)


@pytest.fixture
def site(standin: StandIn, tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, standin.base_url, standin.api_secret, make_rooms=True, sessions_per_minute=12, burst=10)
    yield made
    made.storage.engine.dispose()


@pytest.mark.parametrize(
    ("fault", "status", "code", "after_s"),
    [
        (SessionFault(status=429, message="slow down", retry_after="17"), 429, "service-busy", 17.0),
        (SessionFault(status=429), 429, "service-busy", 7.0),
        (SessionFault(status=404, message="Room not found"), 404, "service-refused", None),
        (SessionFault(status=503, retry_after="4"), 503, "service-unavailable", 4.0),
        (SessionFault(status=500), 502, "service-failed", None),
        (SessionFault(body="garbage"), 502, "service-failed", None),
    ],
    ids=lambda value: value.label if isinstance(value, SessionFault) else None,
)
def test_the_services_errors_are_passed_on_and_written_down(
    site: Site, standin: StandIn, fault: SessionFault, status: int, code: str, after_s: float | None
) -> None:
    standin.fail_sessions(fault)
    refused = site.refused(site.add(room_id="r"))
    assert (refused.status, refused.code, refused.retry_after_s) == (status, code, after_s)
    assert fault.message in refused.message
    (row,) = site.rows()
    assert (row.status, row.message, row.call_id, row.room_id) == (status, refused.message, None, "r")


def test_a_service_that_is_late_is_told_as_that(tmp_path: Path) -> None:
    def silent(sock: Any) -> None:
        read_request(sock)
        until_closed(sock)

    with serving(silent) as server:
        site = Site(tmp_path, f"http://127.0.0.1:{server.port}", "s")
        site.service._timeout_s = 0.2
        assert site.refused(site.add(room_id="r")).status == 504
    assert site.figures.answers == [0]


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_refused_is_minted_anew_and_the_service_asked_once_more(
    site: Site, standin: StandIn, status: int
) -> None:
    device = site.add(room_id="r")
    first = site.tokens.current()
    site.token_clock_ahead_s = 2  # or one that is minted within a second would be the same
    standin.fail_sessions(SessionFault(status=status))
    assert site.maker.make(device, {})["data"]["callId"]
    assert site.tokens.current() != first
    assert (site.figures.answers, site.figures.tokens) == ([status, 200], 1)


def test_a_secret_that_was_changed_is_read_anew(site: Site, standin: StandIn) -> None:
    device = site.add(room_id="r")
    site.secret_file.write_text("not-the-accounts-secret")
    assert site.refused(device).status == 503
    site.secret_file.write_text(standin.api_secret)
    assert site.maker.make(device, {})


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_stays_refused_is_the_operators_job_and_no_fault_of_the_device(
    site: Site, standin: StandIn, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    device = site.add(room_id="r")
    standin.fail_sessions(SessionFault(status=status, message="Token is invalid or expired"), times=4)
    for _ in range(2):
        refused = site.refused(device)
        assert (refused.status, refused.code, refused.retry_after_s) == (503, "broker-not-let-in", 37.0)
        assert "invalid" not in refused.message
    errors = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert "Token is invalid or expired" in errors[0].getMessage()
    assert "videosdk.api_key" in errors[0].getMessage()
    standin.clear_faults()


def test_a_given_token_that_is_refused_is_not_shown_twice(site: Site, standin: StandIn, tmp_path: Path) -> None:
    device = site.add(room_id="r")
    (tmp_path / "token").write_text("no.good.token")
    given = VideoSdk(url=standin.base_url, token_file=tmp_path / "token")
    site.maker._tokens = Tokens(given, time.time)
    before = len(standin.session_requests())
    assert site.refused(device).status == 503
    assert len(standin.session_requests()) == before + 1
    (tmp_path / "token").write_text(standin.token)
    assert site.maker.make(device, {})


def test_without_a_secret_the_operator_is_told_where(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    device = site.add(room_id="r")
    site.secret_file.unlink()
    refused = site.refused(device)
    assert (refused.status, refused.code) == (503, "broker-not-let-in")
    assert str(site.secret_file) not in refused.message
    assert f"videosdk.api_secret_file: {site.secret_file}" in caplog.text
    assert site.rows()[0].status == 503


def test_a_room_is_made_for_a_name_and_used_by_all(site: Site, standin: StandIn) -> None:
    standin.configure(known_rooms=["another"])
    first, second = site.add(custom_room_id="north"), site.add("pump-8", custom_room_id="north")
    before = len(standin.room_requests())
    for device in (first, second, first):
        site.maker.make(device, {})
    room_id = standin.made_rooms()["north"]
    assert [one.body["roomId"] for one in standin.session_requests()[-3:]] == [room_id] * 3
    assert [one["body"] for one in standin.room_requests(before)] == [{"customRoomId": "north"}]
    assert {row.room_id for row in site.rows()} == {room_id}


@pytest.mark.parametrize("status", [400, 402, 404])
def test_a_room_that_is_gone_is_made_anew_once(site: Site, standin: StandIn, status: int) -> None:
    standin.configure(known_rooms=["another"], unknown_room_status=status)
    device = site.add(custom_room_id=f"gone-{status}")
    site.maker.make(device, {})
    standin.forget_rooms()
    assert site.maker.make(device, {})["data"]["callId"]
    assert [row.room_id for row in site.rows()][1] == standin.made_rooms()[f"gone-{status}"]
    assert site.rows()[0].room_id != site.rows()[1].room_id


def test_a_request_that_is_wrong_otherwise_does_not_cost_the_room(site: Site, standin: StandIn) -> None:
    device = site.add(custom_room_id="kept")
    site.maker.make(device, {})
    room_id = standin.made_rooms()["kept"]
    standin.fail_sessions(SessionFault(status=400, message="bad agent"))
    refused = site.refused(device)
    assert (refused.status, refused.message) == (400, "The service answered 400: bad agent")
    site.maker.make(device, {})
    assert standin.session_requests()[-1].body["roomId"] == room_id


def test_a_room_that_cannot_be_made_is_told(site: Site, standin: StandIn) -> None:
    standin.configure(rooms_status=500)
    assert site.refused(site.add(custom_room_id="never")).status == 502
    assert site.rows()[0].status == 502


def test_no_secret_reaches_the_log(site: Site, standin: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    device = site.add(room_id="r")
    url = site.maker.make(device, {})["data"]["wsUrl"]
    standin.fail_sessions(SessionFault(status=401), times=2)
    site.refused(device)
    standin.fail_sessions(SessionFault(abort=True), times=2)
    site.refused(device)
    for secret in (url, url.partition("ref=")[2], site.tokens.current(), standin.api_secret):
        assert secret
        assert secret not in caplog.text
