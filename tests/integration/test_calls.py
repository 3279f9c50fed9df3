"""Calls on demand: in the room when asked, by a session of one's own or of somebody else's, and out of it again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestd.control.client import ControlClient
from ingestd.control.protocol import RpcError
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.process import wait_until
from tests.standin.client import StandIn

GUARD_S = 20.0
QUIET_S = 1.5
"""Long enough for a call that nobody asked for to show."""


@pytest.fixture
def room() -> Iterator[StandIn]:
    with StandIn(tls=True) as running:
        yield running


def config_for(room: StandIn, directory: Path, **session: Any) -> dict[str, Any]:
    return device_config(room.base_url, room.token, room.ca_file, directory, **session)


def wait_state(device: MemoryDevice, state: str) -> dict[str, Any]:
    """Waits for it; the status then."""

    def reached() -> dict[str, Any] | None:
        status = device.status()
        return status if status["state"] == state else None

    wait_until(device.socket.exists, GUARD_S, "the control socket")
    status = wait_until(reached, GUARD_S, state)
    assert status is not None
    return status


def test_in_the_room_only_when_asked(room: StandIn, tmp_path: Path) -> None:
    with MemoryDevice(tmp_path, config_for(room, tmp_path, start="demand")) as device:
        wait_state(device, "standby")
        time.sleep(QUIET_S)
        assert room.session_requests() == []
        with ControlClient(device.socket, GUARD_S) as client:
            with pytest.raises(RpcError, match="no call is wanted"):
                client.call("reconnect")
            for number in (1, 2):
                client.call("call")
                room.wait_joined(number)
                room.wait_received(number - 1, 20)
                client.call("hangup")
                wait_state(device, "standby")
                closed = room.wait_closed(number - 1)
                assert (closed.close_code, closed.stopped_s is not None) == (1000, True)
                # The state is the first thing to change; what comes with it may be a moment later.
                wait_until(lambda: device.status()["session"]["call_id"] is None, GUARD_S, "the end of its session")
        time.sleep(QUIET_S)
        assert len(room.session_requests()) == 2
        assert device.status()["faults"] == []
        assert device.stop()["exit"] == 0


def test_a_session_that_somebody_else_created(room: StandIn, tmp_path: Path) -> None:
    with MemoryDevice(tmp_path, config_for(room, tmp_path, start="demand")) as device:
        wait_state(device, "standby")
        session = room.create_session(participant_id="brought")
        with ControlClient(device.socket, GUARD_S) as client:
            client.call("call", wsUrl=session.ws_url)
            room.wait_joined(1)
            room.wait_received(session.call_id, 20)
            wait_state(device, "streaming")
            with pytest.raises(RpcError, match="brought along"):
                client.call("reconnect")
            with pytest.raises(RpcError, match="in a call already"):
                client.call("call", wsUrl=session.ws_url)
            client.call("hangup")
            wait_state(device, "standby")
            client.call("call", wsUrl=session.ws_url)  # it was used: that was all it was for
            wait_until(lambda: len(room.connections()) == 2, GUARD_S, "the attempt")
            wait_state(device, "standby")
            faults = wait_until(lambda: device.status()["faults"], GUARD_S, "the fault")
        assert len(room.session_requests()) == 1, "none but the one of this test"
        assert len(faults) == 1, "that it was used up"
        assert device.stop()["exit"] == 0
        assert session.ws_url.partition("ref=")[2] not in device.log


@pytest.mark.parametrize("start", ["demand", "auto"])
def test_a_call_has_its_longest(room: StandIn, tmp_path: Path, start: str) -> None:
    config = config_for(room, tmp_path, start=start, max_call_s=2)
    with MemoryDevice(tmp_path, config, times={"rejoin_s": 1.0}) as device:
        if start == "demand":
            wait_state(device, "standby")
            with ControlClient(device.socket, GUARD_S) as client:
                client.call("call")
        room.wait_joined(1)
        closed = room.wait_closed(0)
        assert closed.stopped_s is not None
        assert 2.0 <= closed.stopped_s - closed.connected_s <= 4.0
        if start == "auto":
            room.wait_joined(2)
        else:
            wait_state(device, "standby")
            time.sleep(QUIET_S)
            assert len(room.calls()) == 1
        assert device.status()["faults"] == []
        assert device.stop()["exit"] == 0


def test_nobody_else_in_the_room(room: StandIn, tmp_path: Path) -> None:
    alice = room.add("Alice")
    config = config_for(room, tmp_path, start="demand", hangup_when_alone_s=2)
    with MemoryDevice(tmp_path, config) as device:
        wait_state(device, "standby")
        with ControlClient(device.socket, GUARD_S) as client:
            client.call("call")
        room.wait_joined(1)
        time.sleep(3.0)
        assert device.status()["state"] == "streaming", "Alice is there, though she says nothing"
        left_s = time.monotonic()
        room.remove(alice)
        closed = room.wait_closed(0)
        assert closed.stopped_s is not None
        assert 2.0 <= closed.stopped_s - left_s <= 5.0
        status = wait_state(device, "standby")
        assert status["faults"] == []
        assert "alone in the room" in device.log
        assert device.stop()["exit"] == 0


def test_a_renewal_does_not_prolong_a_call(room: StandIn, tmp_path: Path) -> None:
    config = config_for(room, tmp_path, start="demand", max_call_s=8)
    with MemoryDevice(tmp_path, config) as device:
        wait_state(device, "standby")
        with ControlClient(device.socket, GUARD_S) as client:
            client.call("call")
            first = room.wait_joined(1)
            time.sleep(4.0)
            client.call("reconnect")
        room.wait_joined(2)
        last = room.wait_closed(1)
        assert last.stopped_s is not None
        assert 8.0 <= last.stopped_s - first.connected_s <= 10.0
        assert last.stopped_s - last.connected_s < 8.0, "it does not begin anew"
        wait_state(device, "standby")
        assert device.status()["faults"] == []
        assert device.stop()["exit"] == 0
