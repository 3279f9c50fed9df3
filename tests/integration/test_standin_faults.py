"""Every fault the stand-in can script on a WebSocket happens as described, when asked for."""

from __future__ import annotations

import os
import socket
import time
from typing import Any

import pytest
import websocket

from tests.standin.client import SocketFault, StandIn
from tests.standin.garbage import KINDS
from tests.standin.mixing import SILENCE, media_message
from tests.standin.probe import CutError, Probe
from tests.standin.sounds import tone

pytest_plugins = ("tests.standin.fixtures",)


def _joined(standin: StandIn) -> Probe:
    device = Probe(standin.create_session().ws_url)
    device.wait("meeting-joined")
    return device


def _read(device: Probe, count_bytes: int) -> bytes:
    """Bytes as they come, past the WebSocket; fewer if the connection ends."""
    assert device.ws.sock is not None
    data = b""
    while len(data) < count_bytes and (chunk := device.ws.sock.recv(count_bytes - len(data))):
        data += chunk
    return data


# --- at the upgrade


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_the_upgrade_is_refused_with_a_status(standin: StandIn, status: int) -> None:
    standin.script_sockets(SocketFault("refuse", at="upgrade", status=status, retry_after="3"))
    session = standin.create_session()
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        Probe(session.ws_url)
    assert caught.value.status_code == status
    assert caught.value.resp_headers is not None
    assert caught.value.resp_headers["retry-after"] == "3"
    info = standin.connection()
    assert (info.closed_by, info.how) == ("server", "refused")
    with Probe(session.ws_url) as device:
        device.wait("meeting-joined")


def test_the_upgrade_stalls_and_goes_on(standin: StandIn) -> None:
    standin.script_sockets(SocketFault("stall", at="upgrade", for_s=0.2))
    session = standin.create_session()
    began_s = time.monotonic()
    with Probe(session.ws_url) as device:
        assert time.monotonic() >= began_s + 0.2
        device.wait("meeting-joined")


def test_a_client_that_gives_up_while_the_upgrade_stalls_is_noted(standin: StandIn) -> None:
    standin.script_sockets(SocketFault("stall", at="upgrade", for_s=60))
    address = ("127.0.0.1", standin.port)
    with socket.create_connection(address) as client:
        client.sendall(b"GET /videosdk?ref=x HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\n\r\n")
        standin.wait_for(lambda: standin.connections() and standin.connection().counts["fault_stall"])
    info = standin.wait_for(lambda: i if (i := standin.connection()).closed_by else None)
    assert (info.closed_by, info.how) == ("client", "eof")


def test_the_upgrade_is_answered_with_any_bytes(standin: StandIn) -> None:
    answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    standin.script_sockets(SocketFault("raw_upgrade", at="upgrade", data=answer))
    with pytest.raises(websocket.WebSocketException):
        Probe(standin.create_session().ws_url)


def test_the_upgrade_is_reset(standin: StandIn) -> None:
    standin.script_sockets(SocketFault("abort", at="upgrade"))
    with pytest.raises((ConnectionResetError, websocket.WebSocketException)):
        Probe(standin.create_session().ws_url)


def test_a_script_holds_for_the_next_connections_only(standin: StandIn) -> None:
    standin.script_sockets(SocketFault("close", at="open", code=4000), times=2)
    standin.script_sockets(times=1)
    standin.script_sockets(SocketFault("close", at="open", code=4001))
    codes = []
    for _ in range(4):
        with Probe(standin.create_session().ws_url) as device:
            try:
                device.wait("meeting-joined")
                codes.append(0)
            except CutError as exc:
                codes.append(4000 if "\\x0f\\xa0" in str(exc) else 4001)
    assert codes == [4000, 4000, 0, 4001]


# --- endings


