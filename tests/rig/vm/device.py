"""A field device in the virtual machine: ingestd by its own unit, its card (snd-aloop), what plays and listens there.

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


class Device:
    """That device in a running machine."""

    def __init__(self, machine: VirtualMachine) -> None:
        self._machine = machine

    def install(self) -> None:
        """Puts ingestd where a package would, compiled, as a slow machine compiles for long."""
        folder = "/usr/lib/python3/dist-packages"
        self._machine.run(f"cp -r /srv/ingestd {folder} && python3 -m compileall -q {folder}/ingestd", timeout_s=120)

    def configure(self, room: StandIn, audio: dict[str, Any]) -> None:
        """Writes the configuration, for a room that runs here with TLS and the name `HOST`."""
        room.configure(public_base=f"wss://{HOST}:{room.port}")
        assert room.ca_file is not None
        config = {
            "backend": {
                "url": f"https://{HOST}:{room.port}/v2/ingest/sessions",
                "token_file": "/etc/ingestd/token",
                "ca_file": "/etc/ingestd/ca.pem",
            },
            "session": {"room_id": room.room, "participant": {"id": "device", "metadata": {}}},
            "audio": audio,
            "log": {"level": "debug"},
        }
        self._machine.run("mkdir -p /etc/ingestd")
        self._machine.write("/etc/ingestd/ingestd.yaml", json.dumps(config))
        self._machine.write("/etc/ingestd/token", room.token)
        self._machine.write("/etc/ingestd/ca.pem", room.ca_file.read_text())
        self._machine.run("chown ingestd /etc/ingestd/token && chmod 600 /etc/ingestd/token")

    def restart(self) -> None:
        """Starts ingestd by its unit, anew where it runs."""
        self._machine.run("systemctl daemon-reload; systemctl restart --no-block ingestd", timeout_s=120)

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
        """What ingestd logged."""
        return self._machine.run("journalctl --no-pager -o short-monotonic -u ingestd")

    def cpu_s(self) -> float:
        """CPU that ingestd has used (seconds)."""
        text = self._machine.run("systemctl show -P CPUUsageNSec ingestd")
        return int(text) * 1e-9

    def events(self, name: str) -> list[tuple[float, str, int]]:
        """What a program noted: (guest's seconds, event, samples until then)."""
        lines = self._machine.fetch(f"{_LOGS}/{name}.log").decode().splitlines()
        return [(float(at_s), event, int(count)) for at_s, event, count in (line.split() for line in lines)]

    def heard(self, name: str) -> bytes:
        """What `reader` or `hear` wrote: 16-bit mono at 8 kHz, without a gap for the time that there was no card."""
        return self._machine.fetch(f"{_LOGS}/{name}.raw")
