"""The way to the room changes, from Ethernet to mobile network: the call goes on over the other one within seconds."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.rig import netns
from tests.rig.figures import Figures
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.memory_ports import frame_numbers
from tests.rig.process import wait_until
from tests.rig.two_cables import TwoCables
from tests.standin.client import SocketFault, StandIn

pytestmark = [pytest.mark.root, pytest.mark.waits, pytest.mark.usefixtures("own_network")]

STALE_MS = 250.0
RECOVERY_S = 5.0
WARM_S = 3.0
AFTER_S = 4.0
WITHDRAWN_AFTER_S = 1.0
"""How long a DHCP client takes to see that the carrier is gone for good."""

CHATTER = """
while :; do
    ip route add 10.250.0.0/24 dev wwan0
    sleep 0.2
    ip route delete 10.250.0.0/24 dev wwan0
    sleep 0.2
done
"""


def pull_at_the_device(site: TwoCables) -> None:
    site.link_down("device", "eth0")


def pull_at_the_far_end(site: TwoCables) -> None:
    site.link_down("far", "eth0")
    time.sleep(WITHDRAWN_AFTER_S)
    site.withdraw("eth0")


def prefer_mobile(site: TwoCables) -> None:
    site.set_metric("eth0", 900)


def prefer_mobile_among_chatter(site: TwoCables) -> None:
    """Routes of no concern come and go all the time: containers, a tunnel, a bad contact. The old way still carries."""
    site.be_strict(False)
    site.spawn(["sh", "-c", CHATTER])  # ends with the site
    time.sleep(1)
    prefer_mobile(site)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "change",
    [
        pull_at_the_device,
        pytest.param(pull_at_the_far_end, marks=pytest.mark.full),
        prefer_mobile,
        pytest.param(prefer_mobile_among_chatter, marks=pytest.mark.full),
    ],
)
def test_a_fresh_session_over_the_other_way(
    tmp_path: Path, figures: Figures, change: Callable[[TwoCables], None]
) -> None:
    if reason := netns.why_not():
        pytest.skip(reason)
    with TwoCables() as site:
        address = site.service_address
        with StandIn(tls=True, host=address, tls_names=[address]) as room:
            config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
            with MemoryDevice(tmp_path, config, prefix=site.command([])) as device:
                room.wait_joined()
                time.sleep(WARM_S)
                assert sources(room.port) == {site.address_on("eth0")}
                changed_s = time.monotonic()
                change(site)
                wait_until(lambda: len(room.calls()) > 1, 3 * RECOVERY_S, "a fresh session")
                wait_until(lambda: site.address_on("wwan0") in sources(room.port), 3 * RECOVERY_S, "the other way")
                time.sleep(AFTER_S)
                calls = len(room.calls())
                said = device.stop()
            heard = fresh_frames(room, said["start_s"], said["frame_s"])
    recovery_s = float(np.min(heard[1], initial=np.inf)) - changed_s
    everything = np.sort(np.concatenate(heard))
    end_s = changed_s + recovery_s + AFTER_S / 2
    around = everything[(everything > changed_s - 1) & (everything < end_s)]
    figures.add(f"route_change_{change.__name__}_gap_s", float(np.diff(around).max()))
    slowest_s = max(recovery_s, figures.values.get("route_change_recovery_s", 0.0))
    figures.add("route_change_recovery_s", slowest_s, max=RECOVERY_S)
    assert recovery_s <= RECOVERY_S
    assert calls == 2, "one change, one fresh session"
    assert said["exit"] == 0


@pytest.mark.timeout(120)
def test_the_way_changes_while_a_connection_is_being_made(tmp_path: Path) -> None:
    if reason := netns.why_not():
        pytest.skip(reason)
    with TwoCables() as site:
        site.be_strict(False)
        address = site.service_address
        with StandIn(tls=True, host=address, tls_names=[address]) as room:
            room.script_sockets(SocketFault("stall", at="upgrade", for_s=2.0))
            config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
            with MemoryDevice(tmp_path, config, prefix=site.command([])) as device:
                wait_until(room.connections, 20, "the opening handshake")
                prefer_mobile(site)
                room.wait_joined(1)
                room.wait_joined(2)
                wait_until(lambda: sources(room.port) == {site.address_on("wwan0")}, 20, "the old connection's end")
                assert device.stop()["exit"] == 0


@pytest.mark.timeout(120)
def test_what_does_not_change_the_way_leaves_the_call_alone(tmp_path: Path) -> None:
    if reason := netns.why_not():
        pytest.skip(reason)
    with TwoCables() as site:
        address = site.service_address
        with StandIn(tls=True, host=address, tls_names=[address]) as room:
            config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
            with MemoryDevice(tmp_path, config, prefix=site.command([])) as device:
                room.wait_joined()
                time.sleep(WARM_S)
                site.link_down("device", "wwan0")
                time.sleep(1)
                site.link_up("device", "wwan0")
                time.sleep(1)
                renewed = f"{site.address_on('eth0')}/30"
                site.ip("address", "replace", renewed, "dev", "eth0", "valid_lft", "600", "preferred_lft", "600")
                time.sleep(AFTER_S)
                assert len(room.calls()) == 1
                assert device.stop()["exit"] == 0


def sources(port: int) -> set[str]:
    """The addresses that connections to the service come from."""
    command = ["ss", "-Htn", "state", "established", "sport", "=", f":{port}"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[3].rpartition(":")[0] for line in lines}


def fresh_frames(room: StandIn, start_s: float, frame_s: float) -> list[NDArray[np.float64]]:
    """When frames that were not stale came in, seconds, session by session."""
    found = []
    for call in room.calls():
        kept = room.received(call.call_id)
        numbers = frame_numbers(kept.samples.reshape(-1, 160))
        assert np.all(numbers > 0), "no frame is torn"
        ages_ms = (kept.times_s - start_s - numbers * frame_s) * 1000
        found.append(kept.times_s[ages_ms <= STALE_MS])
    return found
