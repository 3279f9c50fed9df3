"""The process of an installed device is killed, or stands still: systemd has it back in the room."""

from __future__ import annotations

import time
from functools import partial

import pytest

from tests.rig.booted_site import BootedSite
from tests.rig.figures import Figures
from tests.rig.process import wait_until

KILLED_S = 5.0
KILLS_BEFORE = 6
MORE_THAN_THE_WATCHDOG_S = 5.0

pytestmark = [pytest.mark.root, pytest.mark.waits, pytest.mark.timeout(1200)]


def main_pid(site: BootedSite) -> str:
    """The process, as systemd has it; 0 where there is none."""
    return site.machine.show("ingestd", "MainPID")["MainPID"]


def runs_anew(site: BootedSite, former: str) -> bool:
    """There is a process, and another than that one."""
    return main_pid(site) not in (former, "0")


def struck_s(site: BootedSite, signal: str, timeout_s: float) -> float:
    """Seconds from that signal to the first frame of the next session."""
    site.wait_state("streaming")
    site.flows()
    site.all_seen()
    before = site.machine.show("ingestd", "MainPID", "NRestarts")
    began_s = time.monotonic()
    site.machine.run("kill", f"-{signal}", before["MainPID"])
    took_s = site.fresh_frame_s(timeout_s) - began_s
    after = site.machine.show("ingestd", "NRestarts", "ActiveState")
    assert after == {"NRestarts": str(int(before["NRestarts"]) + 1), "ActiveState": "active"}
    return took_s


def explained(result: str) -> list[str]:
    """What systemd's own catalog tells a person of such an end of the service."""
    failed = f"The unit ingestd.service has entered the 'failed' state with result '{result}'."
    return [failed, "Automatic restarting of the unit ingestd.service has been scheduled"]


def test_killed(booted: BootedSite, figures: Figures) -> None:
    began_s = time.monotonic()
    assert figures.add("deb_kill_to_streaming_s", struck_s(booted, "KILL", 20), max=KILLED_S)
    booted.said(began_s, "code=killed, status=9/KILL", "streaming: connected")
    booted.said(began_s, "exit code is 'killed' and its exit status is 9", *explained("signal"), catalog=True)


def test_killed_once_more_after_many_times(booted: BootedSite, figures: Figures) -> None:
    """systemd waits longer each time, and never counts anew while the service is up."""
    for _ in range(KILLS_BEFORE):
        pid = main_pid(booted)
        booted.machine.run("kill", "-KILL", pid)
        wait_until(partial(runs_anew, booted, pid), 20, "a start")
    waited = booted.machine.show("ingestd", "RestartUSecNext", "RestartMaxDelayUSec")
    assert waited["RestartUSecNext"] == waited["RestartMaxDelayUSec"], "there is no longer wait than this"
    assert figures.add("deb_kill_to_streaming_worst_s", struck_s(booted, "KILL", 30), max=KILLED_S)


def test_stopped(booted: BootedSite, figures: Figures) -> None:
    began_s = time.monotonic()
    watchdog_s = float(booted.machine.run("systemctl", "cat", "ingestd").stdout.split("WatchdogSec=")[1].split()[0])
    took_s = struck_s(booted, "STOP", watchdog_s + 20)
    assert figures.add("deb_stop_to_streaming_s", took_s, max=watchdog_s + MORE_THAN_THE_WATCHDOG_S)
    # Which stacks follow is chance: systemd lets it go on as it aborts it. Of what hangs they are all there.
    booted.said(began_s, "Watchdog timeout", "Fatal Python error: Aborted", "streaming: connected")
    booted.said(began_s, *explained("watchdog"), catalog=True)


def test_a_call_outlives_whoever_asks_for_its_stacks(booted: BootedSite) -> None:
    """Last here, as the journal tells little of the next half minute."""
    booted.wait_state("streaming")
    before = booted.machine.show("ingestd", "MainPID", "NRestarts")
    asks = 'for _ in $(seq 200); do kill -STOP "$0"; sleep 0.03; kill -USR1 "$0"; kill -CONT "$0"; sleep 0.02; done'
    began_s = time.monotonic()
    assert booted.machine.run("sh", "-c", asks, before["MainPID"], timeout_s=300).returncode == 0
    booted.said(began_s, *(f'ingestd/threads/{name}.py"' for name in ("supervisor", "sender", "receiver", "capture")))
    booted.flows()
    assert booted.machine.show("ingestd", "MainPID", "NRestarts") == before
