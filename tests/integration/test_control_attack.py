"""Local programs that mean harm to the control socket of a device that streams: the call does not notice.

Quiet stretches and attacks alternate, so that both meet the same machine.
"""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray

from ingestd.control.client import ControlClient
from tests.rig.control_attacker import ATTACKS, DEAF_SUBSCRIBERS, WITHIN_S, Attacked, Attacker
from tests.rig.figures import Figures
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.process import wait_until
from tests.rig.resources import Resources
from tests.standin.client import StandIn

pytestmark = pytest.mark.alone  # all its tests share the one siege that is measured

EACH_S: Final = 1.5
"""75 frames: four gaps may be longer than the 95 % quantile, so that one or two hitches do not decide."""
QUIET_S: Final = 0.75
LEAST_GAPS: Final = 40
"""Of an attack, for a quantile of its own: two may be longer."""
MOST_RATIO: Final = 1.5
TRIES: Final = 3
"""What an attack does it does each time; what a neighbour of this machine does is over by then."""
WARM_UP_S: Final = 0.3
SLOW_TO_FILL: Final = "deaf"
"""What they do not read takes memory, the more the longer they go on."""
AT_LEAST: Final = {"connects": 10_000, "huge_lines": 100_000_000, "deaf_subscribers": DEAF_SUBSCRIBERS}
"""Connections, bytes, and who was cut off."""
GROWTH_KIB: Final = 4096
"""Python takes memory in pieces of 1 MiB, and where they are in part in use keeps them. A leak for each of ten thousand
connections would be more."""
TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass
class Siege:
    """What became of a device under attack."""

    attacks: dict[str, Attacked] = field(default_factory=dict)
    tries: dict[str, list[Attacked]] = field(default_factory=dict)
    """All of each attack; more than one where the first seemed to do harm."""
    quiet: list[tuple[float, float]] = field(default_factory=list)
    """From when to when nobody attacked (CLOCK_MONOTONIC seconds)."""
    cpu: dict[str, float] = field(default_factory=dict)
    """The share of one processor that the device took in each attack, and in "quiet" stretches."""
    times_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """When each frame reached the room."""
    answers_ms: list[float] = field(default_factory=list)
    """How long it took to connect, ask for the status and have it, while others flooded."""
    before: Resources | None = None
    after: Resources | None = None
    status: dict[str, Any] = field(default_factory=dict)
    at_first: dict[str, Any] = field(default_factory=dict)
    exit: int | None = None
    log: str = ""
    news_s: dict[str, float] = field(default_factory=dict)
    """How long a message of the room took to a program that subscribed during that attack."""

    def gaps_ms(self, from_s: float, until_s: float) -> NDArray[np.float64]:
        """Between the frames that arrived then."""
        within = (self.times_s[1:] >= from_s) & (self.times_s[1:] <= until_s)
        gaps: NDArray[np.float64] = np.diff(self.times_s)[within] * 1000
        return gaps

    def quiet_ms(self) -> NDArray[np.float64]:
        """The gaps of all quiet stretches."""
        return np.concatenate([self.gaps_ms(*stretch) for stretch in self.quiet])

    def ratio(self, attack: Attacked) -> float:
        """Its 95 % quantile against the quiet's: of all of it, or of what was around it, where the machine was busy."""
        before = max(stretch for stretch in self.quiet if stretch[1] <= attack.began_s)
        after = min(stretch for stretch in self.quiet if stretch[0] >= attack.ended_s)
        around_ms = np.concatenate([self.gaps_ms(*before), self.gaps_ms(*after)])
        quiet_p95_ms = max(float(np.percentile(gaps, 95)) for gaps in (self.quiet_ms(), around_ms))
        return float(np.percentile(self.gaps_ms(attack.began_s, attack.ended_s), 95)) / quiet_p95_ms


