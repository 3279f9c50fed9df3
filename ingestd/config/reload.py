"""What a changed configuration asks for: a new session, a word to a running part, or a restart of the service."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from ingestd.config.apart import packed
from ingestd.config.lastgood import LastGood

if TYPE_CHECKING:
    from ingestd.config.apart import Apart
    from ingestd.config.identity import Identity
    from ingestd.config.load import Valid
    from ingestd.config.schema import Config

How = Literal["session", "live", "restart"]

SERVED: Final[dict[str, How]] = {
    "backend.url": "session",
    "backend.token_file": "session",
    "backend.auth_scheme": "session",
    "backend.ca_file": "session",
    "backend.client_cert": "session",
    "backend.proxy": "session",
    "session.start": "live",
    "session.room_id": "session",
    "session.participant.id": "session",
    "session.participant.name": "session",
    "session.participant.metadata": "session",
    "session.agent": "session",
    "session.region": "session",
    "session.max_age_s": "live",
    "session.hangup_when_alone_s": "live",
    "session.max_call_s": "live",
    "audio.duplex": "restart",
    "audio.capture.device": "restart",
    "audio.capture.channel": "restart",
    "audio.capture.gain_db": "live",
    "audio.capture.mixer": "restart",
    "audio.playback.device": "restart",
    "audio.playback.gain_db": "live",
    "audio.playback.mixer": "restart",
    "audio.playback.max_delay_ms": "restart",
    "messaging.subscribe": "live",
    "messaging.max_bytes": "live",
    "hooks": "live",  # they are ingestd-hooks', which reads them itself
    "control.socket": "restart",
    "metrics.listen": "restart",
    "log.level": "live",
}
"""How a change of each key is served. Keys below one that may be null or a list are served with it."""


class Change(NamedTuple):
    """The difference between what is run on and what the files say now. Keys are dotted, values never shown."""

    renewed: list[str]
    """The keys a new session serves."""
    live: list[str]
    """The keys that running parts take over."""
    restart: list[str]
    """The keys that wait for a restart of the service."""
    valid: Valid
    """What holds once it is applied: the files', with the keys of `restart` as they were."""
    number: int
    """Which one it is: a later one has a higher number."""

    def __repr__(self) -> str:
        return f"Change(renewed={self.renewed}, live={self.live}, restart={self.restart})"

    @property
    def config(self) -> Config:
        """The same without its tree."""
        return self.valid.config

    @property
    def session(self) -> bool:
        """True where it takes a new session."""
        return bool(self.renewed)


class Reloader:
    """Reads the configuration anew, and remembers what the daemon runs on. Each method says which threads may call."""

    def __init__(
        self, path: Path, last_good: LastGood, running: Valid | Apart, identity: Identity | None = None
    ) -> None:
        self._path = path
        self._last_good = last_good
        self._running = running
        self._identity = identity
        self._loaded = 0
        self._applied = 0
        self._kept = 0
        self._applying = threading.Lock()  # never held while the disk is waited for
        self._keeping = threading.Lock()

    def load(self) -> Change:
        """What is new since the last change that was `applied`. Changes nothing; raises ConfigError with every fault.

        The files that a configuration names are not opened. Supervisor thread.
        """
        from ingestd.config.faults import Faults
        from ingestd.config.load import check_tree, read_config
        from ingestd.config.tree import graft

        self._loaded += 1
        new = read_config(self._path, self._identity)
        running = self._running
        changed = [key for key in SERVED if _value(new.config, key) != _value(running.config, key)]
        restart = [key for key in changed if SERVED[key] == "restart"]
        tree = new.tree
        for key in restart:
            tree = graft(tree, tuple(key.split(".")), running.tree)
        valid = check_tree(tree, Faults(), self._identity) if restart else new
        return Change(
            renewed=[key for key in changed if SERVED[key] == "session"],
            live=[key for key in changed if SERVED[key] == "live"],
            restart=restart,
            valid=valid,
            number=self._loaded,
        )

    def applied(self, change: Change) -> None:
        """`change` is what the daemon runs on from here on, and later ones are compared with. Any thread, no disk."""
        with self._applying:
            if change.number > self._applied:
                self._applied = change.number
                self._running = change.valid

    def kept(self, change: Change) -> str | None:
        """`change` has been applied: it becomes the last good configuration, unless a later one is already.

        What waits for a restart is not in it, as no daemon has been built from that yet. None, or a warning for
        the log. Any thread that may wait for the disk, several at once too.
        """
        self.applied(change)
        with self._keeping:
            if change.number < self._kept:
                return None
            self._kept = change.number
            return self._last_good.keep(change.valid.tree)


def _value(config: Config, key: str) -> object:
    found: object = config
    for name in key.split("."):
        found = getattr(found, name)
    return packed(found)
