"""Every endpoint under requests made up from its description, right ones and wrong ones, whoever asks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from requests.auth import AuthBase
from schemathesis import Case
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import missing_required_header, negative_data_rejection, positive_data_acceptance

from ingestd.broker.openapi import DESCRIPTION
from tests.rig.broker import BrokerProcess
from tests.rig.postgres import Postgres
from tests.standin.client import StandIn

FEW: Final = settings(
    max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=HealthCheck
)
MANY: Final = settings(max_examples=1500, deadline=None, database=None, suppress_health_check=HealthCheck)
EVERY_FIELD: Final = ["room_id", "participant.id", "participant.name", "participant.metadata", "agent", "region"]
DEVICES: Final = 60
"""Their rate limits together are never met."""
OPEN: Final = "/healthz", "/v1/openapi.json"


def described(**generation: bool) -> BaseSchema:
    """The interface by its description; `generation` is what may be made up beside what that asks for."""
    config = schemathesis.Config.from_dict({"request-timeout": 60, "generation": {"database": "none", **generation}})
    return schemathesis.openapi.from_dict(DESCRIPTION, config=config)


# A NUL within a text is refused, which the description can't tell; a parameter without a value is never sent.
RIGHTLY: Final = described(**{"allow-x00": False, "allow-extra-parameters": False, "with-security-parameters": False})
ANYHOW: Final = described(**{"allow-x00": True})


class Signing(AuthBase):
    """Signs what is sent as the service would, over the very bytes."""

    def __init__(self, standin: StandIn) -> None:
        self._standin = standin

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        request.headers["videosdk-signature"] = self._standin.sign(body if isinstance(body, bytes) else body.encode())
        return request


class Site:
    """A broker with devices, and who may ask it for what."""

    def __init__(self, standin: StandIn, broker: BrokerProcess) -> None:
        self.broker = broker
        self._names = [f"device-{number}" for number in range(DEVICES)]
        self._keys = itertools.cycle(broker.add_devices(self._names))
        self._signing = Signing(standin)

    def credentials(self, path: str) -> dict[str, Any]:
        """What the right one to ask shows there, as requests takes it."""
        if path == "/v1/sessions":
            return {"headers": {"Authorization": f"Bearer {next(self._keys)}"}}
        if path == "/v1/webhooks/videosdk":
            return {"auth": self._signing}
        return {"headers": {"Authorization": f"Bearer {self.broker.operator_key}"}}

    def assert_sound(self) -> None:
        """Nothing was broken that a single answer does not show."""
        listed: list[str] = []
        after: dict[str, str] = {}
        while True:
            page = self.broker.get("/v1/devices", params={"limit": "7", **after}).json()
            listed += [device["name"] for device in page["devices"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert sorted(listed) == sorted(self._names)
        assert self.broker.get("/healthz").json() == {"status": "ok"}
        log = self.broker.log
        assert "Traceback" not in log
        assert "nobody foresaw" not in log
        assert not [line for line in log.splitlines() if not line.isprintable()]


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One for all tests of a kind of database. What they sent is looked at again when they are over."""
    database = None
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        database = server.database()
    directory: Path = tmp_path_factory.mktemp("broker")
    free = {"sessions_per_minute": 600, "burst": 600, "may_set": EVERY_FIELD}
    with StandIn() as standin, BrokerProcess(directory, standin, database=database, devices=free) as broker:
        found = Site(standin, broker)
        yield found
        found.assert_sound()


on_sqlite: Final = pytest.mark.parametrize("site", ["sqlite"], indirect=True, scope="module")
on_postgresql: Final = pytest.mark.parametrize("site", ["postgresql"], indirect=True, scope="module")
on_both: Final = pytest.mark.parametrize("site", ["sqlite", "postgresql"], indirect=True, scope="module")


@on_sqlite
@RIGHTLY.parametrize()
@FEW
def test_who_may_ask_is_answered_as_described(case: Case[Any], site: Site) -> None:
    asked_rightly(case, site)


@on_sqlite
@ANYHOW.parametrize()
@FEW
def test_a_stranger_is_answered_as_described(case: Case[Any], site: Site) -> None:
    asked_by_a_stranger(case, site)


@on_postgresql
@ANYHOW.parametrize()
@FEW
def test_no_text_breaks_anything(case: Case[Any], site: Site) -> None:
    asked_anyhow(case, site)


@pytest.mark.full
@pytest.mark.timeout(600)
@on_both
@RIGHTLY.parametrize()
@MANY
def test_many_who_may_ask_are_answered_as_described(case: Case[Any], site: Site) -> None:
    asked_rightly(case, site)


@pytest.mark.full
@pytest.mark.timeout(600)
@on_both
@ANYHOW.parametrize()
@MANY
def test_many_strangers_are_answered_as_described(case: Case[Any], site: Site) -> None:
    asked_by_a_stranger(case, site)


@pytest.mark.full
@pytest.mark.timeout(600)
@on_both
@ANYHOW.parametrize()
@MANY
def test_no_text_of_many_breaks_anything(case: Case[Any], site: Site) -> None:
    asked_anyhow(case, site)


def asked_rightly(case: Case[Any], site: Site) -> None:
    signed = case.path == "/v1/webhooks/videosdk"  # by us, whatever signature was made up
    left_out = [negative_data_rejection, missing_required_header] if signed else []
    case.call_and_validate(base_url=site.broker.url, excluded_checks=left_out, **site.credentials(case.path))


def asked_by_a_stranger(case: Case[Any], site: Site) -> None:
    answer = case.call_and_validate(base_url=site.broker.url)
    if case.path not in OPEN and case.method != "OPTIONS":
        assert 400 <= answer.status_code < 500


def asked_anyhow(case: Case[Any], site: Site) -> None:
    left_out = [negative_data_rejection, missing_required_header, positive_data_acceptance]
    case.call_and_validate(base_url=site.broker.url, excluded_checks=left_out, **site.credentials(case.path))
