"""What systemd hears, on a real NOTIFY_SOCKET."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestd.core.lifecycle import State
from ingestd.reporter import Reporter
from ingestd.system.notify import Notifier
from tests.unit.reporter_case import WHERE


class Systemd:
    """The receiving end."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(str(path))
        self.sock.setblocking(False)

    def heard(self) -> list[str]:
        """What came since last asked."""
        found = []
        while True:
            try:
                found.append(self.sock.recv(65536).decode())
            except BlockingIOError:
                return found


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    """Listens where this process is told to notify."""
    path = tmp_path / "notify"
    listener = Systemd(path)
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    yield listener
    listener.sock.close()


def test_ready_is_said_once(systemd: Systemd) -> None:
    notifier = Notifier()
    for _ in range(3):
        notifier.ready()
    assert systemd.heard() == ["READY=1"]


def test_the_status_line_is_said_where_it_changed(systemd: Systemd) -> None:
    notifier = Notifier()
    for line in ("creating: starting", "creating: starting", "streaming: “connected”", "creating: starting"):
        notifier.status(line)
    assert systemd.heard() == [
        "STATUS=creating: starting",
        "STATUS=streaming: “connected”",
        "STATUS=creating: starting",
    ]


def test_a_beat_and_the_end(systemd: Systemd) -> None:
    notifier = Notifier()
    notifier.watchdog()
    notifier.watchdog()
    notifier.stopping()
    assert systemd.heard() == ["WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


def test_the_watchdog_hears_of_health_only_and_in_half_its_time(
    systemd: Systemd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000000")
    now, healthy = [100.0], [True]

    def stuck(_now: float) -> list[str]:
        return [] if healthy[0] else ["captured samples"]

    reporter = Reporter(Notifier(), lambda _method, _params: None, stuck, WHERE, lambda: now[0])
    reporter.state(State.STREAMING, 1, "connected", None)
    systemd.heard()
    beats = []
    for _ in range(40):
        reporter.heartbeat()
        beats += [now[0]] * len(systemd.heard())
        now[0] += 1
    assert 4 <= len(beats) <= 6
    healthy[0] = False
    for _ in range(40):
        reporter.heartbeat()
        now[0] += 1
    assert systemd.heard() == []
    healthy[0] = True
    reporter.heartbeat()
    assert systemd.heard() == ["WATCHDOG=1"]


def test_a_systemd_that_does_not_read_holds_up_nobody_and_hears_it_later(systemd: Systemd) -> None:
    notifier = Notifier()
    said = 0
    while notifier.watchdog():
        said += 1
        assert said < 100_000
    notifier.ready()
    notifier.status("old")
    notifier.status("streaming")
    assert systemd.heard() == ["WATCHDOG=1"] * said
    notifier.repeat()
    notifier.repeat()
    assert systemd.heard() == ["READY=1", "STATUS=streaming"], "once each, and the latest"
    assert notifier.watchdog()


def test_a_reload_as_systemd_hears_it(systemd: Systemd) -> None:
    before_usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier = Notifier()
    notifier.reloading()
    notifier.reloaded()
    told, ready = systemd.heard()
    reloading, usec = told.split("\n")
    assert (reloading, ready) == ("RELOADING=1", "READY=1")
    after_usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert before_usec <= int(usec.removeprefix("MONOTONIC_USEC=")) <= after_usec


def test_a_life_as_systemd_hears_it(systemd: Systemd) -> None:
    reporter = Reporter(Notifier(), lambda _method, _params: None, lambda _now: [], WHERE)
    for state in (State.CREATING, State.WAITING, State.STREAMING, State.STOPPING, State.STOPPED):
        reporter.state(state, 1, "why", None)
    heard = systemd.heard()
    assert heard.count("READY=1") == 1
    assert heard.index("READY=1") == heard.index("STATUS=creating: why") + 1, "waiting sensibly is ready"
    assert heard[-1] == "STATUS=stopped: why"
    assert "STOPPING=1" in heard


@pytest.mark.parametrize(("usec", "every_s"), [("", None), ("0", None), ("nonsense", None), ("30000000", 15.0)])
def test_how_often_the_watchdog_wants_to_hear(
    monkeypatch: pytest.MonkeyPatch, usec: str, every_s: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    assert Notifier().watchdog_every_s == every_s


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for there in (None, str(tmp_path / "nobody")):
        if there is None:
            monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
        else:
            monkeypatch.setenv("NOTIFY_SOCKET", there)
        notifier = Notifier()
        notifier.ready()
        notifier.status("x")
        notifier.watchdog()
        notifier.stopping()
