"""How soon the room hears the device again: after a reset of its connections, and after a cut that it can see."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.rig import netns
from tests.rig.figures import Figures
from tests.rig.heard import Heard
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.process import wait_until
from tests.rig.proxy import FaultProxy
from tests.rig.routed import RoutedNamespace
from tests.standin.client import StandIn

pytestmark = [pytest.mark.waits, pytest.mark.usefixtures("own_network")]

DEVICES = 4
RESET_RECOVERY_S = 1.0
CUT_S = 10.0
CUT_RECOVERY_S = 2.0
WARM_S = 5.0
"""With CUT_S as long as it takes until a wait may be ended early as often as ever (`core.hurry`)."""
GUARD_S = 20.0


def p95(values: list[float]) -> float:
    """The value that nineteen of twenty keep within; of few, their greatest."""
    return float(np.quantile(values, 0.95, method="inverted_cdf"))


def tell(figures: Figures, name: str, recoveries_s: list[float], most_s: float) -> None:
    """Adds them with the bound, and holds it."""
    figures.add(f"{name}_count", len(recoveries_s))
    figures.add(f"{name}_recovery_p50_s", float(np.median(recoveries_s)))
    figures.add(f"{name}_recovery_max_s", max(recoveries_s))
    assert figures.add(f"{name}_recovery_p95_s", p95(recoveries_s), max=most_s), sorted(recoveries_s)


# --- resets


@dataclass(frozen=True)
class Site:
    """Devices whose every connection goes through one proxy, each in a room of its own."""

    room: StandIn
    cable: FaultProxy
    devices: list[MemoryDevice]

    def back_after_s(self, room_id: str, moment_s: float) -> float:
        """Seconds from that moment to the first frame that came by a session made since; infinity without one."""
        calls = [call for call in self.room.calls() if call.room_id == room_id and call.created_s > moment_s]
        came_s = [self.room.received(call.call_id).times_s[:1] for call in calls]
        return float(np.min(np.concatenate([np.empty(0), *came_s]), initial=np.inf) - moment_s)

    def heard_since(self, moment_s: float) -> bool:
        """Whether all of them came back after that moment."""
        return all(self.back_after_s(_name(number), moment_s) < np.inf for number in range(DEVICES))


def _name(number: int) -> str:
    return f"room-{number}"


@contextmanager
def site_of(directory: Path, times: Mapping[str, Any] | None) -> Iterator[Site]:
    with ExitStack() as stack:
        room = stack.enter_context(StandIn(tls=True))
        cable = stack.enter_context(FaultProxy(room.port))
        room.configure(public_base=f"wss://127.0.0.1:{cable.port}")
        devices = []
        for number in range(DEVICES):
            own = directory / _name(number)
            own.mkdir()
            base_url = f"https://127.0.0.1:{cable.port}"
            config = device_config(base_url, room.token, room.ca_file, own, room_id=_name(number))
            devices.append(stack.enter_context(MemoryDevice(own, config, times=times)))
        room.wait_joined(DEVICES, timeout_s=GUARD_S)
        yield Site(room, cable, devices)


def resets(directory: Path, rounds: int, apart_s: tuple[float, float], times: Mapping[str, Any] | None) -> list[float]:
    """Seconds from each reset to the next frame that the room hears, of every device."""
    draw = random.Random(7)
    reset_s: list[float] = []
    with site_of(directory, times) as site:
        for _ in range(rounds):
            time.sleep(draw.uniform(*apart_s))  # from the slowest recovery on, as the next is to prove good too
            reset_s.append(time.monotonic())
            site.cable.reset()
            wait_until(lambda: site.heard_since(reset_s[-1]), GUARD_S, "all devices in the room", every=0.05)
        assert [device.stop()["exit"] for device in site.devices] == [0] * DEVICES
        return [site.back_after_s(_name(number), moment_s) for number in range(DEVICES) for moment_s in reset_s]


@pytest.mark.timeout(120)
def test_resets_of_connections_that_had_proved_good(tmp_path: Path, figures: Figures) -> None:
    """The time that proves a connection good is shortened, so that one reset soon follows the other."""
    recoveries_s = resets(tmp_path, 8, (1.6, 2.4), {"good_after_s": 1.0})
    tell(figures, "reset", recoveries_s, RESET_RECOVERY_S)


@pytest.mark.full
@pytest.mark.timeout(300)
def test_resets_with_the_times_of_a_device(tmp_path: Path, figures: Figures) -> None:
    recoveries_s = resets(tmp_path, 15, (11.5, 13.0), None)
    tell(figures, "reset_long", recoveries_s, RESET_RECOVERY_S)


# --- cuts that the device can see


def link(site: RoutedNamespace) -> Callable[[], None]:
    site.link_down("device")
    return site.give_link


def address(site: RoutedNamespace) -> Callable[[], None]:
    site.take_address()
    return site.give_address


def route(site: RoutedNamespace) -> Callable[[], None]:
    site.take_route()
    return site.give_route


CUTS = (link, address, route)


def cuts(directory: Path, cut: Callable[[RoutedNamespace], Callable[[], None]], rounds: int) -> list[float]:
    """Seconds from the return of what was cut to the next fresh frame that the room hears."""
    draw = random.Random(cut.__name__)
    back_s: list[float] = []
    with RoutedNamespace() as site:
        own = directory / cut.__name__
        own.mkdir()
        where = site.service_address
        with StandIn(tls=True, host=where, tls_names=[where]) as room:
            config = device_config(room.base_url, room.token, room.ca_file, own)
            with MemoryDevice(own, config, prefix=site.command([])) as device:
                room.wait_joined()
                for _ in range(rounds):
                    time.sleep(WARM_S + draw.uniform(0.0, 1.0))
                    wait_until(lambda: device.status()["state"] == "streaming", GUARD_S, "the device in the room")
                    give_back = cut(site)
                    time.sleep(CUT_S)
                    assert device.status()["state"] != "streaming", "a cut is no cut where the call goes on"
                    back_s.append(time.monotonic())
                    give_back()
                time.sleep(CUT_RECOVERY_S + 2.0)
                said = device.stop()
            heard = Heard(room, said["start_s"], said["frame_s"])
    assert said["exit"] == 0
    return [heard.first_after_s(moment_s) for moment_s in back_s]


def all_cuts(directory: Path, figures: Figures, name: str, rounds: int) -> None:
    """Every kind at once, each in a namespace of its own."""
    if reason := netns.why_not():
        pytest.skip(reason)
    with ThreadPoolExecutor(len(CUTS)) as threads:
        results = [threads.submit(cuts, directory, cut, rounds) for cut in CUTS]
        found = {cut.__name__: result.result() for cut, result in zip(CUTS, results, strict=True)}
    for kind, recoveries_s in found.items():
        figures.add(f"{name}_{kind}_recovery_max_s", max(recoveries_s))
    tell(figures, name, [each for recoveries_s in found.values() for each in recoveries_s], CUT_RECOVERY_S)


@pytest.mark.root
@pytest.mark.timeout(120)
def test_cuts_that_the_device_can_see(tmp_path: Path, figures: Figures) -> None:
    all_cuts(tmp_path, figures, "visible_cut", 2)


@pytest.mark.full
@pytest.mark.root
@pytest.mark.timeout(300)
def test_many_cuts_that_the_device_can_see(tmp_path: Path, figures: Figures) -> None:
    all_cuts(tmp_path, figures, "visible_cut_long", 12)
