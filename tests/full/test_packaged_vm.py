"""The package on a device with a kernel's own ALSA: booted from cold, ten minutes in a call, its clock set to 1970.

Debian 13 in a virtual machine, ingestd installed by dpkg and run by its own unit, over TLS. Python is some 15 times
slower there than here, so what costs time or wakes is a slow device's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.rig.figures import Figures
from tests.rig.process import wait_until
from tests.rig.vm.device import Device, Milestones
from tests.rig.vm.image import why_not
from tests.rig.vm.judge import breaks, late_s, share_covered
from tests.rig.vm.machine import AHEAD, HOST, VirtualMachine, put_ahead
from tests.rig.vm.scene import AUDIO, Recorded, record
from tests.standin.client import StandIn

CALL_S = 600.0
START_S = 10.0
"""From the start of the service to the first frame in the room, caches cold, at most."""
STALL_S = 0.1
"""Beyond this the numbers that a program in C reads, every 0.2 s, are late by the machine's fault."""
AFTER_STALL_S = 1.0
"""So long after a stall, what was lost is its fault: what it made late is dropped when it is too old to be heard."""
EXCUSED_SHARE = 0.01
"""Of all the time, the most that stalls may excuse before nothing has been shown."""
IN_1970_S = 3600
WRONG_FOR_S = 15.0
"""How long the clock stays wrong: by then the next attempt is many seconds away."""
JOIN_S = 120.0

pytestmark = [pytest.mark.full, pytest.mark.alone, pytest.mark.root, pytest.mark.timeout(2400)]


@dataclass(frozen=True)
class Boot:
    """A boot from cold of a device that was set up before."""

    milestones: Milestones
    first_frame_s: float
    """When the room received the first, by the guest's clock;"""
    powered_s: float
    """when it was switched on, by the same."""
    user: str
    """Who ingestd ran as."""


@dataclass(frozen=True)
class Clock:
    """The clock set to 1970 in a call, the service then restarted, and the clock set right."""

    calls_lost: int
    """By the setting back."""
    wrong: dict[str, Any]
    """The status while it was wrong."""
    log: str
    """Its end then, explained."""
    step_to_frame_s: float


@dataclass(frozen=True)
class Lived:
    """All of it, in its order."""

    fresh: str
    """What `systemctl status` said of a device that nobody had set up."""
    boot: Boot
    call: Recorded
    clock: Clock
    networks: tuple[str, str]
    """That of the machine, and that of the handlers."""


@pytest.fixture(scope="module")
def lived() -> Iterator[Lived]:
    """A device's first quarter of an hour, lived through once for all tests here."""
    if reason := why_not():
        pytest.skip(reason)
    with (
        TemporaryDirectory(prefix="ingestd-vm-") as folder,  # pytest's paths are too long for a socket
        StandIn(tls=True, tls_names=[HOST], command_prefix=AHEAD) as room,
        VirtualMachine(Path(folder)) as machine,
    ):
        put_ahead(room.pid)
        device = Device(machine)
        device.install()
        fresh = machine.run("systemctl status ingestd || true")
        device.configure(room, AUDIO)
        machine.restart()
        room.wait_joined(timeout_s=JOIN_S)
        room.wait_received(0, 1, timeout_s=JOIN_S)
        user, milestones = machine.run("stat -c %U /proc/$(systemctl show -P MainPID ingestd)"), device.milestones()
        call = record(machine, room, phase_s=CALL_S, drifts_ppm=(0,), away_s=(), look_every_s=1.0)
        rate, offset = machine.clock()
        first_frame_s = float(room.received(0).times_s[0]) * rate + offset
        boot = Boot(milestones, first_frame_s, machine.powered_s * rate + offset, user.strip())
        clock = set_wrong(machine, device, room)
        print(device.log())
        yield Lived(fresh, boot, call, clock, networks(machine))


def networks(machine: VirtualMachine) -> tuple[str, str]:
    """The namespaces of systemd and of ingestd-hooks; a container can't show that they are two."""
    machine.run("systemctl start ingestd-hooks", timeout_s=JOIN_S)
    both = machine.run("readlink /proc/1/ns/net /proc/$(systemctl show -P MainPID ingestd-hooks)/ns/net").split()
    return both[0], both[1]


def set_wrong(machine: VirtualMachine, device: Device, room: StandIn) -> Clock:
    """Lets that happen."""
    before = len(room.connections())
    device.set_date(IN_1970_S)
    time.sleep(5.0)
    lost = len(room.connections()) - before
    machine.run("systemctl restart ingestd", timeout_s=JOIN_S)  # it is ready once the first attempt is over
    wait_until(lambda: machine.status()["state"] == "waiting", JOIN_S, "ingestd to find the clock wrong", every=0.5)
    time.sleep(WRONG_FOR_S)
    wrong, log = machine.status(), machine.run("journalctl --no-pager --unit ingestd -x -n 60")
    number = len(room.calls())
    stepped_s = time.monotonic()
    device.set_date(int(time.time()))
    call = room.wait_received(room.wait_for(lambda: room.calls(number), "a call", JOIN_S)[0].index, 1, JOIN_S)
    return Clock(lost, wrong, log, float(room.received(call.index).times_s[0]) - stepped_s)


