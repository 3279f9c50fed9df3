"""A device in the field, whole: a Debian that systemd has booted, on a cable, with a sound card, and the room it calls.

The room is a stand-in at the cable's other end, over TLS, by the name HOST; the sound card's two ends are here.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.rig import deb, netns
from tests.rig.booted import BEFORE_APT, BY_APT, Booted
from tests.rig.booted import why_not as why_no_machine
from tests.rig.cleanroot import STORE
from tests.rig.netns import Namespace
from tests.rig.process import wait_until
from tests.rig.sound import SoundRig, VirtualCard
from tests.standin.client import SocketFault, StandIn

HOST: Final = "room.test"
URL: Final = f"https://{HOST}/v2/ingest/sessions"
ROOM: Final = "lobby"
TOKEN: Final = "a-token-of-the-field"
CA: Final = "/srv/room/ca.pem"
"""Where the device finds the stand-in's CA; a new one as soon as it was made."""
CONFIG: Final = "/etc/ingestd/ingestd.yaml"
_PORT: Final = 443
_NOBODY: Final = "autospawn = no\nenable-shm = no\nenable-memfd = no\ncookie-file = /nonexistent/cookie\n"


def why_not() -> str | None:
    """Why no such site can be had here; None where it can."""
    return why_no_machine() or netns.why_not() or deb.why_not()


