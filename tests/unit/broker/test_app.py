"""How what goes wrong is answered: always JSON, never with what is nobody's business, and when to come again."""

from __future__ import annotations

import logging
from typing import NoReturn

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as NoneFree

from ingestd.broker.errors import Refused
from tests.unit.broker.site import Site

PATH = "/healthz"


def raising(site: Site, error: Exception) -> None:
    """Lets a route fail by that error."""

    def fail() -> NoReturn:
        raise error

    assert "operators.health" in site.app.view_functions
    site.app.view_functions["operators.health"] = fail


@pytest.mark.parametrize(("asked_s", "told"), [(None, None), (0.2, "1"), (7.01, "8")])
def test_a_refusal_is_json_with_whole_seconds_of_patience(site: Site, asked_s: float | None, told: str | None) -> None:
    raising(site, Refused(429, "Too often", code="rate-limited", retry_after_s=asked_s))
    answer = site.client.get(PATH)
    assert (answer.status_code, answer.json) == (429, {"message": "Too often", "code": "rate-limited"})
    assert answer.headers.get("Retry-After") == told
    assert "WWW-Authenticate" not in answer.headers


def test_a_database_that_fails_is_waited_for_and_its_statement_shown_to_nobody(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    raising(site, OperationalError("SELECT hush FROM devices", {"key": "hush"}, Exception("disk I/O error")))
    answer = site.client.get(PATH)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "hush" not in answer.text + caplog.text
    assert "disk I/O error" in caplog.text
    assert "disk" not in answer.text


def test_who_waited_for_the_database_in_vain_is_told_to_come_again(site: Site) -> None:
    raising(site, NoneFree("QueuePool limit of size 4 overflow 0 reached"))
    answer = site.client.get(PATH)
    assert (answer.status_code, answer.json) == (429, {"message": "The broker is busy", "code": "busy"})
    assert int(answer.headers["Retry-After"]) >= 2


def test_a_database_that_stays_away_fills_no_journal(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    raising(site, OperationalError("SELECT 1", {}, Exception("server closed the connection")))
    for _ in range(100):
        assert site.client.get(PATH).status_code == 503
    assert len(caplog.records) <= 11


def test_what_nobody_foresaw_is_told_to_the_journal_alone(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    raising(site, ZeroDivisionError("of a kind"))
    answer = site.client.get(PATH)
    assert (answer.status_code, answer.content_type) == (500, "application/json")
    assert "of a kind" not in answer.text
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "ZeroDivisionError: of a kind" in caplog.text, "with its traceback"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "no-such-path"),
        ("DELETE", "/v1/sessions", 405, "method-not-allowed"),
        ("OPTIONS", "/v1/sessions", 405, "method-not-allowed"),
    ],
)
def test_what_is_not_there_is_answered_in_json(site: Site, method: str, path: str, status: int, code: str) -> None:
    answer = site.client.open(path, method=method)
    assert (answer.status_code, answer.content_type) == (status, "application/json")
    assert answer.json is not None
    assert answer.json["code"] == code
    assert (answer.headers.get("Allow") is not None) == (status == 405)


def test_no_answer_is_kept_by_a_proxy_or_taken_for_something_else(site: Site) -> None:
    for path in (PATH, "/v1/nothing", "/v1/devices"):
        answer = site.client.get(path)
        assert (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
