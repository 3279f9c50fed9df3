"""The stand-in's WebSocket keeps the page's contract from the upgrade to the close."""

from __future__ import annotations

import struct
import time

import pytest
import websocket

from tests.standin import frames
from tests.standin.client import StandIn
from tests.standin.probe import PING, PONG, CutError, Probe
from tests.standin.sounds import tone

pytest_plugins = ("tests.standin.fixtures",)


def test_no_start_within_the_time_closes_with_1008_start_timeout(standin: StandIn) -> None:
    standin.configure(start_timeout_s=0.1)
    session = standin.create_session()
    with Probe(session.ws_url, start=False) as device:
        assert device.wait_closed() == (1008, "start timeout")
    info = standin.connection()
    assert (info.closed_by, info.close_code, info.close_reason) == ("server", 1008, "start timeout")


def test_a_start_in_time_joins_the_room(standin: StandIn) -> None:
    standin.configure(start_timeout_s=20)
    session = standin.create_session(name="device")
    with Probe(session.ws_url) as device:
        joined = device.wait("meeting-joined")
        assert joined == {
            "event": "meeting-joined",
            "roomId": standin.room,
            "sessionId": standin.look().session_id,
        }
        info = standin.connection()
        assert info.started_s is not None
        assert info.joined_s is not None
        assert info.connected_s <= info.started_s <= info.joined_s
        assert [p["name"] for p in standin.look().participants] == ["device"]


def test_a_ref_is_good_once(standin: StandIn) -> None:
    session = standin.create_session()
    with Probe(session.ws_url) as device, Probe(session.ws_url) as second:
        device.wait("meeting-joined")
        assert second.wait_closed() == (1008, "session expired")
        assert standin.connection().ref_state == "used"
        assert len(standin.look().participants) == 1


def test_two_connections_may_hold_a_ref_and_the_first_start_claims_it(standin: StandIn) -> None:
    session = standin.create_session()
    with Probe(session.ws_url, start=False) as first, Probe(session.ws_url, start=False) as second:
        second.send("start")
        second.wait("meeting-joined")
        first.send("start")
        assert first.wait_closed() == (1008, "session expired")


def test_an_unclaimed_session_expires(standin: StandIn) -> None:
    standin.configure(session_ttl_s=0.05)
    session = standin.create_session()
    assert session.expires_in_s == 0.05
    with Probe(session.ws_url, start=False) as device:
        created_s = standin.call(session.call_id).created_s
        standin.wait_for(lambda: time.monotonic() > created_s + 0.05)
        device.send("start")
        assert device.wait_closed() == (1008, "session expired")
    assert standin.connection().ref_state == "expired"


@pytest.mark.parametrize("query", ["", "?ref=", "?ref=vs_00000000000000000000"])
def test_a_modified_url_is_refused(standin: StandIn, query: str) -> None:
    url = standin.create_session().ws_url.split("?")[0] + query
    with Probe(url) as device:
        assert device.wait_closed() == (1008, "session expired")
    assert standin.connection().ref_state == "unknown"


def test_a_bad_ref_may_be_refused_over_http(standin: StandIn) -> None:
    standin.configure(bad_ref="http", bad_ref_status=410)
    with pytest.raises(websocket.WebSocketBadStatusException) as caught:
        Probe(f"ws://127.0.0.1:{standin.port}/videosdk?ref=vs_x")
    assert caught.value.status_code == 410
    assert standin.connection().how == "refused"


def test_a_bad_ref_may_be_closed_as_soon_as_it_connects(standin: StandIn) -> None:
    standin.configure(bad_ref="close_at_open", bad_ref_code=4001, bad_ref_reason="gone")
    with Probe(f"ws://127.0.0.1:{standin.port}/videosdk?ref=vs_x", start=False) as device:
        assert device.wait_closed() == (4001, "gone")


def test_a_stop_ends_the_session(standin: StandIn) -> None:
    session = standin.create_session()
    with Probe(session.ws_url) as device:
        device.wait("meeting-joined")
        device.send("stop")
        assert device.wait_closed() == (1000, "")
    info = standin.connection()
    assert info.stopped_s is not None
    assert standin.look().participants == []


