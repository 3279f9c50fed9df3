"""POST /v1/sessions, as the application answers it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ingestd.broker.app import make_app
from ingestd.broker.compose import Broker, compose
from ingestd.broker.devices import NewDevice
from ingestd.broker.migrating import migrate
from ingestd.broker.settings import Devices, Listen, Log, Operators, Proxy, Settings, StorageSettings, VideoSdk
from ingestd.config.secret import Secret
from tests.standin.client import SessionFault, StandIn

pytest_plugins = ("tests.standin.fixtures",)


class Site(NamedTuple):
    broker: Broker
    client: FlaskClient
    key: str

    def post(self, key: str | None = None, **more: Any) -> TestResponse:
        headers = [("Authorization", f"Bearer {self.key if key is None else key}")]
        return self.client.post("/v1/sessions", headers=headers, **more)


@pytest.fixture
def site(standin: StandIn, tmp_path: Path) -> Iterator[Site]:
    (tmp_path / "secret").write_text(standin.api_secret)
    settings = Settings(
        listen=Listen(),
        videosdk=VideoSdk(url=standin.base_url, api_key=standin.api_key, api_secret_file=tmp_path / "secret"),
        storage=StorageSettings(url=Secret(f"sqlite:///{tmp_path}/broker.db")),
        devices=Devices(burst=3),
        proxy=Proxy(),
        operators=Operators(key_file=None),
        log=Log(),
    )
    broker = compose(settings)
    migrate(broker.storage)
    key = broker.registry.add(NewDevice("pump-7", room_id=standin.room))
    yield Site(broker, make_app(broker).test_client(), key)
    broker.storage.engine.dispose()


def test_a_device_gets_a_session_in_the_pages_shape(site: Site, standin: StandIn) -> None:
    answer = site.post(json={"participant": {"name": "Pump 7"}})
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.json is not None
    assert answer.json["message"] == "Ingest session created"
    assert sorted(answer.json["data"]) == ["callId", "expiresIn", "wsUrl"]
    assert answer.headers["Cache-Control"] == "no-store"
    asked = standin.session_requests()[-1]
    assert asked.body == {"roomId": standin.room, "participant": {"name": "Pump 7"}}
    assert site.key not in json.dumps(asked.headers)


def test_no_body_is_a_request_too(site: Site) -> None:
    assert site.post().status_code == 200


def test_the_key_is_asked_for_before_the_body_is_looked_at(site: Site) -> None:
    assert site.post("wrong", data=b"{").status_code == 401
    assert site.post(data=b"{").status_code == 400


def test_every_stranger_gets_the_very_same_answer(site: Site, standin: StandIn) -> None:
    disabled = site.broker.registry.add(NewDevice("pump-8", room_id="r"))
    site.broker.registry.disable("pump-8")
    other = "0" if site.key[-1] != "0" else "1"
    keys = [
        site.key[:-1] + other,
        disabled,
        "igd_" + "0" * 16 + "_" + "0" * 64,
        "garbage",
        "",
        site.key + " " + site.key,
    ]
    before = len(standin.session_requests())
    answers = [site.post(key) for key in keys] + [site.client.post("/v1/sessions")]
    assert {(one.status, one.data, tuple(one.headers)) for one in answers} == {
        (answers[0].status, answers[0].data, tuple(answers[0].headers))
    }
    assert answers[0].status_code == 401
    assert answers[0].headers["WWW-Authenticate"] == "Bearer"
    assert len(standin.session_requests()) == before
    assert b"ingestd_broker_keys_refused_total 7.0" in site.broker.figures.text()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[]", "The body is no JSON object"),
        (b"roomId=a", "The body is not JSON"),
        (b'{"region": 7}', "region is no text of 1 to 64 characters"),
        (b'{"participant": {"name": "\\ud800"}}', "The body has half a character in it"),
        (b'{"participant": {"name": "\\u0000"}}', "The body has a NUL character in it"),
        (b"[" * 60_000, None),
    ],
)
def test_a_body_that_is_wrong_is_refused_by_name(site: Site, body: bytes, message: str | None) -> None:
    answer = site.post(data=body)
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["code"] == "bad-request"
    assert message is None or answer.json["message"] == message


def test_a_body_that_is_too_large_is_not_read(site: Site, standin: StandIn) -> None:
    before = len(standin.session_requests())
    padded = json.dumps({"participant": {"metadata": {"a": "x" * 64 * 1024}}}).encode()
    assert site.post(data=padded).status_code == 413
    assert len(standin.session_requests()) == before
    assert site.post(data=b"{}".ljust(64 * 1024)).status_code == 200


def test_one_that_asks_too_often_is_told_in_whole_seconds(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site.broker.sessions, "_now", lambda: 1_795_000_000.0)
    answers = [site.post() for _ in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert answers[3].headers["Retry-After"] == "5"
    assert answers[3].json is not None
    assert answers[3].json["code"] == "rate-limited"


def test_what_the_service_calls_a_request_by_is_handed_on(site: Site, standin: StandIn) -> None:
    standin.configure(request_id_header="")
    standin.fail_sessions(SessionFault(status=404, message="Room not found", headers={"X-Request-Id": "req-1"}))
    answer = site.post()
    assert (answer.status_code, answer.headers["X-Request-Id"]) == (404, "req-1")
    assert answer.json == {"message": "The service answered 404: Room not found", "code": "service-refused"}


def test_the_services_time_to_wait_is_handed_on(site: Site, standin: StandIn) -> None:
    standin.fail_sessions(SessionFault(status=429, retry_after="33"))
    answer = site.post()
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "33")


def test_the_brokers_token_refused_is_no_fault_of_the_device(site: Site, standin: StandIn) -> None:
    standin.fail_sessions(SessionFault(status=403, message="no such key standin-key"), times=2)
    answer = site.post()
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 30
    assert b"standin-key" not in answer.data


def test_other_methods_are_not_known(site: Site) -> None:
    assert site.client.get("/v1/sessions").status_code == 405
