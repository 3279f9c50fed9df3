"""Signals to the daemon: gone within two seconds wherever it stands; stacks on demand; the configuration anew."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.integration.matrix import resolver
from tests.integration.matrix.resolver import Resolver
from tests.rig.figures import Figures
from tests.rig.hanging_device import TELLS
from tests.rig.heard import Heard
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.process import wait_until
from tests.rig.proxy import FaultProxy
from tests.rig.recording_device import RecordingDevice
from tests.standin.client import SessionFault, StandIn

pytestmark = [pytest.mark.waits, pytest.mark.usefixtures("own_network")]

GONE_S = 2.0
GUARD_S = 30.0


@pytest.fixture
def room() -> Iterator[StandIn]:
    with StandIn(tls=True, tls_names=["room.test"]) as running:
        yield running


def config_for(room: StandIn, directory: Path, base_url: str | None = None) -> dict[str, Any]:
    return device_config(base_url or room.base_url, room.token, room.ca_file, directory)


def gone(device: MemoryDevice, figures: Figures, name: str) -> None:
    """SIGTERM, and the end within its time."""
    began_s = time.monotonic()
    device.process.terminate()
    device.process.wait(GUARD_S)
    took_s = time.monotonic() - began_s
    assert device.process.returncode == 0, device.log[-2000:]
    assert figures.add(f"sigterm_{name}_gone_s", took_s, max=GONE_S)


def test_told_to_go_while_streaming(room: StandIn, tmp_path: Path, figures: Figures) -> None:
    with MemoryDevice(tmp_path, config_for(room, tmp_path)) as device:
        room.wait_joined()
        gone(device, figures, "streaming")
    closed = room.wait_closed()
    assert closed.stopped_s is not None
    assert (closed.close_code, closed.how) == (1000, "close frame")


def test_told_to_go_while_waiting(room: StandIn, tmp_path: Path, figures: Figures) -> None:
    room.fail_sessions(SessionFault(status=401, message="token expired"), times=10)
    with MemoryDevice(tmp_path, config_for(room, tmp_path)) as device:
        wait_until(device.socket.exists, GUARD_S, "the control socket")
        wait_until(lambda: device.status()["state"] == "waiting", GUARD_S, "the wait")
        gone(device, figures, "waiting")
    assert len(room.session_requests()) == 1


@pytest.mark.alone  # the goodbye alone takes half of its time
def test_told_to_go_while_nothing_gets_through(room: StandIn, tmp_path: Path, figures: Figures) -> None:
    with FaultProxy(room.port) as cable:
        room.configure(public_base=f"wss://127.0.0.1:{cable.port}")
        with MemoryDevice(tmp_path, config_for(room, tmp_path)) as device:
            room.wait_joined()
            time.sleep(1.0)
            cable.black_hole()
            time.sleep(1.0)
            gone(device, figures, "black_holed")


@pytest.mark.root
def test_told_to_go_while_a_name_is_looked_up(room: StandIn, tmp_path: Path, figures: Figures) -> None:
    if reason := resolver.why_not():
        pytest.skip(reason)
    names = Resolver(tmp_path)
    try:
        names.tell("room.test", "silent")
        config = config_for(room, tmp_path, f"https://room.test:{room.port}")
        with MemoryDevice(tmp_path, config, prefix=names.command()) as device:
            wait_until(lambda: "creating:" in device.log, GUARD_S, "the first attempt")
            time.sleep(0.5)
            gone(device, figures, "resolving")
    finally:
        names.close()


def test_stacks_on_demand_and_the_call_goes_on(room: StandIn, tmp_path: Path) -> None:
    with MemoryDevice(tmp_path, config_for(room, tmp_path)) as device:
        room.wait_joined()
        room.wait_received(0, 20)
        device.process.send_signal(signal.SIGUSR1)
        room.wait_received(0, 60)
        status = device.status()
        said = device.stop()
        log = device.log
    threads = ["sender.py", "receiver.py", "capture.py", "server.py", "supervisor.py"]
    assert [name for name in threads if name not in log] == [], "a stack of every thread"
    assert log.count("Current thread") == 1
    assert (status["state"], status["session"]["epoch"]) == ("streaming", 1)
    assert said["exit"] == 0
    whole(Heard(room, said["start_s"], said["frame_s"]), said["uplink"])


def test_what_hangs_leaves_the_stack_of_every_thread_when_it_is_ended(room: StandIn, tmp_path: Path) -> None:
    """As systemd's watchdog ends it: by SIGABRT."""
    with MemoryDevice(tmp_path, config_for(room, tmp_path), module="tests.rig.hanging_device") as device:
        room.wait_joined()
        room.wait_received(0, 20)
        device.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: TELLS in device.log, GUARD_S, "that it hangs")
        time.sleep(0.5)  # each thread has come to where it needs the lock
        device.process.send_signal(signal.SIGABRT)
        assert device.process.wait(GUARD_S) == -signal.SIGABRT
        log = device.log
    assert "Fatal Python error: Aborted" in log
    threads = ["sender.py", "receiver.py", "capture.py", "server.py", "supervisor.py", "hanging_device.py"]
    assert [name for name in threads if name not in log] == [], "a stack of every thread"


