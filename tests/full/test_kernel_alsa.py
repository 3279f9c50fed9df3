"""A device with a kernel's own ALSA, ten minutes in a call: clocks that drift, and a sound card that comes and goes.

Debian 13 with its own libraries in a virtual machine; its card is snd-aloop, whose clocks can be set and which can be
unbound. Python is some 15 times slower there than here.
"""

from __future__ import annotations

import math
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest

from tests.rig.figures import Figures
from tests.rig.vm.device import Device
from tests.rig.vm.image import why_not
from tests.rig.vm.judge import breaks, creep_ms, delays, first_heard_s, first_sound_s, late_s, line, share_covered
from tests.rig.vm.machine import AHEAD, HOST, VirtualMachine, put_ahead
from tests.rig.vm.scene import AUDIO, Phase, Recorded, record
from tests.standin.client import StandIn

PHASE_S = 240.0
DRIFTS_PPM = (300, -300)
AWAY_S = (3.0, 0.0, 1.0, 5.0, 0.2, 2.0, 0.5, 8.0, 0.0, 3.0)
CREEP_MS = 30.0
"""Left alone, 300 ppm make 54 ms between the middles of a phase's first and last minute; what is below is jitter's."""
STALL_S = 0.1
"""Beyond this the numbers that a program in C reads, every 0.2 s, are late by the machine's fault."""
AFTER_STALL_S = 1.0
"""So long after a stall, what was lost is its fault: what it made late is dropped when it is too old to be heard."""
EXCUSED_SHARE = 0.01
"""Of all the time, the most that stalls may excuse before nothing has been shown."""

pytestmark = [pytest.mark.full, pytest.mark.alone, pytest.mark.root, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    """The ten minutes, lived through once for all tests here."""
    if reason := why_not():
        pytest.skip(reason)
    # A path of its own, as pytest's are too long for a socket.
    with (
        TemporaryDirectory(prefix="ingestd-vm-") as folder,
        StandIn(tls=True, tls_names=[HOST], command_prefix=AHEAD) as room,
        VirtualMachine(Path(folder)) as machine,
    ):
        put_ahead(room.pid)
        device = Device(machine)
        device.install()
        device.configure(room, AUDIO)
        lived = record(machine, room, phase_s=PHASE_S, drifts_ppm=DRIFTS_PPM, away_s=AWAY_S)
    print(lived.log)
    return lived


def stalls(recorded: Recorded) -> list[tuple[float, float]]:
    """When the guest itself stood still: by a program in C with ingestd's buffers, and by this machine's account."""
    return recorded.stalls + late_s(recorded.events["reader"], STALL_S)


def there(recorded: Recorded, at_s: float) -> bool:
    """Whether the card was there then, and not just about to be found again."""
    return not any(gone.began_s - 0.5 < at_s < back.ended_s + 2.5 for gone, back in recorded.replugs)


def test_the_uplink_loses_nothing_while_the_card_is_there(recorded: Recorded, figures: Figures) -> None:
    excused = [(from_s - 0.1, until_s + AFTER_STALL_S) for from_s, until_s in stalls(recorded)]
    found = [a_break for a_break in breaks(recorded.uplink, recorded.arrivals_s) if there(recorded, a_break.at_s)]
    ours = [b for b in found if not any(from_s < b.at_s < until_s for from_s, until_s in excused)]
    share = share_covered(excused, recorded.arrivals_s[0], recorded.arrivals_s[-1])
    figures.add("vm_uplink_excused_share", share, max=EXCUSED_SHARE)
    figures.add("vm_guest_stalls", len(late_s(recorded.events["reader"], STALL_S)))
    figures.add("vm_host_stalls", len(recorded.stalls))
    figures.add("vm_uplink_frames_dropped", recorded.status["uplink"]["dropped"])
    figures.add("vm_uplink_samples_lost_in_stalls", sum(b.missing for b in found) - sum(b.missing for b in ours))
    figures.add("vm_uplink_samples_lost", sum(b.missing for b in ours), max=0)
    figures.add("vm_uplink_samples_put_in", sum(b.silent for b in ours), max=0)
    assert recorded.status["session"]["reconnects"] == 0
    assert ours == []
    assert share <= EXCUSED_SHARE, "the machine stood still too often to tell"
    # Nor did much get lost in stalls: all numbers of both phases went by.
    frames = recorded.uplink.reshape(-1, 160)
    for phase in recorded.phases:
        inside = (recorded.arrivals_s > phase.from_s) & (recorded.arrivals_s <= phase.until_s)
        numbered = np.count_nonzero(frames[inside])
        assert numbered > (phase.until_s - phase.from_s) * 8000 * 0.999


@pytest.mark.parametrize("number", range(len(DRIFTS_PPM)), ids=[f"{ppm:+} ppm" for ppm in DRIFTS_PPM])
def test_the_downlink_gets_no_later(recorded: Recorded, figures: Figures, number: int) -> None:
    phase = recorded.phases[number]
    when = line(recorded.events["hear"], phase.from_s, phase.until_s)
    assert when.ppm == pytest.approx(phase.ppm, abs=40), "the card's clock ran as it was told"
    points = delays(
        recorded.heard, when, recorded.said, recorded.spans, recorded.began_s, phase.from_s, phase.until_s
    )
    assert len(points) > PHASE_S / 3, "the speech was heard"
    name = f"vm_downlink_{'fast' if phase.ppm > 0 else 'slow'}"
    note_quality(figures, name, phase)
    figures.add(f"{name}_delay_p50_ms", float(np.median(points[:, 1]) * 1000))
    figures.add(f"{name}_delay_max_ms", float(points[:, 1].max() * 1000), max=400)
    assert figures.add(f"{name}_delay_creep_ms", creep_ms(points), max=CREEP_MS)
    assert points[:, 1].max() <= 0.4


def note_quality(figures: Figures, name: str, phase: Phase) -> None:
    """What a phase cost, for information."""
    before, after = phase.before["downlink"], phase.after["downlink"]
    for key in ("concealed", "accelerated", "expanded", "dropped_ms", "device_underruns"):
        figures.add(f"{name}_{key}{'_ms' * (key == 'concealed')}", after[key] - before[key])
    figures.add(f"{name}_cpu_percent", phase.cpu_share * 100)
    for key, ppm in phase.after["clocks"].items():
        if ppm is not None:
            figures.add(f"{name}_status_{key}", ppm)


def test_a_card_plugged_in_again_is_heard_within_two_seconds(recorded: Recorded, figures: Figures) -> None:
    up_s, down_s = [], []
    for _, back in recorded.replugs:
        up_s.append(first_sound_s(recorded.uplink, recorded.arrivals_s, back.began_s) - back.began_s)
        down_s.append(first_heard_s(recorded.heard, recorded.events["hear"], back.began_s) - back.began_s)
    assert len(recorded.replugs) == len(AWAY_S)
    for name, found in (("up", up_s), ("down", down_s)):
        figures.add(f"vm_replug_{name}_p50_s", float(np.median(found)))
        # A NaN, where nothing came back, is the worst.
        worst_s = math.nan if np.any(np.isnan(found)) else max(found)
        assert figures.add(f"vm_replug_{name}_max_s", worst_s, max=2.0), found
    assert recorded.status["devices"]["capture"]["lost"] is False
    assert recorded.status["devices"]["playback"]["lost"] is False
    assert recorded.status["session"]["reconnects"] == 0, "the call stayed up"