class Besieger:
    """Works through the attacks. One thread."""

    def __init__(self, room: StandIn, device: MemoryDevice, attacker: Attacker, siege: Siege) -> None:
        self._room = room
        self._device = device
        self._attacker = attacker
        self._siege = siege
        self._alice = room.add("Alice")
        self._own = ControlClient(device.socket)

    def status(self) -> dict[str, Any]:
        """By a connection that was there before."""
        status: dict[str, Any] = self._own.call("status")
        return status

    def run(self) -> None:
        """All of them, after each was tried once, so that the device holds all that it ever will."""
        siege, pid = self._siege, self._device.process.pid
        for name in ATTACKS:
            self._attack(name, EACH_S if name == SLOW_TO_FILL else WARM_UP_S)
        self._settle()
        siege.at_first, siege.before = self.status(), Resources.of(pid)
        for name in ATTACKS:
            self._stay_quiet()
            began_s, cpu_s = time.monotonic(), self._cpu_s()
            siege.attacks[name] = self._attack(name, EACH_S, AT_LEAST.get(name, 0))
            siege.cpu[name] = (self._cpu_s() - cpu_s) / (time.monotonic() - began_s)
            if name != "deaf_subscribers":  # over too soon for a quantile of its own
                siege.tries[name] = [siege.attacks[name]]
        self._stay_quiet()
        self._try_again()
        self._without_descriptors()
        self._stay_quiet()
        self._settle()
        siege.status, siege.after = self.status(), Resources.of(pid)
        self._own.close()

    def _try_again(self) -> None:
        """Those that seem to do harm, to tell them from a machine that others keep busy."""
        siege = self._siege
        for name, tries in siege.tries.items():
            while len(tries) < TRIES and self._looks_bad(tries[-1]):
                tries.append(self._attack(name, EACH_S, AT_LEAST.get(name, 0)))
                self._stay_quiet()

    def _looks_bad(self, attack: Attacked) -> bool:
        self._siege.times_s = self._room.received(0).times_s
        return self._siege.ratio(attack) > MOST_RATIO

    def _attack(self, name: str, seconds: float, times: int = 0) -> Attacked:
        if name == "deaf_subscribers":
            self._attacker.begin(name, WITHIN_S)
            self._publish_to_all()
            return self._attacker.over()
        self._attacker.begin(name, seconds, times)
        if name == "many_statuses":
            self._ask_for_the_status(seconds / 2)
        elif name in ("topics", "deaf"):
            self._siege.news_s[name] = self._heard_after_s(name, seconds / 3)
        return self._attacker.over()

    def _stay_quiet(self) -> None:
        began_s, cpu_s = time.monotonic(), self._cpu_s()
        time.sleep(QUIET_S)
        self._siege.quiet.append((began_s, time.monotonic()))
        self._siege.cpu["quiet"] = (self._cpu_s() - cpu_s) / QUIET_S

    def _settle(self) -> None:
        """Who attacked has been forgotten, but for this one who asks."""
        wait_until(lambda: self.status()["control"]["clients"] == 1, WITHIN_S, "the end of all others")

    def _ask_for_the_status(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while (began_s := time.monotonic()) < until_s:
            self._device.status()
            self._siege.answers_ms.append((time.monotonic() - began_s) * 1000)
            time.sleep(0.02)

    def _heard_after_s(self, topic: str, within_s: float) -> float:
        """Somebody else's subscription reaches the room all the same, and what is said there reaches it."""
        with ControlClient(self._device.socket) as client:
            client.call("subscribe", topic=topic)
            time.sleep(within_s)
            said_s = time.monotonic()
            self._room.publish(self._alice, topic, "hello")
            while client.notification(WITHIN_S)["method"] != "message":
                pass
            return time.monotonic() - said_s

    def _publish_to_all(self) -> None:
        """Until all who do not listen are cut off."""
        cut_off = self.status()["control"]["cut_off"] + DEAF_SUBSCRIBERS
        for _ in range(1000):
            self._room.publish(self._alice, "CHAT", "\x01" * 8000)  # six times as long once it is JSON
            if self.status()["control"]["cut_off"] >= cut_off:
                return
        raise AssertionError("who never reads was not cut off")

    def _without_descriptors(self) -> None:
        """Nobody can be let in for a while, however many want to."""
        pid = self._device.process.pid
        usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) + 2, usual[1]))
        try:
            self._siege.attacks["without_descriptors"] = self._attacker.attack("storms", EACH_S)
            assert self.status()["state"] == "streaming"
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)

    def _cpu_s(self) -> float:
        fields = Path(f"/proc/{self._device.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


@pytest.fixture(scope="module")
def siege(tmp_path_factory: pytest.TempPathFactory) -> Siege:
    """One device, one run through all attacks."""
    folder, siege = tmp_path_factory.mktemp("siege"), Siege()
    with StandIn() as room, Attacker(folder / "control.sock") as attacker:
        config = device_config(room.base_url, room.token, room.ca_file, folder)
        with MemoryDevice(folder, config | {"log": {"level": "info"}}) as device:
            room.wait_joined()
            time.sleep(1.0)  # the sample clock's first second is its own
            Besieger(room, device, attacker, siege).run()
            siege.exit = device.stop()["exit"]
            siege.log = device.log
        siege.times_s = room.received(0).times_s
    return siege


def test_every_attack_was_one(siege: Siege) -> None:
    assert {name: attack.fault for name, attack in siege.attacks.items() if attack.fault} == {}
    assert all(attack.times >= AT_LEAST.get(name, 20) for name, attack in siege.attacks.items()), siege.attacks
    more = {key: siege.status["control"][key] - siege.at_first["control"][key] for key in ("cut_off", "refused")}
    assert more["cut_off"] >= DEAF_SUBSCRIBERS + 50
    assert more["refused"] > 0


def test_the_sender_keeps_its_gaps(siege: Siege, figures: Figures) -> None:
    attacked_ms = {name: siege.gaps_ms(attack.began_s, attack.ended_s) for name, attack in siege.attacks.items()}
    quiet_p99_ms = float(np.percentile(siege.quiet_ms(), 99))
    p99_ms = float(np.percentile(np.concatenate(list(attacked_ms.values())), 99))
    figures.add("control_quiet_gap_p99_ms", quiet_p99_ms)
    figures.add("control_attack_gap_p99_ms", p99_ms)
    figures.add("control_attack_gap_max_ms", max(float(gaps.max()) for gaps in attacked_ms.values()))
    assert figures.add("control_attack_gap_p99_ratio", p99_ms / quiet_p99_ms, max=MOST_RATIO)
    assert siege.status["uplink"]["dropped"] == 0


def test_no_attack_by_itself_keeps_the_sender_from_its_gaps(siege: Siege, figures: Figures) -> None:
    gaps = {name: len(siege.gaps_ms(tries[-1].began_s, tries[-1].ended_s)) for name, tries in siege.tries.items()}
    figures.add("control_attack_gaps_least", min(gaps.values()))
    assert min(gaps.values()) >= LEAST_GAPS, gaps
    ratios = {name: [siege.ratio(attack) for attack in tries] for name, tries in siege.tries.items()}
    figures.add("control_attacks_tried_again", sum(len(tries) - 1 for tries in ratios.values()))
    worst = max(min(tries) for tries in ratios.values())
    assert figures.add("control_attack_gap_p95_ratio_worst", worst, max=MOST_RATIO), ratios


def test_a_flood_does_not_take_the_processor(siege: Siege, figures: Figures) -> None:
    most = max(siege.cpu.values())
    figures.add("control_quiet_cpu_share", siege.cpu["quiet"])
    assert figures.add("control_attack_cpu_share_max", most, max=0.6), siege.cpu


def test_others_are_answered_meanwhile(siege: Siege, figures: Figures) -> None:
    assert len(siege.answers_ms) >= 5
    figures.add("control_attack_status_p50_ms", float(np.median(siege.answers_ms)))
    assert figures.add("control_attack_status_max_ms", max(siege.answers_ms), max=1000)
    for name, heard_s in siege.news_s.items():
        assert figures.add(f"control_attack_{name}_message_s", heard_s, max=3.0)


def test_nothing_grows(siege: Siege, figures: Figures) -> None:
    assert siege.before is not None
    assert siege.after is not None
    assert siege.after.more_than(siege.before) == ""
    grown_kib = (siege.after.memory_bytes - siege.before.memory_bytes) / 1024
    figures.add("control_memory_kib", siege.after.memory_bytes / 1024)
    assert figures.add("control_memory_more_kib", grown_kib, max=GROWTH_KIB)


def test_nothing_breaks(siege: Siege) -> None:
    assert siege.exit == 0
    assert (siege.status["state"], siege.status["session"]["epoch"]) == ("streaming", 1)
    assert siege.status["faults"] == []
    assert "Traceback" not in siege.log
    assert "please report" not in siege.log