@pytest.mark.parametrize("at", ["open", "start", "join"])
@pytest.mark.parametrize("after_ms", [0, 50])
def test_a_close_with_any_code_at_a_moment_or_after_it(standin: StandIn, at: str, after_ms: int) -> None:
    standin.script_sockets(SocketFault("close", at=at, code=4321, reason="why", after_ms=after_ms))  # type: ignore[arg-type]
    with Probe(standin.create_session().ws_url) as device:
        assert device.wait_closed() == (4321, "why")
    info = standin.connection()
    assert (info.closed_by, info.close_code, info.close_reason) == ("server", 4321, "why")
    moment = {"open": info.connected_s, "start": info.started_s, "join": info.joined_s}[at]
    assert moment is not None
    assert info.closed_s is not None
    assert info.closed_s - moment >= after_ms / 1e3


def test_a_close_without_a_code(standin: StandIn) -> None:
    with _joined(standin) as device:
        standin.inject(SocketFault("close_without_code"))
        assert device.wait_closed() == (None, "")


def test_the_connection_is_dropped_without_a_close(standin: StandIn) -> None:
    with _joined(standin) as device:
        standin.inject(SocketFault("drop"))
        assert _read(device, 1) == b""


def test_the_connection_is_reset(standin: StandIn) -> None:
    with _joined(standin) as device:
        standin.inject(SocketFault("abort"))
        with pytest.raises(ConnectionResetError):
            _read(device, 1)
    info = standin.connection()
    assert (info.closed_by, info.how, info.close_code) == ("server", "abort", None)


def test_the_connection_is_reset_over_tls_too() -> None:
    with StandIn(tls=True) as standin:
        session = standin.create_session()
        with Probe(session.ws_url, ca_file=standin.ca_file) as device:
            device.wait("meeting-joined")
            assert device.ws.sock is not None
            with socket.socket(fileno=os.dup(device.ws.sock.fileno())) as below_tls:
                below_tls.settimeout(20)
                standin.inject(SocketFault("abort"))
                with pytest.raises(ConnectionResetError):
                    below_tls.recv(1)


def test_the_connection_is_cut_in_the_middle_of_a_frame(standin: StandIn) -> None:
    with _joined(standin) as device:
        standin.inject(SocketFault("cut_mid_frame"))
        half = _read(device, 100)
        assert half[:2] == b"\x81\x7e"
        announced = int.from_bytes(half[2:4], "big")
        assert half[4:] == media_message(SILENCE)[:96]
        with pytest.raises(ConnectionResetError):
            _read(device, announced)


def test_a_meeting_is_ended_with_a_message(standin: StandIn) -> None:
    with _joined(standin) as device:
        standin.inject(SocketFault("end_meeting", reason="KICKED"))
        assert device.wait("meeting-left")["message"] == "KICKED"
        assert device.wait_closed() == (1000, "")


def test_a_fault_can_hit_one_call_of_many(standin: StandIn) -> None:
    first, second = standin.create_session(), standin.create_session()
    with Probe(first.ws_url) as one, Probe(second.ws_url) as two:
        one.wait("meeting-joined")
        two.wait("meeting-joined")
        hit = standin.inject(SocketFault("close", code=4000), call=second.call_id)
        assert hit == standin.call(second.call_id).connections
        assert two.wait_closed()[0] == 4000
        assert standin.connections()[standin.call(first.call_id).connections[0]].closed_s is None


def test_a_crash_of_the_service_sends_no_close() -> None:
    standin = StandIn()
    standin.start()
    with _joined(standin) as device:
        standin.kill()
        with pytest.raises(CutError):
            device.wait_closed()
    standin.stop()


# --- stalls


def test_what_is_sent_while_the_server_does_not_read_arrives_later(standin: StandIn) -> None:
    session = standin.create_session()
    with Probe(session.ws_url) as device:
        device.wait("meeting-joined")
        before_s = time.monotonic()
        standin.inject(SocketFault("stop_reading", for_s=0.3))
        device.send_media(SILENCE)
        standin.wait_received(session.call_id, 1)
    assert standin.received(session.call_id).times_s[0] >= before_s + 0.3


def test_a_client_of_a_server_that_does_not_read_is_blocked(standin: StandIn) -> None:
    with _joined(standin) as device:
        assert device.ws.sock is not None
        device.ws.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        standin.inject(SocketFault("stop_reading", for_s=60, receive_buffer_bytes=4096))
        device.ws.sock.settimeout(0.3)
        with pytest.raises(OSError, match="timed out"):
            device.raw(bytes(100_000_000))


