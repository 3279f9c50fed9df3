"""The control socket across a daemon's life: one daemon per socket, and local programs that outlive connections."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingestd.control.client import ControlClient
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.process import end, spawn, wait_until
from tests.standin.client import SocketFault, StandIn
from tests.unit.control_case import Client

GUARD_S = 30.0


@dataclass
class Call:
    """A device in a room, and a person who listens."""

    room: StandIn
    device: MemoryDevice
    alice: str

    def heard(self) -> list[object]:
        return [message.message for message in self.room.messages(self.alice)]

    def wait_streaming(self, epoch: int) -> None:
        def streaming() -> bool:
            status = self.device.status()
            return bool(status["state"] == "streaming" and status["session"]["epoch"] >= epoch)

        wait_until(streaming, GUARD_S, f"streaming in epoch {epoch}")


@pytest.fixture
def call(tmp_path: Path) -> Iterator[Call]:
    with StandIn(tls=True) as room:
        alice = room.add("Alice")
        config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
        with MemoryDevice(tmp_path, config) as device:
            room.wait_joined()
            call = Call(room, device, alice)
            call.wait_streaming(1)  # the room knows it first
            yield call
            if device.process.poll() is None:
                assert device.stop()["exit"] == 0


def second(tmp_path: Path, socket: Path) -> subprocess.CompletedProcess[str]:
    """Another daemon with the same control socket, until it gives up."""
    folder = tmp_path / "second"
    folder.mkdir()
    path = folder / "ingestd.yaml"
    config = device_config("http://127.0.0.1:1", "token", None, folder)
    path.write_text(json.dumps({**config, "control": {"socket": str(socket)}}))
    command = [sys.executable, "-m", "ingestd", "--config", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_a_second_daemon_on_the_same_socket_is_refused_and_the_first_goes_on(call: Call, tmp_path: Path) -> None:
    refused = second(tmp_path, call.device.socket)
    assert refused.returncode == 75
    assert f"another ingestd answers on {call.device.socket}" in refused.stderr
    assert "Traceback" not in refused.stderr
    status = call.device.status()
    assert (status["state"], status["session"]["epoch"]) == ("streaming", 1)


def test_a_file_where_the_socket_should_be_is_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("years of work")
    refused = second(tmp_path, file)
    assert refused.returncode == 75
    assert f"{file} is a file and no socket" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert file.read_text() == "years of work"


def test_a_killed_daemons_socket_is_taken_over(tmp_path: Path) -> None:
    with StandIn(tls=True) as room:
        config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
        with MemoryDevice(tmp_path, config) as device:
            room.wait_joined()
            device.process.kill()
            device.process.wait()
            assert device.socket.exists()
        with MemoryDevice(tmp_path, config) as device:
            room.wait_joined(2)
            assert device.status()["session"]["epoch"] == 1
            assert device.stop()["exit"] == 0
            assert not device.socket.exists()


def test_ingestctl_subscribe_survives_a_reconnect(call: Call, tmp_path: Path) -> None:
    out = tmp_path / "heard"
    socket = str(call.device.socket)
    command = [sys.executable, "-m", "ingestd.ctl.main", "--socket", socket, "subscribe", "NEWS"]

    def told(text: str) -> bool:
        """Alice says it again until it has been printed: who subscribes late has missed what was said before."""
        call.room.publish(call.alice, "NEWS", text)
        return text in out.read_text()

    with out.open("wb") as stdout:
        program = spawn(command, stdout=stdout)
        try:
            wait_until(lambda: told("before"), GUARD_S, "the first message", every=0.1)
            call.room.inject(SocketFault("abort"))
            call.wait_streaming(2)
            wait_until(lambda: told("after"), GUARD_S, "a message after the cut", every=0.1)
            assert program.poll() is None
        finally:
            end(program)
    heard = [json.loads(line) for line in out.read_text().splitlines()]
    assert {(said["topic"], said["sender_name"]) for said in heard} == {("NEWS", "Alice")}
    assert list(dict.fromkeys(said["text"] for said in heard)) == ["before", "after"]


def test_a_program_may_subscribe_while_there_is_no_connection(tmp_path: Path) -> None:
    """The room's service is not there yet."""
    with StandIn(tls=True) as room:
        alice = room.add("Alice")
        room.script_sockets(SocketFault("refuse", at="upgrade"))
        config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
        with MemoryDevice(tmp_path, config) as device:
            wait_until(device.socket.exists, GUARD_S, "the socket")
            with ControlClient(device.socket) as client:
                assert client.call("subscribe", topic="NEWS") is True
                room.wait_joined(timeout_s=GUARD_S)

                def told() -> bool:
                    room.publish(alice, "NEWS", "hello")
                    try:
                        return bool(client.notification(0.2)["method"] == "message")
                    except TimeoutError:
                        return False

                wait_until(told, GUARD_S, "the message")
            assert device.stop()["exit"] == 0


def test_what_was_accepted_before_the_end_is_delivered(call: Call) -> None:
    call.room.subscribe(call.alice, "CHAT")
    texts: list[str] = []
    waiting = 0
    with contextlib.ExitStack() as stack:
        while waiting <= 20:  # so that the end comes before they could have gone out one by one
            assert len(texts) < 400, "they go out as fast as they come"
            client = stack.enter_context(Client(call.device.socket))  # 16 of each may wait
            # Each a bit more than a frame of audio, so that 25 go in a second.
            more = [f"message {number} ".ljust(430, ".") for number in range(len(texts), len(texts) + 15)]
            params = [{"topic": "CHAT", "data": text} for text in more]
            lines = [json.dumps({"jsonrpc": "2.0", "method": "publish", "params": one}) + "\n" for one in params]
            client.send("".join(lines).encode())
            texts += more
            client.send(b'{"jsonrpc":"2.0","method":"status","id":1}\n')
            while "id" not in (answer := client.line()):
                pass  # news of the room may come before it
            waiting = answer["result"]["messaging"]["waiting"]
    assert call.device.stop()["exit"] == 0
    wait_until(lambda: len(call.heard()) >= len(texts), GUARD_S, "the messages")
    assert call.heard() == texts
    closed = call.room.wait_closed()
    assert closed.stopped_s is not None
    assert closed.close_code == 1000


@pytest.mark.parametrize("closes", [True, False])
def test_the_end_of_the_meeting_leads_to_a_fresh_session(call: Call, closes: bool) -> None:
    call.room.configure(close_after_meeting_left=closes)
    call.room.inject(SocketFault("end_meeting", reason="MEETING_ENDED"))
    closed = call.room.wait_closed()
    assert closed.close_code == 1000
    call.wait_streaming(2)
    again = call.room.wait_joined(2)
    assert again.joined_s is not None
    assert closed.closed_s is not None
    assert again.joined_s - closed.closed_s > 4, "no haste: the meeting is over"
    assert len(call.room.session_requests()) == 2
    assert call.device.status()["faults"] == [], "a meeting that ends is no fault"
    assert "the meeting ended" in call.device.log
