"""A field device in the virtual machine: the package, its card (snd-aloop), what plays and listens there.

A cable joins Loopback,0,N (what plays) and Loopback,1,N (what captures). The clock of each can be set, and all are
unplugged with the card.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.rig.vm.machine import HOST, VirtualMachine
from tests.standin.client import StandIn

MIC, REFERENCE, SPEAKER = 0, 1, 2
"""Cables: numbers to ingestd, numbers to a program in C, and from ingestd to a program in C."""

_DRIVER = "/sys/bus/platform/drivers/snd_aloop"
_CARD = "snd_aloop.0"
_LOGS = "/run"


@dataclass(frozen=True)
class Change:
    """The card unplugged or plugged in, by the guest's clock (seconds)."""

    began_s: float
    ended_s: float


@dataclass(frozen=True)
class Usage:
    """What a process has used since it began, and holds now."""

    cpu_s: float
    rss_mib: float
    pss_mib: float
    """As `rss_mib`, but of what others share only its part."""
    sleeps: int
    """How often one of its threads went to sleep: each was woken once."""


@dataclass(frozen=True)
class Task:
    """What a thread has used since it began."""

    cpu_s: float
    sleeps: int
    interruptions: int
    """How often it would have gone on, but another was let run."""


@dataclass(frozen=True)
class Tasks:
    """All threads of a process, by their ids in order, at a moment of the guest's clock (seconds)."""

    at_s: float
    threads: dict[int, Task]


@dataclass(frozen=True)
class Milestones:
    """When a boot came to what, by the guest's clock (seconds), which begins with the kernel."""

    userspace_s: float
    service_s: float
    """systemd began to start ingestd."""
    ready_s: float
    """ingestd had told that it is ready."""


class Device:
    """That device in a running machine."""

    def __init__(self, machine: VirtualMachine) -> None:
        self._machine = machine

    def install(self) -> None:
        """Installs the package, as the first one."""
        self._machine.run("DEBIAN_FRONTEND=noninteractive dpkg --install /srv/ingestd.deb", timeout_s=240)

    def configure(self, room: StandIn, audio: dict[str, Any]) -> None:
        """Writes the configuration, for a room that runs here with TLS and the name `HOST`, or without TLS."""
        backend = {"token_file": "/etc/ingestd/token"}
        if room.ca_file is not None:
            backend["ca_file"] = "/etc/ingestd/ca.pem"
            self._machine.write(backend["ca_file"], room.ca_file.read_text())
            http, ws, host = "https", "wss", HOST
        else:  # ingestd sends nothing in the clear but to this name
            self._machine.write("/etc/hosts", f"{HOST} localhost\n")
            http, ws, host = "http", "ws", "localhost"
        backend["url"] = f"{http}://{host}:{room.port}/v2/ingest/sessions"
        room.configure(public_base=f"{ws}://{host}:{room.port}")
        config = {
            "backend": backend,
            "session": {"room_id": room.room, "participant": {"id": "device", "metadata": {}}},
            "audio": audio,
        }
        self._machine.write("/etc/ingestd/ingestd.yaml", json.dumps(config))
        self._machine.write("/etc/ingestd/token", room.token)
        self._machine.run("chown root:ingestd /etc/ingestd/token && chmod 640 /etc/ingestd/token")

    def restart(self) -> None:
        """Starts ingestd by its unit, anew where it runs."""
        self._machine.run("systemctl restart --no-block ingestd")

    def set_date(self, since_1970_s: int) -> None:
        """Steps the wall clock. Linux takes no time before 1970 for the boot: some minutes at least, then."""
        self._machine.run(f"date --set=@{since_1970_s}")

    def start_programs(self) -> None:
        """Starts what counts into the microphone and listens at the speaker, and a pair of both without ingestd."""
        for name, command in (
            ("mic", f"/srv/count hw:Loopback,0,{MIC}"),
            ("reference", f"/srv/count hw:Loopback,0,{REFERENCE}"),
            ("reader", f"/srv/record hw:Loopback,1,{REFERENCE} {_LOGS}/reader.raw"),
            ("hear", f"/srv/record hw:Loopback,1,{SPEAKER} {_LOGS}/hear.raw"),
        ):
            self._machine.start(f"exec {command} >{_LOGS}/{name}.log")

    def set_clocks(self, ppm: int) -> None:
        """Lets all cables run faster than nominal by `ppm` (in steps of 10)."""
        shift = round(100000 / (1 + ppm * 1e-6))
        for cable in (MIC, REFERENCE, SPEAKER):
            control = f"iface=PCM,name='PCM Rate Shift 100000',device=1,subdevice={cable}"
            self._machine.run(f'amixer -q -c Loopback cset "{control}" {shift}')

    def unplug(self) -> Change:
        """Pulls the card out. The kernel ends it only when everybody has closed it, so this takes that long."""
        done = self._machine.write(f"{_DRIVER}/unbind", _CARD)
        return Change(done.began_s, done.ended_s)

    def plug(self) -> Change:
        """Plugs it in again; its cables run at their nominal rate."""
        done = self._machine.write(f"{_DRIVER}/bind", _CARD)
        return Change(done.began_s, done.ended_s)

    def log(self) -> str:
        """What ingestd logged since the boot."""
        return self._machine.run("journalctl --no-pager --boot -o short-monotonic -u ingestd")

    def unit(self, name: str) -> str:
        """A property of ingestd's unit, as systemd has it."""
        return self._machine.run(f"systemctl show -P {name} ingestd").strip()

    def milestones(self) -> Milestones:
        """When this boot came to what."""
        userspace_us = self._machine.run("systemctl show -P UserspaceTimestampMonotonic")
        began_us, ready_us = (self.unit(f"{name}TimestampMonotonic") for name in ("InactiveExit", "ActiveEnter"))
        return Milestones(int(userspace_us) * 1e-6, int(began_us) * 1e-6, int(ready_us) * 1e-6)

    def usage(self) -> Usage:
        """What ingestd has used until now."""
        pid = self.unit("MainPID")
        switches = self._machine.run(f"awk '/^voluntary/{{n+=$2}} END{{print n}}' /proc/{pid}/task/*/status")
        kib = {}
        for line in self._machine.run(f"grep -E '^(Rss|Pss):' /proc/{pid}/smaps_rollup").splitlines():
            name, value, _ = line.split()
            kib[name] = int(value)
        return Usage(int(self.unit("CPUUsageNSec")) * 1e-9, kib["Rss:"] / 1024, kib["Pss:"] / 1024, int(switches))

    def tasks(self, pid: int) -> Tasks:
        """What the threads of a process have used until now."""
        done = self._machine.do("tasks", pid=pid)
        threads = {int(thread): Task(*used) for thread, used in done.answer["tasks"].items()}
        return Tasks(done.ended_s, dict(sorted(threads.items())))

    def peak_rss_mib(self, pid: int) -> float:
        """The most that a process held in memory so far."""
        return int(self._machine.run(f"awk '/^VmHWM/{{print $2}}' /proc/{pid}/status")) / 1024

    def events(self, name: str) -> list[tuple[float, str, int]]:
        """What a program noted: (guest's seconds, event, samples until then)."""
        lines = self._machine.fetch(f"{_LOGS}/{name}.log").decode().splitlines()
        return [(float(at_s), event, int(count)) for at_s, event, count in (line.split() for line in lines)]

    def heard(self, name: str) -> bytes:
        """What `reader` or `hear` wrote: 16-bit mono at 8 kHz, without a gap for the time that there was no card."""
        return self._machine.fetch(f"{_LOGS}/{name}.raw")