def test_after_a_stop_the_server_may_wait_for_the_client(standin: StandIn) -> None:
    standin.configure(after_stop="wait", meeting_left_on_stop=True)
    session = standin.create_session()
    with Probe(session.ws_url) as device:
        device.send("stop")
        assert device.wait("meeting-left")["message"] == "STOPPED"
        device.send_media(bytes(320))
        device.send("stop")
        device.ws.send_close(1000, b"bye")
        assert device.wait_closed() == (1000, "")
    info = standin.connection()
    assert (info.closed_by, info.close_code, info.close_reason) == ("client", 1000, "bye")
    assert info.counts == {"media_after_stop": 1, "stop_again": 1}


def test_closing_the_connection_ends_the_session_too(standin: StandIn) -> None:
    session = standin.create_session()
    with Probe(session.ws_url) as device:
        device.wait("meeting-joined")
        index = standin.connection().index
    info = standin.wait_closed(index)
    assert (info.closed_by, info.how, info.close_code) == ("client", "eof", None)
    assert standin.look().participants == []


def test_media_before_start_is_ignored_and_counted(standin: StandIn) -> None:
    session = standin.create_session()
    with Probe(session.ws_url, start=False) as device:
        device.send_media(tone(440, 0.02))
        device.send("start")
        device.wait("meeting-joined")
    assert standin.connection().counts == {"media_before_start": 1}
    assert standin.call(session.call_id).received_frames == 0


def test_media_before_start_may_close(standin: StandIn) -> None:
    standin.configure(media_before_start="close")
    with Probe(standin.create_session().ws_url, start=False) as device:
        device.send_media(bytes(320))
        assert device.wait_closed() == (1008, "media before start")


def test_the_join_may_take_its_time(standin: StandIn) -> None:
    standin.configure(join_delay_s=0.2)
    with Probe(standin.create_session().ws_url) as device:
        device.wait("meeting-joined")
    info = standin.connection()
    assert info.started_s is not None
    assert info.joined_s is not None
    assert info.joined_s - info.started_s >= 0.2


@pytest.mark.parametrize(("mode", "queued"), [("queue", 1920), ("drop", 0)])
def test_media_before_the_join_is_queued_or_dropped(standin: StandIn, mode: str, queued: int) -> None:
    standin.configure(join_delay_s=60, media_before_join=mode)
    session = standin.create_session()
    with Probe(session.ws_url) as device:
        device.send_media(bytes(1920))
        call = standin.wait_received(session.call_id, 1)
        assert call.queued_bytes == queued
        assert standin.connection().counts["media_before_join"] == (0 if queued else 1)


def test_the_server_pings_and_counts_the_pongs(standin: StandIn) -> None:
    standin.configure(ping_interval_s=3)  # who is held up for so long is cut
    with Probe(standin.create_session().ws_url) as device:
        device.read_until(lambda: device.control.count((PING, b"")) >= 3)
        standin.wait_for(lambda: standin.connection().pongs_received >= 2)


def test_a_missed_heartbeat_terminates_the_connection(standin: StandIn) -> None:
    standin.configure(ping_interval_s=0.05)
    with Probe(standin.create_session().ws_url) as device:
        info = standin.wait_closed(standin.connection().index)
        assert (info.closed_by, info.how, info.close_code) == ("server", "heartbeat", None)
        assert info.pings_sent == 1
        with pytest.raises(CutError):
            device.wait_closed()


@pytest.mark.parametrize("answer", [True, False])
def test_a_client_s_ping_is_answered_unless_switched_off(standin: StandIn, answer: bool) -> None:
    standin.configure(answer_pings=answer)
    with Probe(standin.create_session().ws_url) as device:
        device.ws.ping("hello")
        device.send("subscribe", topic="")  # an event that is refused, to know that the ping was read
        standin.wait_for(lambda: standin.connection().counts["bad_topic"])
        assert standin.connection().pings_received == 1
        if answer:
            device.read_until(lambda: (PONG, b"hello") in device.control)
        else:
            device.send("stop")
            device.wait_closed()
            assert device.control == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{", "bad_json"),
        ('{"event": "media", "payload": NaN}', "bad_json"),
        ("[" * 100_000, "bad_json"),
        ("[]", "not_an_object"),
        ("{}", "no_event"),
        ('{"event": 7}', "no_event"),
        ('{"event": "dance"}', "unknown_event"),
        ('{"event": "start"}', "start_again"),
        ('{"event": "media"}', "payload_not_a_string"),
        ('{"event": "media", "payload": "A"}', "bad_base64"),
        ('{"event": "media", "payload": "A-__"}', "bad_base64"),
        ('{"event": "media", "payload": ""}', "empty_payload"),
        ('{"event": "media", "payload": "AAAA"}', "odd_length"),
    ],
    ids=lambda value: value[:40],
)
def test_malformed_inbound_is_counted_by_kind_and_ends_nothing(standin: StandIn, text: str, kind: str) -> None:
    session = standin.create_session()
    with Probe(session.ws_url) as device:
        device.ws.send(text)
        device.send_media(tone(440, 0.02))
        standin.wait_received(session.call_id, 1)
        assert standin.connection().counts == {kind: 1}


