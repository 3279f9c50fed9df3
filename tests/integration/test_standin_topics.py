"""The stand-in's topic messages keep the page's rules."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from tests.standin.client import StandIn
from tests.standin.probe import Probe

pytest_plugins = ("tests.standin.fixtures",)


def _joined(standin: StandIn, name: str = "Device", **more: Any) -> Probe:
    device = Probe(standin.create_session(name=name, **more).ws_url)
    device.wait("meeting-joined")
    return device


def test_a_message_arrives_in_exactly_the_page_s_shape(standin: StandIn) -> None:
    alice = standin.add("Alice", participant_id="alice-1")
    with _joined(standin) as device:
        device.send("subscribe", topic="CHAT")
        _settled(standin, device)
        published = standin.publish(alice, "CHAT", "Hello everyone")
        frame = device.wait("message")
    assert set(frame) == {"event", "topic", "data"}
    assert frame["topic"] == "CHAT"
    assert set(frame["data"]) == {"message", "senderId", "senderName", "timestamp", "id"}
    assert frame["data"]["message"] == "Hello everyone"
    assert (frame["data"]["senderId"], frame["data"]["senderName"]) == ("alice-1", "Alice")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", frame["data"]["timestamp"])
    assert frame["data"]["id"] == published.id


def _settled(standin: StandIn, device: Probe) -> None:
    """Wait until the stand-in has read everything `device` sent so far."""
    before = standin.connection().pings_received
    device.ws.ping()
    standin.wait_for(lambda: standin.connection().pings_received > before)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("text", "text"),
        ("", ""),
        ('{"already": "text"}', '{"already": "text"}'),
        ({"a": [1, None, "ü"]}, '{"a":[1,null,"ü"]}'),
        ([], "[]"),
        (7, "7"),
        (True, "true"),
        (None, "null"),
    ],
    ids=str,
)
def test_json_is_serialised_and_strings_stay(standin: StandIn, data: Any, text: str) -> None:
    alice = standin.add("Alice")
    standin.subscribe(alice, "CHAT")
    with _joined(standin) as device:
        device.send("message", topic="CHAT", data=data)
        assert standin.wait_for(lambda: standin.messages(alice))[0].message == text


def test_everyone_subscribed_receives_and_the_sender_never_does(standin: StandIn) -> None:
    alice, bob = standin.add("Alice"), standin.add("Bob")
    standin.subscribe(alice, "CHAT")
    with _joined(standin, "one") as one, _joined(standin, "two") as two:
        for device in (one, two):
            device.send("subscribe", topic="CHAT")
        _settled(standin, two)
        one.send("message", topic="CHAT", data="from one")
        assert two.wait("message")["data"]["senderName"] == "one"
        two.send("message", topic="CHAT", data="from two")
        assert one.wait("message")["data"]["message"] == "from two"
        standin.wait_for(lambda: len(standin.messages(alice)) == 2)
    assert standin.messages(bob) == []


def test_unsubscribing_ends_it(standin: StandIn) -> None:
    alice = standin.add("Alice")
    with _joined(standin) as device:
        for topic in ("A", "B"):
            device.send("subscribe", topic=topic)
        device.send("unsubscribe", topic="A")
        device.send("unsubscribe", topic="never subscribed")
        _settled(standin, device)
        standin.publish(alice, "A", "no")
        standin.publish(alice, "B", "yes")
        assert device.wait("message")["data"]["message"] == "yes"
        assert len([f for f in device.frames if f["event"] == "message"]) == 1


def test_messages_stay_in_their_room(standin: StandIn) -> None:
    stranger = standin.add("Stranger", room=standin.room + "-other")
    alice = standin.add("Alice")
    for person in (stranger, alice):
        standin.subscribe(person, "CHAT")
    with _joined(standin) as device:
        device.send("message", topic="CHAT", data="here")
        standin.wait_for(lambda: standin.messages(alice))
    assert standin.messages(stranger) == []


@pytest.mark.parametrize("topic", ["", "x" * 129, 7, None, ["CHAT"]], ids=lambda topic: repr(topic)[:12])
@pytest.mark.parametrize("event", ["subscribe", "unsubscribe", "message"])
def test_a_bad_topic_fails_and_never_drops_the_call(standin: StandIn, event: str, topic: Any) -> None:
    with _joined(standin) as device:
        device.send(event, topic=topic, data="x")
        device.send(event, topic="x" * 128, data="x")
        _settled(standin, device)
        assert standin.connection().counts == {"bad_topic": 1}
        assert len(standin.look().participants) == 1


@pytest.mark.parametrize(
    ("data", "fits"),
    [("x" * 8192, True), ("x" * 8193, False), ("ü" * 4096, True), ("ü" * 4097, False), (["x" * 8188], True)],
    ids=lambda value: str(len(value)) if isinstance(value, str | list) else str(value),
)
def test_a_payload_may_have_8_kb_of_utf_8(standin: StandIn, data: Any, fits: bool) -> None:
    with _joined(standin) as device:
        device.send("message", topic="CHAT", data=data)
        _settled(standin, device)
        assert len(standin.look(topic="CHAT").history) == int(fits)
        assert standin.connection().counts == ({} if fits else {"message_too_large": 1})
        assert len(standin.look().participants) == 1


def test_a_message_without_data_fails(standin: StandIn) -> None:
    with _joined(standin) as device:
        device.send("message", topic="CHAT")
        _settled(standin, device)
        assert standin.connection().counts == {"message_without_data": 1}


def test_frames_before_the_join_are_queued_and_flushed_in_order(standin: StandIn) -> None:
    alice = standin.add("Alice")
    standin.subscribe(alice, "CHAT")
    standin.configure(join_delay_s=60)
    with Probe(standin.create_session().ws_url) as never_joins:
        never_joins.send("message", topic="CHAT", data="never")
        _settled(standin, never_joins)
        assert standin.messages(alice) == []
    standin.configure(join_delay_s=1)
    with Probe(standin.create_session().ws_url) as device:
        device.send("subscribe", topic="CHAT")
        for number in range(3):
            device.send("message", topic="CHAT", data=number)
        device.wait("meeting-joined")
        received = standin.wait_for(lambda: messages if len(messages := standin.messages(alice)) == 3 else None)
        assert [message.message for message in received] == ["0", "1", "2"]
        standin.publish(alice, "CHAT", "hello")
        assert device.wait("message")["data"]["message"] == "hello"


def test_the_queue_before_the_join_is_bounded(standin: StandIn) -> None:
    standin.configure(join_delay_s=60, waiting_messages=2)
    with Probe(standin.create_session().ws_url) as device:
        for number in range(5):
            device.send("message", topic="CHAT", data=number)
        _settled(standin, device)
        assert standin.connection().counts == {"too_many_waiting": 3}


def test_before_start_nothing_can_be_subscribed_or_published(standin: StandIn) -> None:
    with Probe(standin.create_session().ws_url, start=False) as device:
        device.send("subscribe", topic="CHAT")
        device.send("message", topic="CHAT", data="early")
        _settled(standin, device)
        assert standin.connection().counts == {"topic_before_start": 2}


def test_history_outlives_the_participants(standin: StandIn) -> None:
    with _joined(standin) as device:
        device.send("message", topic="CHAT", data={"kept": True})
        _settled(standin, device)
        index = standin.connection().index
    standin.wait_closed(index)
    history = standin.look(topic="CHAT").history
    assert [json.loads(message.message) for message in history] == [{"kept": True}]
    assert standin.look(topic="OTHER").history == []


@pytest.mark.parametrize("replay", [False, True])
def test_history_is_replayed_to_a_subscriber_if_switched_on(standin: StandIn, replay: bool) -> None:
    standin.configure(replay_history=replay)
    alice = standin.add("Alice")
    for number in range(2):
        standin.publish(alice, "CHAT", number)
    with _joined(standin) as device:
        device.send("subscribe", topic="CHAT")
        device.send("subscribe", topic="CHAT")
        _settled(standin, device)
        standin.publish(alice, "CHAT", "new")
        device.read_until(lambda: any(f["event"] == "message" and f["data"]["message"] == "new" for f in device.frames))
        texts = [frame["data"]["message"] for frame in device.frames if frame["event"] == "message"]
        assert texts == (["0", "1", "new"] if replay else ["new"])


def test_messages_are_counted_for_each_call(standin: StandIn) -> None:
    alice = standin.add("Alice")
    session = standin.create_session()
    with Probe(session.ws_url) as device:
        device.send("subscribe", topic="CHAT")
        device.send("message", topic="CHAT", data="out")
        _settled(standin, device)
        standin.publish(alice, "CHAT", "in")
        device.wait("message")
    call = standin.call(session.call_id)
    assert (call.messages_in, call.messages_out) == (1, 1)


def test_text_beyond_utf_8_survives(standin: StandIn) -> None:
    alice = standin.add("Alice")
    standin.subscribe(alice, "CHAT")
    with _joined(standin) as device:
        device.ws.send('{"event": "message", "topic": "CHAT", "data": "\\ud800 \\u0000 😀"}')
        assert standin.wait_for(lambda: standin.messages(alice))[0].message == "\ud800 \0 😀"


@pytest.mark.parametrize("failed_topic", ["silent", "error", "close"])
def test_a_failed_publish_does_what_is_switched_on(standin: StandIn, failed_topic: str) -> None:
    standin.configure(failed_topic=failed_topic)
    with _joined(standin) as device:
        device.send("message", topic="CHAT", data="x" * 9000)
        if failed_topic == "close":
            index = standin.connection().index
            assert standin.wait_for(lambda: standin.connections(index)[0].close_code) == 1008
        else:
            _settled(standin, device)
            standin.publish(standin.add("Alice"), "CHAT", "on")
            assert standin.connection().closed_by == ""
        if failed_topic == "error":
            assert device.wait("error")["message"] == "message_too_large"
        assert standin.connection().counts["message_too_large"] == 1


def test_a_flood_comes_whole_and_in_order_and_at_its_rate(standin: StandIn) -> None:
    alice = standin.add("Alice")
    with _joined(standin) as device:
        device.send("subscribe", topic="CHAT")
        _settled(standin, device)
        began_s = time.monotonic()
        standin.flood(alice, "CHAT", 100, per_s=500.0, size_bytes=50)
        device.read_until(lambda: len([frame for frame in device.frames if frame["event"] == "message"]) == 100)
        assert time.monotonic() - began_s >= 0.19
    texts = [frame["data"]["message"] for frame in device.frames if frame["event"] == "message"]
    assert texts == [f"{number} ".ljust(50, "x") for number in range(100)]


@pytest.mark.parametrize("own", [False, True])
def test_a_history_holds_a_subscribers_own_messages_if_switched_on(standin: StandIn, own: bool) -> None:
    standin.configure(replay_history=True, replay_own=own)
    with _joined(standin, participant_id="device") as device:
        device.send("message", topic="CHAT", data="mine")
        _settled(standin, device)
    with _joined(standin, participant_id="device") as device:
        device.send("subscribe", topic="CHAT")
        _settled(standin, device)
        standin.publish(standin.add("Alice"), "CHAT", "last")
        device.read_until(
            lambda: any(f["event"] == "message" and f["data"]["message"] == "last" for f in device.frames)
        )
    texts = [frame["data"]["message"] for frame in device.frames if frame["event"] == "message"]
    assert texts == (["mine", "last"] if own else ["last"])


def test_topic_frames_are_shown_as_they_came_and_counted_between_two_media_frames(standin: StandIn) -> None:
    with _joined(standin) as device:
        device.send("subscribe", topic="EARLY")
        device.send_media(bytes(320))
        for topic in ("A", "B", "C"):
            device.send("subscribe", topic=topic)
        _settled(standin, device)
        assert standin.connection().most_between_media == 0, "what is after the last frame is between no two"
        device.send_media(bytes(320))
        device.send("message", topic="Ü", data="ß" * 1000)
        device.send_media(bytes(320))
        _settled(standin, device)
        info = standin.connection()
    assert info.most_between_media == 3
    assert info.topic_texts[0] == '{"event": "subscribe", "topic": "EARLY"}'
    assert len(info.topic_texts) == 5
    assert len(info.topic_texts[-1]) == 400
