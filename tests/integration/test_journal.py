"""The daemon's log in a real journal: its fields, what `journalctl -x` explains, and a journald that hangs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from ingestd.control.client import ControlClient
from ingestd.core.catalog import message_id
from tests.drawings.catalog import CATALOG
from tests.rig import journal
from tests.rig.journal import RealJournal
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.process import wait_until
from tests.standin.client import SessionFault, StandIn

GUARD_S = 20.0
MESSAGES = 40
"""Each is a line at debug: more than the socket of a journald that hangs holds (net.unix.max_dgram_qlen)."""

pytestmark = [
    pytest.mark.root,
    pytest.mark.waits,
    pytest.mark.skipif(not journal.available(), reason="needs systemd-journald, journalctl, unshare and nsenter"),
]


@dataclass
class Scene:
    """A device in a room, its log in a journal of its own. Its first attempt was refused."""

    journal: RealJournal
    room: StandIn
    device: MemoryDevice

    def lines(self, *matches: str) -> list[str]:
        """What was logged, oldest first."""
        return [str(entry["MESSAGE"]) for entry in self.journal.entries("SYSLOG_IDENTIFIER=ingestd", *matches)]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("journal")
    log = folder / "device.log"
    log.touch()  # the daemon finds out by JOURNAL_STREAM that its standard error is the journal
    stream = f"JOURNAL_STREAM={log.stat().st_dev}:{log.stat().st_ino}"
    with RealJournal() as real, StandIn(tls=True) as room:
        real.learn(CATALOG)
        room.fail_sessions(SessionFault(status=503, message="maintenance"))
        config = device_config(room.base_url, room.token, room.ca_file, folder)
        with MemoryDevice(folder, config, prefix=[*real.within, "env", stream]) as device:
            room.wait_joined()
            scene = Scene(real, room, device)
            wait_until(lambda: scene.lines("STATE=streaming"), GUARD_S, "the line on the call")
            wait_until(lambda: room.connection().topic_texts, GUARD_S, "that it listens to CHAT")
            yield scene


def test_a_line_of_a_call_says_of_which(scene: Scene) -> None:
    session = scene.device.status()["session"]
    (entry,) = scene.journal.entries("STATE=streaming", f"CALL_ID={session['call_id']}")
    assert entry["EPOCH"] == str(session["epoch"])
    assert entry["PRIORITY"] == "6"
    assert entry["MESSAGE"] == "streaming: connected"


def test_a_fault_is_explained(scene: Scene) -> None:
    ident = message_id("backend-trouble")
    (entry,) = scene.journal.entries("FAULT=backend-trouble")
    assert (entry["MESSAGE_ID"], entry["EPOCH"], entry["PRIORITY"]) == (ident, "1", "4")
    assert "CALL_ID" not in entry, "no session came to be"
    shown = scene.journal.explained(f"MESSAGE_ID={ident}")
    assert "Subject: ingestd: The backend is there, but in trouble" in shown
    assert "What to do: Nothing to do, it is tried again" in shown
    assert "EPOCH=1" in shown


@pytest.mark.alone
def test_a_journald_that_hangs_holds_up_nothing(scene: Scene) -> None:
    room = scene.room
    person = room.add("Somebody")
    scene.journal.freeze()
    try:
        before = scene.device.status()["uplink"]
        began_s = time.monotonic()
        for number in range(MESSAGES):
            room.publish(person, "CHAT", f"message {number}" + "x" * number)
        with ControlClient(scene.device.socket) as client:  # answered by another thread
            client.call("mute")
            client.call("unmute")
        time.sleep(1.0)
        took_s = time.monotonic() - began_s
        after = scene.device.status()["uplink"]
        assert after["frames"] - before["frames"] >= 50 * took_s * 0.8
        assert after["dropped"] == before["dropped"]
    finally:
        scene.journal.thaw()

    def of_messages() -> list[str]:
        return [line for line in scene.lines() if line.startswith("message on CHAT")]

    lines = wait_until(lambda: found if len(found := of_messages()) >= MESSAGES else [], GUARD_S, "every line")
    sizes = [len(f"message {number}" + "x" * number) for number in range(MESSAGES)]
    assert lines == [f"message on CHAT of {size} characters" for size in sizes], "none is missing, all in order"
