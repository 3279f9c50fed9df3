"""How long is waited after which end."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.retry import Cause, Retry, cause_of
from ingestd.core.times import Times
from ingestd.errors import (
    BackendError,
    BackendFault,
    CertificateError,
    ChannelClosed,
    ChannelError,
    MeetingEnded,
    ProxyRefused,
    RemoteProtocolError,
    UpgradeRefused,
)

PERSON = (
    BackendFault.UNAUTHORIZED,
    BackendFault.FORBIDDEN,
    BackendFault.NOT_FOUND,
    BackendFault.REFUSED,
    BackendFault.TLS,
    BackendFault.TOKEN,
    BackendFault.PROXY,
)


def latest() -> Retry:
    """Every wait is as long as it can be (just)."""
    return Retry(lambda: 1.0)


def soonest() -> Retry:
    return Retry(lambda: 0.0)


@pytest.mark.parametrize("fault", list(BackendFault))
def test_what_the_backend_says(fault: BackendFault) -> None:
    expected = Cause.PERSON if fault in PERSON else Cause.TRANSIENT
    if fault is BackendFault.RATE_LIMITED:
        expected = Cause.RATE_LIMITED
    assert cause_of(BackendError(fault, "x")) is expected


@pytest.mark.parametrize("code", [None, 1001, 1002, 1006, 1009, 1011, 1012, 1013, 3000])
def test_a_close_that_passes_by_itself(code: int | None) -> None:
    assert cause_of(ChannelClosed("x", code)) is Cause.TRANSIENT


@pytest.mark.parametrize("error", [*(ChannelClosed("x", code) for code in (1000, 1005, 4000, 4999)), MeetingEnded("x")])
def test_an_end_on_purpose(error: Exception) -> None:
    assert cause_of(error) is Cause.ENDED


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ChannelClosed("start timeout", 1008), Cause.EXPIRED),
        (UpgradeRefused("x", 404), Cause.EXPIRED),
        (UpgradeRefused("x", 403), Cause.EXPIRED),
        (UpgradeRefused("x", 429), Cause.RATE_LIMITED),
        (UpgradeRefused("x", 503), Cause.TRANSIENT),
        (CertificateError("x"), Cause.PERSON),
        (ProxyRefused("x", 407), Cause.PERSON),
        (RemoteProtocolError("x"), Cause.TRANSIENT),
        (ChannelError("can't connect"), Cause.TRANSIENT),
        (KeyError("a bug"), Cause.TRANSIENT),
    ],
)
def test_other_ends(error: Exception, cause: Cause) -> None:
    assert cause_of(error) is cause


def test_what_passes_is_tried_again_with_full_jitter_half_a_second_doubling_to_a_minute() -> None:
    retry = latest()
    assert [retry.wait_s(Cause.TRANSIENT) for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 32, 58, 58]
    assert soonest().wait_s(Cause.TRANSIENT) == 0.0


def test_a_persons_job_is_tried_every_half_minute_to_five() -> None:
    retry = latest()
    assert [retry.wait_s(Cause.PERSON) for _ in range(5)] == [60, 120, 240, 300, 300]
    assert soonest().wait_s(Cause.PERSON) == 30.0


def test_an_ended_call_is_followed_after_five_seconds_and_ever_later() -> None:
    retry = soonest()
    assert [retry.wait_s(Cause.ENDED) for _ in range(6)] == [5, 10, 20, 40, 60, 60]
    assert latest().wait_s(Cause.ENDED) == 6.0, "but for some jitter"


def test_an_expired_session_is_replaced_at_once_and_then_as_any_fault() -> None:
    retry = latest()
    assert [retry.wait_s(Cause.EXPIRED) for _ in range(4)] == [0, 0.5, 1, 2]
    retry.good()
    assert retry.wait_s(Cause.EXPIRED) == 0


def test_a_good_connection_begins_all_of_them_anew() -> None:
    retry = latest()
    causes = (Cause.TRANSIENT, Cause.PERSON, Cause.ENDED)
    first = [retry.wait_s(cause) for cause in causes]
    assert [retry.wait_s(cause) for cause in causes] != first
    retry.good()
    assert [retry.wait_s(cause) for cause in causes] == first


@given(st.sampled_from(list(Cause)), st.floats(0, 3600), st.integers(0, 2**32))
def test_nobody_comes_before_the_server_asked_for(cause: Cause, asked_s: float, seed: int) -> None:
    retry = Retry(random.Random(seed).random)
    for _ in range(5):
        assert asked_s <= retry.wait_s(cause, asked_s) <= 1.5 * asked_s + 300.0


def test_those_who_were_told_the_same_do_not_come_back_as_one() -> None:
    draw = random.Random(1)
    waits = sorted(Retry(draw.random).wait_s(Cause.RATE_LIMITED, 60.0) for _ in range(1000))
    most_in_a_second = max(sum(s <= other < s + 1.0 for other in waits) for s in waits)
    assert most_in_a_second <= 50, "5 % of them"


def test_times_are_given() -> None:
    retry = Retry(lambda: 1.0, Times(backoff_base_s=0.01, backoff_cap_s=0.02, person_least_s=1.0, person_most_s=1.5))
    assert [retry.wait_s(Cause.TRANSIENT) for _ in range(3)] == [0.01, 0.02, 0.02]
    assert [retry.wait_s(Cause.PERSON) for _ in range(2)] == [1.5, 1.5]