def test_a_fresh_installation_is_skipped_until_there_is_a_token(lived: Lived) -> None:
    assert "inactive (dead)" in lived.fresh
    assert "/etc/ingestd/token was not met" in lived.fresh


def test_a_boot_from_cold_ends_in_the_room(lived: Lived, figures: Figures) -> None:
    boot, when = lived.boot, lived.boot.milestones
    assert boot.user == "ingestd"
    figures.add("vm_boot_to_first_frame_s", boot.first_frame_s - boot.powered_s)
    figures.add("vm_boot_userspace_to_first_frame_s", boot.first_frame_s - when.userspace_s)
    figures.add("vm_boot_service_to_ready_s", when.ready_s - when.service_s)
    assert figures.add("vm_boot_service_to_first_frame_s", boot.first_frame_s - when.service_s, max=START_S)
    assert when.userspace_s < when.service_s < boot.first_frame_s


def test_ten_minutes_without_an_xrun(lived: Lived, figures: Figures) -> None:
    call, (phase,) = lived.call, lived.call.phases
    stalls = call.stalls + late_s(call.events["reader"], STALL_S)
    excused = [(from_s - 0.1, until_s + AFTER_STALL_S) for from_s, until_s in stalls]
    looks = [(then_s, now_s, then, now) for (then_s, then), (now_s, now) in pairwise(call.looks)]
    # A count that grew between two looks is excused as a whole, so all of that time counts as excused.
    touched = [(a, b) for a, b, _, _ in looks if any(a < end_s and start_s < b for start_s, end_s in excused)]
    share = share_covered([*excused, *touched], phase.from_s, phase.until_s)
    figures.add("vm_packaged_excused_share", share, max=EXCUSED_SHARE)
    xruns = [
        at_s for at_s, event, _ in call.events["reader"] if event == "xrun" and phase.from_s < at_s < phase.until_s
    ]
    assert figures.add("vm_packaged_reader_xruns", len(xruns), max=0), "a machine that shows nothing of ingestd"
    assert phase.until_s - phase.from_s >= CALL_S

    def unexcused(from_s: float, until_s: float) -> bool:
        return not any(from_s < end_s and start_s < until_s for start_s, end_s in excused)

    grown = [
        (then_s, now_s, now["uplink"]["xruns"] - then["uplink"]["xruns"])
        for then_s, now_s, then, now in looks
        if now["uplink"]["xruns"] != then["uplink"]["xruns"]
    ]
    ours = [growth for growth in grown if unexcused(growth[0], growth[1])]
    figures.add("vm_packaged_xruns_in_stalls", sum(g[2] for g in grown) - sum(g[2] for g in ours))
    assert figures.add("vm_packaged_xruns", sum(g[2] for g in ours), max=0), ours
    # The speaker's fill is as low as this machine's lateness allows, which is found by going below it now and then.
    before, after = phase.before["downlink"], phase.after["downlink"]
    figures.add("vm_packaged_playback_underruns", after["device_underruns"] - before["device_underruns"])
    during = (call.arrivals_s > phase.from_s) & (call.arrivals_s < phase.until_s)
    samples = call.uplink.reshape(-1, 160)[during].reshape(-1)
    lost = [b for b in breaks(samples, call.arrivals_s[during]) if unexcused(b.at_s - 1e-3, b.at_s)]
    assert figures.add("vm_packaged_samples_lost", sum(b.missing for b in lost), max=0), lost
    assert figures.add("vm_packaged_samples_put_in", sum(b.silent for b in lost), max=0), lost
    assert share <= EXCUSED_SHARE, "the machine stood still too often to tell"
    assert call.status["session"]["reconnects"] == 0


def test_what_a_call_costs(lived: Lived, figures: Figures) -> None:
    (phase,) = lived.call.phases
    figures.add("vm_cpu_share", phase.cpu_share)
    figures.add("vm_wakeups_per_s", phase.sleeps_per_s)
    figures.add("vm_pss_mib", phase.used.pss_mib)
    assert figures.add("vm_rss_mib", phase.used.rss_mib, max=36.0)


def test_handlers_have_a_network_of_their_own(lived: Lived) -> None:
    ours, theirs = lived.networks
    assert ours != theirs


def test_a_clock_that_stood_at_1970_keeps_no_device_away(lived: Lived, figures: Figures) -> None:
    clock = lived.clock
    assert clock.calls_lost == 0, "what runs goes by another clock"
    assert "clock stands at 1970-01-01" in clock.wrong["reason"]
    assert "timedatectl" in clock.wrong["faults"][-1]["remedy"]
    assert clock.wrong["next_attempt_in_s"] > 5.0, "or the end of the wait would do"
    assert "clock stands at 1970-01-01" in clock.log
    assert "boots in the past" in clock.log, "the catalog explains it"
    assert figures.add("vm_clock_step_to_streaming_s", clock.step_to_frame_s, max=5.0)
