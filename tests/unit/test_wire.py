"""The service's frames: what is read, what is written, and that nothing a stranger sends is ever a surprise."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core import wire
from ingestd.errors import WireError
from tests.unit.exactly import exactly

PCM = bytes(range(256)) + bytes(64)

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def frame(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def kind(text: bytes) -> str:
    """The fault with which `text` is refused."""
    with pytest.raises(WireError) as raised:
        wire.decode(text)
    assert raised.value.kind in wire.WIRE_FAULTS
    return raised.value.kind


def message(**data: Any) -> bytes:
    return frame(event="message", topic="CHAT", data=data)


@pytest.mark.parametrize("pcm", [PCM, b"", b"\x01\x02", bytes(320), bytes(48000)])
def test_media_comes_back_as_it_went(pcm: bytes) -> None:
    assert exactly(wire.decode(wire.encode_media(pcm))) == exactly(wire.Media(pcm))


def test_what_goes_out_is_what_the_page_shows() -> None:
    media = json.loads(wire.encode_media(PCM))
    assert media == {"event": "media", "payload": base64.b64encode(PCM).decode()}
    assert len(media["payload"]) == 428
    assert json.loads(wire.START) == {"event": "start"}
    assert json.loads(wire.STOP) == {"event": "stop"}
    assert json.loads(wire.encode_subscribe("CHAT")) == {"event": "subscribe", "topic": "CHAT"}
    assert json.loads(wire.encode_unsubscribe("CHAT")) == {"event": "unsubscribe", "topic": "CHAT"}
    for data in ("Hello", 'grüße \x00\n"', {"a": [1, None, True]}, 7, None):
        assert json.loads(wire.encode_message("T", data)) == {"event": "message", "topic": "T", "data": data}


@pytest.mark.parametrize(
    "text",
    [
        b'{"payload":"AQI=","event":"media"}',
        b' { "event" : "media" , "payload" : "AQI=" } ',
        b'{"event":"media","payload":"AQI=","sequence":3}',
        b'{"event":"media","payload":"\\u0041QI="}',
        b'{"event":"media","payload":"AQI=","payload":"AQI="}',
    ],
)
def test_media_is_read_however_it_is_spelled(text: bytes) -> None:
    assert exactly(wire.decode(text)) == exactly(wire.Media(b"\x01\x02"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"", "not_json"),
        (b"hello", "not_json"),
        (b'{"event":"media","payload":"AQI="', "not_json"),
        (b'{"event":"media","payload":"AQI="}}', "not_json"),
        (b'\xef\xbb\xbf{"event":"meeting-left"}', "not_json"),
        (b'{"event":NaN}', "not_json"),
        (b'{"event":"participant-joined","participant":{"metadata":NaN}}', "not_json"),
        (b'{"event":"participant-joined","participant":{"metadata":-Infinity}}', "not_json"),
        (b'{"event":"participant-joined","participant":{"metadata":1e999}}', "not_json"),
        (b'{"event":"message","topic":"T","data":{"message":NaN}}', "not_json"),
        pytest.param(b'{"event":"x","n":' + b"9" * 5000 + b"}", "not_json", id="5000 digits"),
        (b'{"event":"m\xff"}', "not_utf8"),
        (b"\xed\xa0\x80", "not_utf8"),
        (b"[]", "not_an_event"),
        (b"null", "not_an_event"),
        (b'"media"', "not_an_event"),
        (b"{}", "not_an_event"),
        (b'{"event":null}', "not_an_event"),
        (b'{"event":["media"]}', "not_an_event"),
        (b'{"event":"media"}', "bad_media"),
        (b'{"event":"media","payload":null}', "bad_media"),
        (b'{"event":"media","payload":7}', "bad_media"),
        (b'{"event":"media","payload":["AQI="]}', "bad_media"),
        (b'{"event":"media","payload":"AQI"}', "bad_base64"),
        (b'{"event":"media","payload":"A"}', "bad_base64"),
        (b'{"event":"media","payload":"AQ I="}', "bad_base64"),
        (b'{"event":"media","payload":"AQI=AQI="}', "bad_base64"),
        (b'{"event":"media","payload":"A_I-"}', "bad_base64"),
        (b'{"event":"media","payload":"\xc3\xa4QI="}', "bad_base64"),
        (b'{"event":"media","payload":"\\ud800QI="}', "bad_base64"),
        (b'{"event":"media","payload":"AQ=="}', "odd_length"),
        (b'{"payload":"AQID","event":"media"}', "odd_length"),
        (b'{"event":"message"}', "bad_message"),
        (b'{"event":"message","topic":"T"}', "bad_message"),
        (b'{"event":"message","topic":7,"data":{"message":"m"}}', "bad_message"),
        (b'{"event":"message","topic":"T","data":"m"}', "bad_message"),
        (b'{"event":"message","topic":"T","data":{}}', "bad_message"),
    ],
)
def test_a_malformed_frame_is_a_fault_with_a_name(text: bytes, fault: str) -> None:
    assert kind(text) == fault


@pytest.mark.parametrize("bracket", [b"[", b'{"a":'])
def test_nesting_that_python_cannot_read_is_a_fault(bracket: bytes) -> None:
    depth = 60_000 // len(bracket)
    assert kind(bracket * depth) in ("too_deep", "not_json")
    assert kind(b"[" * 30_000 + b"]" * 30_000) == "too_deep"
    assert kind(b"[" * 100_000) == "oversize"


@pytest.mark.parametrize("depth", [100, 400, 900])
def test_nesting_that_the_rest_of_the_daemon_could_not_copy_is_a_fault(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    assert kind(b'{"event":"participant-joined","participant":{"metadata":' + deep + b"}}") == "too_deep"
    assert kind(b'{"event":"message","topic":"T","data":{"message":' + deep + b"}}") == "too_deep"


def test_what_is_passed_on_can_be_copied_and_written() -> None:
    metadata: Any = "x"
    for _ in range(wire.MAX_DEPTH):
        metadata = [metadata]
    event = wire.decode(frame(event="participant-joined", participant={"metadata": metadata}))
    assert isinstance(event, wire.ParticipantJoined)
    json.dumps(event._asdict())
    assert event.participant.metadata == metadata


@pytest.mark.parametrize("payload", [b"A" * (1 << 20), b"A" * wire.MAX_INBOUND_BYTES], ids=["1 MiB", "64 KiB"])
def test_a_megabyte_is_refused_by_its_size_in_either_spelling(payload: bytes) -> None:
    assert kind(b'{"event":"media","payload":"' + payload + b'"}') == "oversize"
    assert kind(b'{"payload":"' + payload + b'","event":"media"}') == "oversize"


def test_a_fault_does_not_repeat_the_strangers_text() -> None:
    for text in (b"secret!", b'{"event":"media","payload":"secret!"}', b'{"event":"message","topic":"secret!"}'):
        with pytest.raises(WireError) as raised:
            wire.decode(text)
        assert "secret" not in str(raised.value)


def test_a_message_is_read_with_all_its_fields() -> None:
    data = {
        "message": "Hello",
        "senderId": "p1",
        "senderName": "Alice",
        "timestamp": "2026-06-27T14:41:00.000Z",
        "id": "m1",
        "more": 1,
    }
    expected = wire.Message("CHAT", "Hello", "p1", "Alice", data["timestamp"], "m1")  # type: ignore[arg-type]
    assert exactly(wire.decode(message(**data))) == exactly(expected)


@pytest.mark.parametrize("name", ["senderId", "senderName", "timestamp", "id"])
@pytest.mark.parametrize("value", [None, 7, ["x"], {"a": 1}])
def test_a_field_of_another_type_counts_as_missing(name: str, value: Any) -> None:
    expected = wire.Message("CHAT", "m", None, None, None, None)
    assert exactly(wire.decode(message(message="m", **{name: value}))) == exactly(expected)


@pytest.mark.parametrize(("value", "text"), [({"a": 1}, '{"a":1}'), ([1, "ä"], '[1,"ä"]'), (None, "null"), (7, "7")])
def test_a_message_that_came_unserialised_is_serialised(value: Any, text: str) -> None:
    event = wire.decode(message(message=value))
    assert isinstance(event, wire.Message)
    assert event.text == text


def test_lone_surrogates_are_replaced_so_that_every_text_can_be_written() -> None:
    event = wire.decode(
        b'{"event":"message","topic":"\\ud800T","data":{"message":"a\\udfffb","senderName":"\\ud83d\\ude00"}}'
    )
    assert isinstance(event, wire.Message)
    assert (event.topic, event.text, event.sender_name) == ("?T", "a?b", "😀")
    unknown = wire.decode(b'{"event":"\\udc00"}')
    assert exactly(unknown) == exactly(wire.Unknown("?"))


def test_the_frames_the_page_does_not_name_are_read_with_or_without_their_fields() -> None:
    someone = {"id": "p", "name": "n", "metadata": {"a": [1]}}
    joined = frame(event="meeting-joined", roomId="r", sessionId="s")
    assert exactly(wire.decode(joined)) == exactly(wire.MeetingJoined("r", "s"))
    assert exactly(wire.decode(frame(event="meeting-joined", roomId=1))) == exactly(wire.MeetingJoined(None, None))
    assert exactly(wire.decode(frame(event="meeting-left", message="bye"))) == exactly(wire.MeetingLeft("bye"))
    assert exactly(wire.decode(frame(event="meeting-left"))) == exactly(wire.MeetingLeft(None))
    came = wire.decode(frame(event="participant-joined", participant=someone))
    assert exactly(came) == exactly(wire.ParticipantJoined(wire.Participant("p", "n", {"a": [1]})))
    nobodies: list[Any] = [None, 7, "p", [], {}]
    for nobody in nobodies:
        left = wire.decode(frame(event="participant-left", participant=nobody))
        assert exactly(left) == exactly(wire.ParticipantLeft(wire.Participant(None, None, None)))


def test_an_unknown_event_is_no_fault_and_its_name_is_bounded() -> None:
    assert exactly(wire.decode(frame(event="clear", streamSid="x"))) == exactly(wire.Unknown("clear"))
    event = wire.decode(frame(event="x" * 5000))
    assert exactly(event) == exactly(wire.Unknown("x" * wire.MAX_TOPIC_CHARS))


@given(st.binary(max_size=300) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_event_or_a_fault(text: bytes) -> None:
    try:
        event = wire.decode(text)
    except WireError as error:
        fault = error.kind
    else:
        json.dumps(event._asdict(), allow_nan=False, default=repr)
        return
    assert fault in wire.WIRE_FAULTS


@given(
    st.sampled_from(["media", "message", "meeting-joined", "meeting-left", "participant-joined", "participant-left"]),
    st.dictionaries(
        st.sampled_from(["payload", "topic", "data", "roomId", "sessionId", "message", "participant"]), json_values
    ),
)
def test_any_fields_of_a_known_event_are_an_event_or_a_fault(event: str, fields: dict[str, Any]) -> None:
    try:
        assert not isinstance(wire.decode(frame(event=event, **fields)), wire.Unknown)
    except WireError as error:
        fault = error.kind
    else:
        return
    assert fault in wire.WIRE_FAULTS


@given(st.text())
def test_a_payloads_size_is_that_of_its_utf8(text: str) -> None:
    assert wire.payload_size_bytes(text) == len(text.encode())


def test_a_payloads_size_counts_a_value_once_serialised_and_refuses_what_is_no_json() -> None:
    assert wire.payload_size_bytes({"a": [1, "ä"]}) == len('{"a":[1,"ä"]}'.encode())
    for data in (float("nan"), float("inf"), "\ud800", ["\ud800"]):
        with pytest.raises(ValueError, match=r"JSON|surrogates"):
            wire.encode_message("T", data)