def test_a_binary_message_is_counted(standin: StandIn) -> None:
    with Probe(standin.create_session().ws_url) as device:
        device.ws.send_binary(bytes(320))
        standin.wait_for(lambda: standin.connection().counts["binary_message"] == 1)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x02{}", 1002),  # not masked
        (b"\xc1\x82\0\0\0\0{}", 1002),  # a reserved bit
        (b"\x83\x82\0\0\0\0{}", 1002),  # an unknown opcode
        (b"\x80\x82\0\0\0\0{}", 1002),  # a continuation of nothing
        (b"\x09\x80\0\0\0\0", 1002),  # a fragmented ping
        (b"\x88\x82\0\0\0\0\x03\xed", 1002),  # close code 1005
        (b"\x81\x82\0\0\0\0\xff\xfe", 1007),  # not UTF-8
        (b"\x81\xff" + struct.pack("!Q", 1 << 40), 1009),  # too long
    ],
    ids=repr,
)
def test_a_client_that_breaks_rfc_6455_is_closed(standin: StandIn, data: bytes, code: int) -> None:
    with Probe(standin.create_session().ws_url) as device:
        device.wait("meeting-joined")
        device.raw(data)
        assert device.wait_closed()[0] == code


def test_fragments_make_one_message(standin: StandIn) -> None:
    mask = b"\x01\x02\x03\x04"
    with Probe(standin.create_session().ws_url, start=False) as device:
        device.raw(frames.encode(frames.TEXT, b'{"ev', fin=False, mask=mask))
        device.raw(frames.encode(frames.PING, b"between", mask=mask))
        device.raw(frames.encode(frames.CONTINUATION, b'ent":"', fin=False, mask=mask))
        device.raw(frames.encode(frames.CONTINUATION, b'start"}', mask=mask))
        device.wait("meeting-joined")
        assert device.control == [(PONG, b"between")]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 426),
        ({"Upgrade": "websocket"}, 400),
        ({"Upgrade": "websocket", "Connection": "Upgrade"}, 426),
        ({"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}, 400),
    ],
)
def test_what_is_no_upgrade_is_refused(standin: StandIn, headers: dict[str, str], status: int) -> None:
    answer = standin.get("/videosdk?ref=x", headers)
    assert answer.status_code == status


def test_a_session_may_have_a_longest_time(standin: StandIn) -> None:
    standin.configure(max_session_s=0.1)
    with Probe(standin.create_session().ws_url) as device:
        assert device.wait("meeting-left")["message"] == "SESSION_TIME_LIMIT"
        assert device.wait_closed() == (1000, "")


def test_tls_takes_its_own_ca_and_no_other() -> None:
    with StandIn(tls=True) as standin:
        session = standin.create_session()
        assert session.ws_url.startswith("wss://")
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            Probe(session.ws_url)
        with Probe(session.ws_url, ca_file=standin.ca_file) as device:
            device.wait("meeting-joined")
            device.send_media(tone(440, 0.02))
            standin.wait_received(session.call_id, 1)


def test_a_certificate_may_be_expired_already() -> None:
    with StandIn(tls_expired=True) as standin, pytest.raises(OSError, match="expired"):
        standin.create_session()


def test_the_stand_in_ends_cleanly_and_closes_with_1001() -> None:
    standin = StandIn()
    standin.start()
    with Probe(standin.create_session().ws_url) as device:
        device.wait("meeting-joined")
        assert standin.stop() == 0
        assert device.wait_closed()[0] == 1001


def test_the_stand_in_ends_with_the_process_that_started_it() -> None:
    standin = StandIn()
    standin.start()
    process = standin.process
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(20) == 0
    standin.stop()
