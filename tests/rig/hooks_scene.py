"""A device in a room with its hooks and two people, for tests of what handlers are run for."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rig.hooks_program import HooksProgram, append_to, lines_of
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.process import wait_until
from tests.standin.client import StandIn

SECRET = "0123456789abcdef0123456789abcdef"
_GUARD_S = 30.0
_SAID_AGAIN_S = 0.2


@dataclass
class HooksScene:
    """Only Alice is among those who may. Files of `append_to` stand in `folder`."""

    folder: Path
    config: dict[str, Any]
    room: StandIn
    device: MemoryDevice
    hooks: HooksProgram
    alice: str
    mallory: str

    def ran(self, name: str) -> list[dict[str, Any]]:
        """What the programs of that file read, in order."""
        return [json.loads(line) for line in lines_of(self.folder / name)]

    def wait_ran(self, name: str, times: int) -> list[dict[str, Any]]:
        """The same, once there are so many."""
        wait_until(lambda: len(self.ran(name)) >= times, _GUARD_S, f"{times} runs of {name}")
        return self.ran(name)

    def say(self, topic: str, text: object, person: str = "") -> None:
        """A message to the room, of Alice where nobody else is named."""
        self.room.publish(person or self.alice, topic, text)

    def settle(self) -> None:
        """Whatever was said before has been decided upon: a message behind it, from the same room, has run.

        It is said until it has run: nobody may hear the room yet, or too many of its kind wait already.
        """
        mark = f"mark {time.monotonic()}"
        said_s = -math.inf

        def ran() -> bool:
            nonlocal said_s
            if time.monotonic() >= said_s + _SAID_AGAIN_S:
                self.say("MARK", mark)
                said_s = time.monotonic()
            return any(one["text"] == mark for one in self.ran("mark"))

        wait_until(ran, _GUARD_S, "the mark")

    def write_config(self, hooks: list[dict[str, Any]]) -> None:
        """Puts other handlers in the file."""
        control = {"control": {"socket": str(self.device.socket)}}
        (self.folder / "ingestd.yaml").write_text(json.dumps({**self.config, "hooks": hooks, **control}))

    def joined(self) -> int:
        """Connections that were in the room so far."""
        return sum(connection.joined_s is not None for connection in self.room.connections())

    def restart_device(self) -> None:
        """Ends the daemon and starts another."""
        self.device.stop()
        self.start_device()

    def start_device(self) -> None:
        """Starts a daemon, and waits until it is in the room."""
        joined = self.joined()
        self.device = MemoryDevice(self.folder, self.config)
        self.room.wait_joined(joined + 1)
        self.listening()

    def restart_hooks(self) -> None:
        """Ends the hooks and starts them again."""
        self.hooks.stop()
        self.hooks = HooksProgram(self.folder / "ingestd.yaml", self.folder)
        self.listening()

    def listening(self) -> None:
        """Until what is said is heard: a subscription has no answer. What was said before may run still."""
        self.settle()


def _handlers(folder: Path, alice: str) -> list[dict[str, Any]]:
    child = f'sleep 1000 & echo $! $$ >"{folder}/pids"; wait'
    stubborn = f"trap '' TERM; echo $$ >\"{folder}/stubborn\"; sleep 1000 & while :; do wait; done"
    gate = f'until [ -e "{folder}/gate" ]; do sleep 0.05; done; cat >>"{folder}/flood"'
    return [
        {"topic": "DOOR", "exec": append_to(folder / "door"), "allow_senders": [alice]},
        {"topic": "DOOR", "exec": append_to(folder / "nobody"), "allow_senders": []},
        {"topic": "ONCE", "exec": append_to(folder / "once"), "max_age_s": None},
        {"topic": "FRESH", "exec": append_to(folder / "fresh"), "max_age_s": 4},
        {
            "topic": "SIGNED",
            "exec": append_to(folder / "signed"),
            "hmac_secret_file": str(folder / "secret"),
            "allow_senders": [alice],
        },
        {"topic": "ECHO", "exec": ["/bin/cat"], "reply": True},
        {"topic": "SHOUT", "exec": ["/bin/sh", "-c", "printf '{\"on\": true}\\n'; echo to the log >&2"], "reply": True},
        {"topic": "LONG", "exec": ["/bin/sh", "-c", "head -c 9000 /dev/zero | tr '\\0' x"], "reply": True},
        {"topic": "SLOW", "exec": ["/bin/sh", "-c", child], "timeout_s": 2},
        {"topic": "STUBBORN", "exec": ["/bin/sh", "-c", stubborn], "timeout_s": 60},
        {"topic": "FAIL", "exec": ["/bin/sh", "-c", "printf 'bad \\033[2J news\\n'; exit 3"]},
        {"topic": "ABSENT", "exec": ["/nowhere/program"]},
        {"topic": "ENV", "exec": ["/bin/sh", "-c", f'env >"{folder}/env"; pwd >>"{folder}/env"']},
        {"topic": "FLOOD", "exec": ["/bin/sh", "-c", gate], "timeout_s": 60},
        # The last: topics are subscribed to in this order, each between two frames of audio.
        {"topic": "MARK", "exec": append_to(folder / "mark")},
    ]


@contextmanager
def hooks_scene(folder: Path) -> Iterator[HooksScene]:
    """All of it, started; what is said is heard."""
    (folder / "secret").write_text(SECRET + "\n")
    (folder / "secret").chmod(0o640)
    with StandIn(tls=True) as room:
        alice, mallory = room.add("Alice"), room.add("Mallory")
        config = device_config(room.base_url, room.token, room.ca_file, folder)
        config["hooks"] = _handlers(folder, alice)
        device = MemoryDevice(folder, config)
        hooks = HooksProgram(folder / "ingestd.yaml", folder)
        scene = HooksScene(folder, config, room, device, hooks, alice, mallory)
        try:
            room.wait_joined()
            scene.listening()
            yield scene
        finally:
            scene.hooks.__exit__(None, None, None)
            scene.device.__exit__(None, None, None)