def test_a_muted_server_loses_what_was_due(standin: StandIn) -> None:
    alice = standin.add("Alice", publishing=True)
    session = standin.create_session()
    with Probe(session.ws_url) as device:
        device.wait_heard(320)
        standin.inject(SocketFault("mute", for_s=60))
        standin.subscribe(alice, "CHAT")
        device.send("message", topic="CHAT", data="still read")
        standin.wait_for(lambda: standin.messages(alice))
        _ten_ticks(standin)
        sent, shortened_s = standin.call(session.call_id).sent_frames, time.monotonic()
        standin.inject(SocketFault("mute", for_s=0.2))
        standin.wait_for(lambda: standin.call(session.call_id).sent_frames > sent)
        assert standin.sent(session.call_id, sent).times_s[0] >= shortened_s + 0.2
        device.send("stop")
        device.wait_closed()
    assert standin.wait_closed(standin.connection().index).counts["muted"] >= 10


def _ten_ticks(standin: StandIn) -> None:
    """Let ten frames come due."""
    tick = standin.state()["tick"]
    standin.wait_for(lambda: standin.state()["tick"] >= tick + 10)


def test_what_was_held_back_comes_in_one_burst(standin: StandIn) -> None:
    alice = standin.add("Alice")
    said = tone(440, 0.5)
    session = standin.create_session()
    with Probe(session.ws_url) as device:
        device.wait("meeting-joined")
        standin.say(alice, said, loop=True)
        device.wait_heard(3200)
        standin.inject(SocketFault("hold_then_burst", for_s=60))
        sent = standin.call(session.call_id).sent_frames
        _ten_ticks(standin)
        assert standin.call(session.call_id).sent_frames == sent
        shortened_s = time.monotonic()
        standin.inject(SocketFault("hold_then_burst", for_s=0.2))
        # The stand-in answers between two of its steps: one that sent frame by frame would be seen at it.
        after = standin.wait_for(lambda: n if (n := standin.call(session.call_id).sent_frames) > sent else None)
        assert after >= sent + 10
        assert standin.sent(session.call_id, sent).times_s[0] >= shortened_s + 0.2
        assert (said * (after // 25 + 1)).startswith(device.wait_heard(after * 320))


# --- garbage


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_garbage_of_every_kind_is_written_as_it_stands(standin: StandIn, kind: str) -> None:
    expected = KINDS[kind]()
    with _joined(standin) as device:
        standin.inject(SocketFault("garbage", kind=kind))
        assert _read(device, len(expected)) == expected
    assert standin.connection().counts["fault_garbage"] == 1


def test_any_bytes_can_be_written(standin: StandIn) -> None:
    with _joined(standin) as device:
        standin.inject(SocketFault("send_raw", data=b"\x00\xff any bytes"))
        assert _read(device, 12) == b"\x00\xff any bytes"


def test_a_message_in_fragments_is_legal(standin: StandIn) -> None:
    with _joined(standin) as device:
        standin.inject(SocketFault("garbage", kind="fragmented"))
        assert device.wait_heard(320) == SILENCE


@pytest.mark.parametrize(
    "values",
    [
        {"action": "refuse"},
        {"action": "mute", "at": "upgrade"},
        {"action": "garbage", "kind": "of no kind"},
    ],
    ids=str,
)
def test_a_fault_that_can_never_happen_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"can't happen|no garbage"):
        SocketFault(**values)


def test_switches_are_checked_by_name_and_type(standin: StandIn) -> None:
    with pytest.raises(RuntimeError, match="did you mean ping_interval_s"):
        standin.configure(ping_interval=1)
    with pytest.raises(RuntimeError, match="expected float"):
        standin.configure(ping_interval_s="soon")
    with pytest.raises(RuntimeError, match="expected one of"):
        standin.configure(quiet="loud")
    with pytest.raises(ValueError, match="no such switch"):
        StandIn(colour="red")
