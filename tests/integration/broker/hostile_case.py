"""A broker that everything harmful is tried on, with what is to be as before when a test is over."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import func, select

from ingestd.broker.model import DEVICES, METADATA
from tests.rig.broker import BrokerProcess
from tests.rig.postgres import Postgres
from tests.rig.raw_http import Answer, RawClient, request
from tests.rig.raw_service import SESSION, RawService, answer
from tests.unit.broker import signing

TOKEN = "a-token-of-the-service-that-is-nobodys-business"
WEBHOOKS = "/v1/webhooks/videosdk"
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What a terminal would act on, or what would forge a line."""


class Site(NamedTuple):
    """A broker, the service it asks, and a device."""

    broker: BrokerProcess
    service: RawService
    key: str

    def ask(self, data: bytes) -> Answer:
        """Answers to that over a connection of its own, which is no fault of the broker's in any case."""
        with RawClient(self.broker.port) as client:
            got = client.ask(data)
        assert got.status < 500, (data[:200], got)
        assert b"owned" not in got.head, got.head
        assert b"Traceback" not in got.body
        return got

    def session(self, body: Any, **headers: str | bytes) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields: dict[str, str | bytes] = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        return self.ask(request("/v1/sessions", {**fields, **headers}, data))

    def webhook(self, body: Any) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask(request(WEBHOOKS, {"videosdk-signature": signing.signed(data)}, data))

    def operator(self, path: str) -> Answer:
        return self.ask(request(path, {"Authorization": f"Bearer {self.broker.operator_key}"}, method="GET"))

    def rows(self) -> dict[str, int]:
        with self.broker.open_storage() as storage, storage.reading() as connection:
            return {
                name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for name, table in METADATA.tables.items()
            }

    def devices(self) -> list[tuple[Any, ...]]:
        """All that is kept of devices but for the rate limit's state."""
        columns = [column for column in DEVICES.c if column.name != "due_ms"]
        with self.broker.open_storage() as storage, storage.reading() as connection:
            return [tuple(row) for row in connection.execute(select(*columns).order_by(DEVICES.c.id))]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def attacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    directory: Path = tmp_path_factory.mktemp("broker")
    database = None
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        database = server.database()
    (directory / "token").write_text(TOKEN)
    with (
        RawService(signing.pem()) as service,
        BrokerProcess(
            directory,
            service.url,
            database=database,
            videosdk={"token_file": str(directory / "token")},
            devices={
                "sessions_per_minute": 600,
                "burst": 600,
                "may_set": [
                    "room_id",
                    "participant.id",
                    "participant.name",
                    "participant.metadata",
                    "agent",
                    "region",
                ],
            },
            proxy={"trusted": ["127.0.0.1"], "certificate_header": "X-Client-Name"},
            log={"level": "debug"},
        ) as broker,
    ):
        broker.add_device("disabled", room_id="r")
        yield Site(broker, service, broker.add_device("field-1", certificate_name="field-1.example"))
        log = broker.log
        assert not FORBIDDEN.search(log), FORBIDDEN.findall(log)
        for secret in (TOKEN, broker.operator_key, "vs_0123456789abcdef"):
            assert secret not in log
        assert "Traceback" not in log
        assert "nobody foresaw" not in log


@pytest.fixture
def site(attacked: Site) -> Iterator[Site]:
    """A site whose devices are as before when the test is over, and whose service answers as it should again."""
    before = attacked.devices()
    yield attacked
    attacked.service.said = answer(SESSION)
    assert attacked.devices() == before
    assert attacked.session({}).status == 200
    assert attacked.key not in attacked.broker.log
