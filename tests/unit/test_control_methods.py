"""What local programs can ask for: the room's messages, and the status."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from ingestd.control.methods import methods
from ingestd.control.protocol import INVALID_PARAMS, UNAVAILABLE, RpcError
from ingestd.core import wire
from ingestd.core.outbox import MAX_WAITING, Outbox
from ingestd.core.topics import MAX_TOPICS, TopicSet


class Case:
    """The methods, over an outbox that nobody empties but the test."""

    def __init__(self, topics: TopicSet | None = None) -> None:
        self.now = 100.0
        self.outbox = Outbox()
        status = {"state": "waiting"}
        self.served: dict[str, Callable[[Any], Any]] = {
            **methods(lambda: status, self.outbox, topics or TopicSet(()), lambda: 100, 30.0, self.time)
        }

    def time(self) -> float:
        return self.now

    def publish(self, data: Any = "d", **others: Any) -> Future[Any]:
        answer = self.served["publish"]({"topic": "T", "data": data, **others})
        assert isinstance(answer, Future)
        return answer

    def fault(self, method: str, **params: Any) -> tuple[int, str]:
        with pytest.raises(RpcError) as raised:
            self.served[method](params)
        return raised.value.code, str(raised.value)


@pytest.fixture
def case() -> Case:
    return Case()


def test_what_is_published_goes_to_the_room_and_is_answered_then(case: Case) -> None:
    for data in ("grüße", {"a": [1]}, None, 7, "", "x" * 100, "ä" * 50):
        answer = case.publish(data)
        assert not answer.done()
        case.now += 0.25
        taken = case.outbox.take(case.now)
        assert taken is not None
        assert taken.text == wire.encode_message("T", data)
        assert not answer.done(), "it is not written yet"
        case.outbox.sent(taken)
        assert answer.result(0) == {"sent": True, "waited_s": 0.25}


def test_what_waits_for_too_long_is_thrown_away_and_its_caller_told(case: Case) -> None:
    first, second = case.publish(), case.publish(wait_s=2)
    case.now += 2.0
    case.outbox.expire(case.now)
    assert not first.done()
    with pytest.raises(RpcError, match="waited 2 s for the room and was thrown away"):
        second.result(0)
    case.now += 28.0
    case.outbox.expire(case.now)
    with pytest.raises(RpcError, match="waited 30 s") as raised:
        first.result(0)
    assert raised.value.code == UNAVAILABLE
    assert case.outbox.take(case.now) is None


def test_with_too_many_waiting_a_message_is_refused_at_once(case: Case) -> None:
    for _ in range(MAX_WAITING):
        case.publish()
    code, text = case.fault("publish", topic="T", data="d")
    assert (code, text.startswith(f"{MAX_WAITING} messages wait")) == (UNAVAILABLE, True)


def test_not_to_wait_is_to_wait_for_its_turn_in_the_room(case: Case) -> None:
    answer = case.publish(wait_s=0)
    case.now += 0.05
    taken = case.outbox.take(case.now)
    assert taken is not None
    case.outbox.sent(taken)
    assert answer.result(0)["sent"]
    answer = case.publish(wait_s=0)
    case.now += 0.1
    case.outbox.expire(case.now)
    with pytest.raises(RpcError, match="thrown away"):
        answer.result(0)


@pytest.mark.parametrize("wait_s", [-1, 31, "1", True, None, float("nan")])
def test_how_long_to_wait_is_a_number_within_bounds(wait_s: Any, case: Case) -> None:
    assert case.fault("publish", topic="T", data="d", wait_s=wait_s)[0] == INVALID_PARAMS
    assert not len(case.outbox)


@pytest.mark.parametrize("method", ["publish", "subscribe", "unsubscribe"])
@pytest.mark.parametrize("topic", [None, 7, "", "x" * 129, ["T"], "\ud800", "T\udfff"])
def test_a_topic_that_cannot_be_is_refused(method: str, topic: Any, case: Case) -> None:
    assert case.fault(method, topic=topic, data="d")[0] == INVALID_PARAMS
    assert case.fault(method, data="d")[0] == INVALID_PARAMS
    assert not len(case.outbox)


@pytest.mark.parametrize("data", ["x" * 101, "ä" * 51, ["x" * 97], "\ud800", float("nan"), {"a": float("inf")}])
def test_data_that_cannot_be_sent_is_refused(data: Any, case: Case) -> None:
    assert case.fault("publish", topic="T", data=data)[0] == INVALID_PARAMS
    assert case.fault("publish", topic="T") == (INVALID_PARAMS, "data is missing")
    assert not len(case.outbox)


def test_data_nested_beyond_reason_is_refused(case: Case) -> None:
    data: Any = "x"
    for _ in range(5000):
        data = [data]
    assert case.fault("publish", topic="T", data=data)[0] == INVALID_PARAMS


def test_the_number_of_topics_is_bounded() -> None:
    case = Case(TopicSet(str(n) for n in range(MAX_TOPICS)))
    assert case.served["subscribe"]({"topic": "0"}), "known already"
    assert str(MAX_TOPICS) in case.fault("subscribe", topic="one more")[1]


def test_status_is_whatever_the_daemon_says(case: Case) -> None:
    assert case.served["status"]({"ignored": 1}) == {"state": "waiting"}
