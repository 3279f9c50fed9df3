"""What the tests of `ingestctl setup` share: a folder to set up near a room, and a person at a terminal."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.rig.fixed_pcm import FixedHardware
from tests.rig.process import wait_until
from tests.rig.terminal import Terminal
from tests.standin.client import StandIn

REPO = Path(__file__).parents[2]
SETUP = [sys.executable, "-m", "ingestd.ctl.main", "setup"]
NOTHING = "nothing was changed"
SESSIONS = "/v2/ingest/sessions"
AGAIN_S = 2.0


class Site:
    """A folder of configuration for a device near that room, and a person or a script that sets it up."""

    def __init__(self, folder: Path, room: StandIn, alsa: FixedHardware) -> None:
        self.folder = folder
        self.room = room
        self.url = room.base_url + SESSIONS
        self.config = folder / "ingestd.yaml"
        self.token = folder / "token"
        self.env = {"ALSA_CONFIG_PATH": str(alsa.settings)}
        self.write()
        self.before = self.files()

    def write(self, backend: str | None = None, more: str = "") -> None:
        """The file before: without all that is asked for, but with what only its owner can know."""
        backend = backend if backend is not None else f"  ca_file: {self.room.ca_file}   # ours\n"
        self.config.write_text(
            f"# the door\nbackend:\n{backend}  token_file: {self.token}\n"
            f"session: {{participant: {{metadata: {{}}}}}}\ncontrol: {{socket: {self.folder}/control.sock}}\n{more}"
        )
        self.before = self.files()

    def files(self) -> dict[str, bytes]:
        """All that lies there, but for what a running daemon makes."""
        found = (path for path in self.folder.rglob("*") if path.is_file() and path.name != "log")
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in found}

    @contextmanager
    def person(self, *options: str, prefix: tuple[str, ...] = ()) -> Iterator[Person]:
        """Somebody at a terminal who runs it."""
        command = [*prefix, *SETUP, "--config", str(self.config), *options]
        with Terminal(command, columns=120, lines=60, env=self.env, cwd=REPO) as terminal:
            yield Person(terminal, self)

    def script(self, *options: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """A script that runs it."""
        command = [*SETUP, "--config", str(self.config), *options]
        env = {**os.environ, **self.env}
        return subprocess.run(command, input=stdin, capture_output=True, text=True, env=env, cwd=REPO, timeout=60)

    def all_given(self, **other: str) -> list[str]:
        """Every option, but for the token."""
        given = {"backend": self.url, "room": "lobby", "capture": "mic", "playback": "speaker", **other}
        return [word for name, value in given.items() for word in (f"--{name}", value)] + ["--yes"]


class Talk:
    """A setup in a terminal, whose questions are answered."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self._asked = 0

    def answer(self, question: str, answer: str) -> None:
        """Waits for a question that was not there before, and answers it."""
        self.is_asked(question)
        self.terminal.type(answer + "\r")

    def is_asked(self, question: str) -> None:
        """Waits for a question that was not there before."""
        begun = self._asked

        def asked() -> bool:
            found = self.terminal.output.decode(errors="replace").find(question, begun)
            self._asked = found + len(question) if found >= 0 else begun
            return found >= 0

        self.terminal.wait(lambda _: asked(), repr(question), 30)

    def sees(self, *texts: str) -> None:
        """Waits until all of them are there, wherever lines break."""

        def missing() -> list[str]:
            seen = " ".join(" ".join(self.terminal.screen()).split())
            return [text for text in texts if text not in seen]

        self.terminal.wait(lambda _: not missing(), " and ".join(map(repr, texts)), 30)


class Person(Talk):
    """Answers questions."""

    def __init__(self, terminal: Terminal, site: Site) -> None:
        super().__init__(terminal)
        self._site = site

    def backend(self, url: str | None = None, token: str | None = None, room: str = "lobby") -> None:
        """The first four questions."""
        self.answer("Backend URL", self._site.url if url is None else url)
        self.answer("(bearer, raw)", "")
        self.answer("Token (", self._site.room.token if token is None else token)
        self.answer("Room (", room)

    def gives_up(self) -> None:
        """Ctrl-C, and nothing is changed.

        One that comes just before input() waits is only seen after it, which Enter ends; one that comes as the terminal
        changes its mode is forgotten, which another ends. That waits, as it would end a slow end too.
        """
        self.terminal.type("\x03")
        typed_s = time.monotonic()
        keys = itertools.cycle("\r\x03")

        def ended() -> bool:
            nonlocal typed_s
            if self.terminal.process.poll() is None and time.monotonic() - typed_s > AGAIN_S:
                with contextlib.suppress(OSError):  # it has just ended
                    self.terminal.type(next(keys) if "Nothing was changed." not in self.terminal.text else "\r")
                typed_s = time.monotonic()
            return self.terminal.process.poll() is not None

        wait_until(ended, 30, "the end")
        assert self.terminal.status() == 130
        self.sees("Nothing was changed.")
        assert self._site.files() == self._site.before