class BootedSite:
    """All of that. Prepare `machine` and boot it; gone when left. One thread, which has to live as long."""

    def __init__(self, packages: Sequence[str] = BEFORE_APT, downloaded: Sequence[str] = BY_APT) -> None:
        """The packages as `Booted` has them."""
        self._packages = (packages, downloaded)
        self._stack = contextlib.ExitStack()
        self._calls = 0

    def __enter__(self) -> Self:
        try:
            self._make()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _make(self) -> None:
        enter = self._stack.enter_context
        self.network = enter(Namespace())
        """The cable: `link_down` and `link_up`."""
        self.sound = enter(SoundRig())
        """`mic` and `speaker`, which the device has by these names."""
        STORE.mkdir(parents=True, exist_ok=True)
        self._folder = Path(enter(tempfile.TemporaryDirectory(prefix=f"in-use-{os.getpid()}-site-", dir=STORE)))
        self._folder.chmod(0o755)
        self.open_room()
        self._stack.callback(lambda: self.room.stop())  # whichever there is by then
        packages, downloaded = self._packages
        self.machine = enter(Booted(packages, downloaded=downloaded, network=self.network))
        """The device."""
        self.machine.bind(self._folder, "/srv/room")
        self.machine.write("/etc/hosts", f"127.0.0.1 localhost\n{self.network.far_address} {HOST}\n")
        self.machine.write("/etc/pulse/client.conf", _NOBODY)
        self.machine.write("/etc/asound.conf", "".join(map(self._plugged, (self.sound.mic, self.sound.speaker))))

    def _plugged(self, card: VirtualCard) -> str:
        """A sound card's socket shown in the machine; ALSA's name for it there."""
        inside = f"/srv/{card.name}.socket"
        self.machine.bind(Path(card.address.removeprefix("unix:")), inside)
        return card.alsa_definition(capture=card is self.sound.mic).replace(card.address, f"unix:{inside}")

    def open_room(self, token: str = TOKEN) -> None:
        """Starts the stand-in; after its end, another one at the same address, with a new CA. It takes that token."""
        self.room = StandIn(
            tls=True,
            tls_names=[HOST],
            directory=self._folder,
            host=self.network.far_address,
            port=_PORT,
            fixed_token=token,
            public_base=f"wss://{HOST}",
            quiet="silence",
        )
        """The stand-in."""
        self.room.start()
        (self._folder / "ca.pem").chmod(0o644)
        self._calls = 0

    def install(self, package: Path | None = None) -> None:
        """Installs the package (this tree's) before the machine is booted, configured for the room."""
        file = self.copy(deb.built() if package is None else package)
        apt = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y", "install")
        self.machine.chroot(*apt, file)
        self.machine.write(CONFIG, json.dumps(configuration()))
        self.machine.write("/etc/ingestd/token", TOKEN, 0o640)
        self.machine.chroot("chgrp", "ingestd", "/etc/ingestd/token")

    def copy(self, package: Path) -> str:
        """Puts a package into the machine: its path there."""
        inside = f"/srv/{package.name}"
        (self.machine.path / inside.lstrip("/")).write_bytes(package.read_bytes())
        return inside

    def status(self) -> dict[str, Any] | None:
        """`ingestctl --json status`; None where nobody answers."""
        done = self.machine.run("ingestctl", "--json", "status")
        if done.returncode not in (0, 4, 5):
            return None
        status: dict[str, Any] = json.loads(done.stdout)
        return status

    def wait_state(self, *states: str, timeout_s: float = 30.0) -> dict[str, Any]:
        """The status, once it is in one of these states."""

        def there() -> dict[str, Any] | None:
            status = self.status()
            return status if status is not None and status["state"] in states else None

        found = wait_until(there, timeout_s, f"the state {' or '.join(states)}", every=0.1)
        assert found is not None
        return found

    def fresh_frame_s(self, timeout_s: float = 30.0) -> float:
        """When the first frame of a session came that is later than all that were waited for before (monotonic)."""

        def first() -> float | None:
            for call in self.room.calls(self._calls):
                if call.received_frames:
                    self._calls = call.index + 1
                    return float(self.room.received(call.call_id).times_s[0])
            return None

        found = wait_until(first, timeout_s, "a frame of a fresh session in the room", every=0.02)
        assert found is not None
        return found

    def all_seen(self) -> None:
        """The present session is none that `fresh_frame_s` waits for."""
        self._calls = len(self.room.calls())

    def cut(self) -> None:
        """The session is cut from the room's side; another one is due, soon or late by what was before."""
        self.all_seen()
        self.room.inject(SocketFault("abort"))

    def hang_up(self) -> None:
        """The same, and another one is asked for at once."""
        self.cut()
        self.machine.run("ingestctl", "reconnect")

    def put(self, path: str, content: str) -> None:
        """Writes into a file of the running device, which keeps its access; there has to be one."""
        (self.machine.path / path.lstrip("/")).write_text(content)

    def get(self, path: str) -> str:
        """What is in a file of the device."""
        return (self.machine.path / path.lstrip("/")).read_text()

    def flows(self, frames: int = 25, timeout_s: float = 30.0) -> None:
        """Waits until so many more frames of the present session have reached the room."""
        last = self.room.calls()[-1]
        self.room.wait_received(last.call_id, last.received_frames + frames, timeout_s)

    def shown(self) -> str:
        """The service's line in `systemctl status` (STATUS=)."""
        return self.machine.show("ingestd", "StatusText")["StatusText"]

    def said(self, since_s: float, *texts: str, timeout_s: float = 30.0, catalog: bool = False) -> str:
        """What the journal says of the service since that moment (CLOCK_MONOTONIC), once these texts are in it.

        `catalog`: each line as its catalog explains it (`-x`), systemd's own about the service too.
        """
        return self._journal(since_s, texts, timeout_s, *(["-x"] if catalog else []))

    def explained(self, message_id: str, *texts: str, timeout_s: float = 30.0) -> str:
        """What the journal says in lines with that id since the device exists, as the catalog explains it.

        Once these texts are in it, too. What comes again within half a minute is no news, and is not told again.
        """
        return self._journal(0.0, ["What to do: ", *texts], timeout_s, "-x", f"MESSAGE_ID={message_id}")

    def _journal(self, since_s: float, texts: Sequence[str], timeout_s: float, *words: str) -> str:
        # With all bytes as they are, as a terminal would get them.
        since = f"--since=@{time.time() - (time.monotonic() - since_s):.3f}"
        command = ("journalctl", "--no-pager", "--all", "-u", "ingestd", since, *words)
        told = ""

        def complete() -> bool:
            nonlocal told
            told = self.machine.run(*command).stdout
            return all(text in told for text in texts)

        try:
            wait_until(complete, timeout_s, f"{texts} in the journal", every=0.1)
        except TimeoutError as error:
            raise AssertionError(f"{error}:\n{told}") from None
        return told


def configuration() -> dict[str, Any]:
    """What the device needs to call the room."""
    return {
        "backend": {"url": URL, "ca_file": CA},
        "session": {"room_id": ROOM},
        "audio": {"capture": {"device": "mic"}, "playback": {"device": "speaker"}},
        "messaging": {"subscribe": ["CHAT"]},
    }
