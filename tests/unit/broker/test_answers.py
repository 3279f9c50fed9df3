"""What a device is told of the service's answers."""

from __future__ import annotations

import pytest

from ingestd.broker.answers import not_let_in, passed_on, spread_s
from ingestd.broker.errors import ServiceError


def half() -> float:
    return 0.5


def error(status: int, *, late: bool = False, after_s: float | None = None, code: str | None = None) -> ServiceError:
    said = f"the service answered {status}: so it is"
    return ServiceError(status, said, late=late, retry_after_s=after_s, code=code, request_id="r-1")


@pytest.mark.parametrize(
    ("given", "status", "code", "after_s"),
    [
        (error(429), 429, "service-busy", 7.0),
        (error(429, after_s=31.5), 429, "service-busy", 31.5),
        (error(429, after_s=0.0, code="slow"), 429, "slow", 0.0),
        (error(400), 400, "service-refused", None),
        (error(402), 402, "service-refused", None),
        (error(404, code="ROOM"), 404, "ROOM", None),
        (error(409), 409, "service-refused", None),
        (error(418), 418, "service-refused", None),
        (error(422, after_s=9.0), 422, "service-refused", None),
        (error(500), 502, "service-failed", None),
        (error(502), 502, "service-failed", None),
        (error(503), 503, "service-unavailable", 7.0),
        (error(503, after_s=120.0), 503, "service-unavailable", 120.0),
        (error(504), 502, "service-failed", None),
        (error(0), 502, "service-unreachable", None),
        (error(0, late=True), 504, "service-late", None),
        (error(103), 502, "service-failed", None),
        (error(200), 502, "service-failed", None),
        (error(302), 502, "service-failed", None),
        (error(999), 502, "service-failed", None),
    ],
)
def test_each_answer_has_its_meaning(given: ServiceError, status: int, code: str, after_s: float | None) -> None:
    told = passed_on(given, half)
    assert (told.status, told.code, told.retry_after_s) == (status, code, after_s)
    assert told.message == "The" + str(given)[3:]
    assert told.request_id == "r-1"


@pytest.mark.parametrize("status", [401, 403])
def test_the_brokers_own_token_is_never_a_devices_fault(status: int) -> None:
    told = passed_on(error(status, code="TOKEN"), half)
    assert told.status == 503
    assert told.code == "broker-not-let-in"
    assert "nothing is wrong with this device" in told.message
    assert "token" not in told.message.lower()
    assert str(status) not in told.message
    assert told.retry_after_s == not_let_in(half).retry_after_s == 37.0


def test_those_who_are_told_to_wait_come_back_one_by_one() -> None:
    waits = {spread_s(lambda random=one / 10: random) for one in range(10)}  # type: ignore[misc]
    assert len(waits) == 10
    assert min(waits) == 2.0
    assert max(waits) < 12.0
