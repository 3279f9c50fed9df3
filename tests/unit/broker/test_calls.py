"""From a device's request to its session: real database, real stand-in."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, select
from sqlalchemy.exc import OperationalError

from ingestd.broker.model import DEVICES
from tests.standin.client import SessionFault, StandIn
from tests.unit.broker.answering import Answering, http
from tests.unit.broker.session_site import NOW_S, Site
from tests.unit.peers import serving

pytest_plugins = ("tests.standin.fixtures",)


@pytest.fixture
def site(standin: StandIn, tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path, standin.base_url, standin.api_secret, make_rooms=True, sessions_per_minute=12, burst=10)
    yield made
    made.storage.engine.dispose()


def test_a_device_gets_the_pages_answer(site: Site, standin: StandIn) -> None:
    device = site.add(room_id=standin.room, participant_id="p-1", agent={"id": "ag-1", "type": "voice"})
    before = len(standin.session_requests())
    answer = site.maker.make(device, {"participant": {"name": "Mine", "id": "p-2"}, "region": "in002"})
    assert answer["message"] == "Ingest session created"
    assert sorted(answer) == ["data", "message"]
    assert sorted(answer["data"]) == ["callId", "expiresIn", "wsUrl"]
    assert answer["data"]["expiresIn"] == 90
    assert isinstance(answer["data"]["expiresIn"], int)
    (asked,) = standin.session_requests(before)
    assert asked.call_id == answer["data"]["callId"]
    assert asked.body == {
        "roomId": standin.room,
        "participant": {"id": "p-1", "name": "Mine"},
        "agent": {"id": "ag-1", "type": "voice"},
    }
    (row,) = site.rows()
    assert row._asdict() == {
        "id": row.id,
        "device_id": device.id,
        "asked_ms": int(NOW_S * 1000),
        "answered_ms": int(NOW_S * 1000),
        "status": 200,
        "message": "Ingest session created",
        "call_id": asked.call_id,
        "room_id": standin.room,
    }
    assert (site.figures.sessions, site.figures.answers) == ([(200, None)], [200])


def test_a_call_id_that_is_missing_is_left_out(site: Site, standin: StandIn) -> None:
    standin.fail_sessions(SessionFault(leaves_out=("callId",)))
    assert sorted(site.maker.make(site.add(room_id="r"), {})["data"]) == ["expiresIn", "wsUrl"]
    assert site.rows()[0].call_id is None


def test_what_a_device_may_not_set_is_told_once_for_who_looks(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "ingestd.broker.calls")
    site.maker.make(site.add(room_id="r"), {"roomId": "other", "region": "in002"})
    assert [one.getMessage() for one in caplog.records] == ["pump-7 may not set room_id, region: the registry's counts"]


def test_the_request_is_written_down_before_the_service_is_asked(tmp_path: Path) -> None:
    sites: list[Site] = []
    seen: list[Row[Any]] = []

    def look(_number: int) -> bool:
        with sites[0].storage.writing():  # nobody else is in a transaction
            seen.extend(sites[0].rows())
        return True

    with serving(Answering(http("500 No", b""), before=look)) as server:
        sites.append(Site(tmp_path, f"http://127.0.0.1:{server.port}", "s"))
        sites[0].refused(sites[0].add(room_id="r"))
    assert [(row.status, row.room_id, row.answered_ms) for row in seen] == [(None, "r", None)]
    assert [(row.status, row.message) for row in sites[0].rows()] == [(502, "The service answered 500")]


def test_the_services_429_is_counted_as_its_own_whatever_its_code(tmp_path: Path) -> None:
    with serving(Answering(http("429 Too Many", b'{"message": "slow down", "code": "rate-limited"}'))) as server:
        site = Site(tmp_path, f"http://127.0.0.1:{server.port}", "s")
        refused = site.refused(site.add(room_id="r"))
    assert (refused.status, refused.code) == (429, "rate-limited")
    assert site.figures.sessions == [(429, None)]


def test_a_device_that_asks_too_often_is_told_when_to_come_again(site: Site, standin: StandIn) -> None:
    device, other = site.add(room_id="r"), site.add("pump-8", room_id="r")
    for _ in range(10):
        site.maker.make(device, {})
    before = len(standin.session_requests())
    for _ in range(3):
        refused = site.refused(device)
        assert (refused.status, refused.code, refused.retry_after_s) == (429, "rate-limited", 5.0)
    assert site.figures.sessions[-1] == (429, "rate-limited")
    assert len(standin.session_requests()) == before
    assert len(site.rows()) == 10, "one that was not admitted is not written down"
    site.maker.make(other, {})
    site.now_s += 5
    site.maker.make(device, {})


def test_one_that_asks_without_end_does_not_touch_the_database(site: Site) -> None:
    device = site.add(room_id="r")
    for _ in range(10):
        site.maker.make(device, {})
    site.refused(device)
    with site.storage.writing():  # who would write waits, and fails in the end
        for _ in range(50):
            assert site.refused(device).code == "rate-limited"


def test_what_is_not_asked_for_right_costs_nothing_of_the_rate(site: Site) -> None:
    device = site.add()
    for _ in range(20):
        assert site.refused(device).code == "no-room"
    assert site.rows() == []


def test_too_many_at_a_time_are_told_to_come_again(tmp_path: Path) -> None:
    asked, go_on = threading.Semaphore(0), threading.Event()

    def hold(_number: int) -> bool:
        asked.release()
        return go_on.wait(20)

    with serving(Answering(http("404 No", b""), before=hold)) as server:
        site = Site(tmp_path, f"http://127.0.0.1:{server.port}", "s", at_once=2)
        devices = [site.add(f"pump-{number}", room_id="r") for number in range(6)]
        threads = [threading.Thread(target=site.refused, args=(one,)) for one in devices[:2]]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert asked.acquire(timeout=20)
        site.maker._gate._wait_s = 0.05
        refused = site.refused(devices[2])
        assert (refused.status, refused.code, refused.retry_after_s) == (429, "busy", 7.0)
        assert len(site.rows()) == 2
        go_on.set()
        for thread in threads:
            thread.join()
        assert site.refused(devices[2]).status == 404, "the places are free again, and nothing of its rate was taken"


def test_a_session_is_handed_out_even_where_its_row_cannot_be_completed(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    device = site.add(room_id="r")
    with site.storage.writing() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER broken BEFORE UPDATE ON sessions BEGIN SELECT RAISE(ABORT, 'no room on the disk'); END"
        )
    assert site.maker.make(device, {})["data"]["wsUrl"]
    assert site.rows()[0].status is None
    assert "its row could not be completed: no room on the disk" in caplog.text
    assert "ref=" not in caplog.text


def test_without_the_database_the_service_is_not_asked(site: Site, standin: StandIn) -> None:
    device = site.add(room_id="r")
    with site.storage.writing() as connection:
        connection.exec_driver_sql("DROP TABLE sessions")
    before = len(standin.session_requests())
    with pytest.raises(OperationalError):
        site.maker.make(device, {})
    assert len(standin.session_requests()) == before
    assert site.figures.sessions == [(503, None)]
    with site.storage.reading() as connection:
        assert connection.execute(select(DEVICES.c.due_ms)).scalar() == 0, "nothing of its rate was taken"