def whole(heard: Heard, uplink: dict[str, Any]) -> None:
    """`uplink` is the status at the end: this machine may have stood still at any moment."""
    late = int(np.argmax(heard.numbers > 0))
    assert np.all(heard.numbers[late:] > 0)
    assert not np.any(heard.numbers[:late]), "no torn frame"
    assert late <= uplink["silence"], "of a microphone that was late"
    assert heard.doubled == 0
    assert len(heard.lost) <= uplink["dropped"], "none but after this machine stood still"


def test_the_configuration_anew(room: StandIn, tmp_path: Path) -> None:
    config = config_for(room, tmp_path)
    config["session"]["participant"] = {"id": None, "name": "before", "metadata": {}}
    with RecordingDevice(tmp_path, config) as device:
        room.wait_joined()

        device.config_path.write_text('{"session": {"room_di": "x"}, "backend": {"url": 7}}')
        _hang_up(device, "nothing has changed")
        assert "room_di" in device.log, "every fault is named"
        time.sleep(0.5)
        wait_until(lambda: device.status()["faults"], GUARD_S, "the fault, which the log has first")
        status = device.status()
        assert (status["state"], status["session"]["epoch"]) == ("streaming", 1)
        (fault,) = status["faults"]
        assert (fault["name"], fault["over"]) == ("reload-refused", False)
        assert fault["what"].startswith(f"the last reload was refused: {device.config_path}:1: session.room_di")
        assert len(room.session_requests()) == 1

        device.write_config({**config, "audio": {"capture": {"gain_db": -6.0}}})
        _hang_up(device, "audio.capture.gain_db")
        status = device.status()
        assert status["uplink"]["gain_db"] == -6.0
        assert status["session"]["epoch"] == 1, "a gain needs no session"
        device.write_config(config)
        _hang_up(device, "audio.capture.gain_db", times=2)

        config["session"]["participant"]["name"] = "after"
        device.write_config(config)
        _hang_up(device, "session.participant.name")
        room.wait_joined(2)
        room.wait_received(1, 20)
        wait_until(lambda: device.status()["state"] == "streaming", GUARD_S, "the end of the renewal")
        status = device.status()
        said = device.stop()
    room.wait_closed(1)
    assert [(fault["name"], fault["over"]) for fault in status["faults"]] == [("reload-refused", True)]
    assert said["exit"] == 0
    assert [call.participant_name for call in room.calls()] == ["before", "after"]
    assert [connection.stopped_s is not None for connection in room.connections()] == [True, True]
    heard = Heard(room, said["start_s"], said["frame_s"])
    # What was turned down is no numbered frame; around the renewal all are.
    assert len(heard.lost) - _turned_down(heard) <= said["uplink"]["dropped"]


def _hang_up(device: RecordingDevice, says: str, times: int = 1) -> None:
    """SIGHUP, and wait until the log has answered."""
    device.process.send_signal(signal.SIGHUP)
    wait_until(lambda: device.log.count(says) >= times, GUARD_S, f"“{says}” in the log")


def _turned_down(heard: Heard) -> int:
    return int(np.sum(heard.numbers <= 0))
