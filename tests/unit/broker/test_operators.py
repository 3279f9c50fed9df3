"""What operators and their monitoring are answered."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from ingestd.broker.devices import NewDevice
from ingestd.broker.model import EVENTS, SESSIONS
from tests.unit.broker.site import OPERATOR_KEY, Site

RIGHT = {"Authorization": f"Bearer {OPERATOR_KEY}"}
FOR_OPERATORS = ("/v1/devices", "/metrics")


@pytest.mark.parametrize("path", FOR_OPERATORS)
@pytest.mark.parametrize(
    "shown",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", f"Basic {OPERATOR_KEY}", OPERATOR_KEY, "Bearer \u00e4"],
)
def test_without_the_key_it_is_401(site: Site, path: str, shown: str | None) -> None:
    answer = site.client.get(path, headers={} if shown is None else {"Authorization": shown})
    assert answer.status_code == 401
    assert answer.get_json()["code"] == "operator-key"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", FOR_OPERATORS)
def test_a_devices_key_is_no_operators(site: Site, path: str) -> None:
    key = site.broker.registry.add(NewDevice("one"))
    assert site.client.get(path, headers={"Authorization": f"Bearer {key}"}).status_code == 401


@pytest.mark.parametrize("path", FOR_OPERATORS)
@pytest.mark.parametrize("word", ["Bearer", "bearer", "BEARER"])
def test_with_the_key_it_is_answered(site: Site, path: str, word: str) -> None:
    assert site.client.get(path, headers={"Authorization": f"{word} {OPERATOR_KEY}"}).status_code == 200


def test_a_device_as_it_stands(site: Site) -> None:
    site.broker.registry.add(NewDevice("one", room_id="room-1"))
    site.broker.registry.add(NewDevice("two"))
    site.broker.registry.disable("two")
    with site.broker.storage.writing() as connection:
        session = {"device_id": 1, "asked_ms": 1_700_000_000_007, "status": 200, "call_id": "c", "room_id": "room-1"}
        connection.execute(insert(SESSIONS).values(session))
        event = {"digest": b"1", "call_id": "c", "kind": "call-started", "received_ms": 1_700_000_001_000, "body": "{}"}
        connection.execute(insert(EVENTS).values(event))
    answer = site.client.get("/v1/devices", headers=RIGHT)
    assert answer.get_json() == {
        "devices": [
            {
                "name": "one",
                "enabled": True,
                "room_id": "room-1",
                "live": True,
                "last_session": {
                    "asked": "2023-11-14T22:13:20.007Z",
                    "status": 200,
                    "call_id": "c",
                    "room_id": "room-1",
                },
                "last_event": {"kind": "call-started", "at": None, "received": "2023-11-14T22:13:21.000Z"},
            },
            {
                "name": "two",
                "enabled": False,
                "room_id": None,
                "live": False,
                "last_session": None,
                "last_event": None,
            },
        ],
        "next": None,
    }
    assert answer.headers["Cache-Control"] == "no-store"


def test_pages_are_gone_through_by_their_last_name(site: Site) -> None:
    for number in range(5):
        site.broker.registry.add(NewDevice(f"d{number}"))
    seen, after = [], ""
    for expected in ("d1", "d3", None):
        page = site.client.get(f"/v1/devices?limit=2{after}", headers=RIGHT).get_json()
        seen += [device["name"] for device in page["devices"]]
        assert page["next"] == expected
        after = f"&after={page['next']}"
    assert seen == ["d0", "d1", "d2", "d3", "d4"]
    # One that exactly fills the last page is the last.
    assert site.client.get("/v1/devices?limit=5", headers=RIGHT).get_json()["next"] is None


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=501", "limit=-1", "limit=", "limit=1.0", "limit=%31%30%30%30", "limit=+5", "limit=\u0665"),
        *("after=", "after=a%20b", "after=%00", f"after={'x' * 129}", "after=%ff", "after=a'--", "after=%0a"),
        *("limit=1&limit=2", "after=a&after=b", "order=name", "limit[]=1"),
    ],
)
def test_what_is_no_page_is_refused(site: Site, query: str) -> None:
    answer = site.client.get(f"/v1/devices?{query}", headers=RIGHT)
    assert answer.status_code == 400
    assert answer.get_json()["code"] == "bad-parameter"


def test_health_is_everybodys_to_ask(site: Site) -> None:
    answer = site.client.get("/healthz")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


def test_a_database_without_its_tables_is_not_healthy(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with site.broker.storage.writing() as connection:
        connection.execute(text("ALTER TABLE devices RENAME TO elsewhere"))
    with caplog.at_level(logging.ERROR):
        answers = [site.client.get("/healthz") for _ in range(30)]
    assert [(answer.status_code, answer.get_json()) for answer in answers] == [
        (503, {"status": "failing", "why": "database"})
    ] * 30
    told = [record.getMessage() for record in caplog.records]
    assert "the database can't be used" in told[0]
    assert 1 <= len(told) < 15, "a monitor that asks each second would fill the disk"


def test_figures_come_without_the_database(site: Site) -> None:
    with site.broker.storage.writing() as connection:
        connection.execute(text("ALTER TABLE devices RENAME TO elsewhere"))
    answer = site.client.get("/metrics", headers=RIGHT)
    assert answer.status_code == 200
    assert "ingestd_broker_database_up 0.0" in answer.text


def test_nobody_is_an_operator_without_a_key(tmp_path: Path) -> None:
    site = Site(tmp_path, f"sqlite:///{tmp_path}/broker.db", operators=None)
    for path in FOR_OPERATORS:
        assert site.client.get(path, headers={"Authorization": "Bearer "}).status_code == 401
    site.key_file.write_text("late")
    assert site.client.get("/v1/devices", headers={"Authorization": "Bearer late"}).status_code == 200
    site.close()
