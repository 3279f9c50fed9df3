"""A server that sends nonsense: what makes no sense is counted and the call goes on, what breaks framing ends it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.process import wait_until
from tests.standin.client import SocketFault, StandIn
from tests.standin.garbage import BREAKS_OFF

COUNTED = {
    "bad_json": "not_json",
    "not_an_object": "not_an_event",
    "null": "not_an_event",
    "no_event": "not_an_event",
    "event_not_a_string": "not_an_event",
    "unknown_event": "unknown",
    "empty_message": "not_json",
    "binary": "binary",
    "big_message": "oversize",
    "deep_nesting": "oversize",
    "odd_payload": "odd_length",
    "bad_base64": "bad_base64",
    "payload_not_a_string": "bad_media",
    "no_payload": "bad_media",
    "long_payload": "oversize",
    "message_without_data": "bad_message",
    "message_of_text": "bad_message",
    "huge_number": None,  # JSON or not depends on Python's limit on digits; a fault either way
    "bad_utf8": "not_utf8",
}
"""Kind of nonsense → the counter it goes to."""

HARMLESS = ("empty_payload", "lone_surrogate", "fragmented")


@dataclass
class Call:
    """A device in a room."""

    room: StandIn
    device: MemoryDevice


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Call]:
    with StandIn(tls=True) as room:
        config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
        with MemoryDevice(tmp_path, config) as device:
            room.wait_joined()
            yield Call(room, device)
            assert device.stop()["exit"] == 0
            assert room.token not in device.log
            assert "ref=" not in device.log


def test_every_kind_of_nonsense_is_counted_and_the_call_goes_on(call: Call) -> None:
    for kind, counter in COUNTED.items():
        before = call.device.status()["messaging"]["refused"]
        call.room.inject(SocketFault("garbage", kind=kind))

        def counted(before: dict[str, int] = before, counter: str | None = counter) -> bool:
            now = call.device.status()["messaging"]["refused"]
            if counter is None:
                return bool(sum(now.values()) > sum(before.values()))
            return bool(now.get(counter, 0) == before.get(counter, 0) + 1)

        wait_until(counted, 20, f"{kind} to be counted as {counter}")
    _still_talking(call)


def test_nested_json_within_the_size_limit_is_counted(call: Call) -> None:
    text = b'{"event":' + b"[" * 30_000 + b"]" * 30_000 + b"}"
    frame = b"\x81\x7e" + len(text).to_bytes(2, "big") + text
    call.room.inject(SocketFault("send_raw", data=frame))
    wait_until(lambda: call.device.status()["messaging"]["refused"].get("too_deep"), 20, "deep nesting to be counted")
    _still_talking(call)


@pytest.mark.parametrize("kind", HARMLESS)
def test_odd_but_legal_messages_are_read(call: Call, kind: str) -> None:
    call.room.inject(SocketFault("garbage", kind=kind))
    _still_talking(call)
    assert call.device.status()["messaging"]["refused"] == {}


@pytest.mark.parametrize("kind", BREAKS_OFF)
def test_what_breaks_the_framing_ends_the_session_and_a_fresh_one_follows(call: Call, kind: str) -> None:
    call.room.inject(SocketFault("garbage", kind=kind))
    wait_until(lambda: call.device.status()["session"]["epoch"] > 1, 20, "a fresh session")
    wait_until(lambda: call.device.status()["state"] == "streaming", 20, "streaming again")
    assert call.device.status()["faults"], "the reason is in the status"
    connections = call.room.connections()
    assert connections[0].closed_s is not None


def _still_talking(call: Call) -> None:
    frames = call.room.calls()[0].received_frames
    call.room.wait_received(call.room.calls()[0].call_id, frames + 25)
    status = call.device.status()
    assert (status["state"], status["session"]["epoch"]) == ("streaming", 1)
