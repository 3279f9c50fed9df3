"""Faults of a configuration: each has a place (file and line) and a key, and all of them are told at once."""

from __future__ import annotations

import re
from typing import NamedTuple

from ingestd.errors import ConfigError

# A fault per line of a wrong file would fill the journal of a device that restarts every few seconds.
MAX_LISTED = 200

KeyPath = tuple[str | int, ...]
"""Where a value stands: keys of mappings and, counted from 0, indexes of lists."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Place(NamedTuple):
    """A line of a configuration file. Places sort as a reader meets them: by file, then by line."""

    order: int
    """The file's turn: 0 is the main file, then conf.d by name."""
    file: str
    line: int = 0
    """Counted from 1; 0 means the file as a whole."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


class Refused(Exception):  # noqa: N818 (never leaves this package: it is how a kind refuses one value)
    """One value can't be used. The text completes the sentence "KEY: …"."""


def quoted(text: str, limit: int = 60) -> str:
    """Shows foreign text in one printable line, cut to `limit` characters."""
    return repr(text if len(text) <= limit else text[:limit] + "…")


def dotted(path: KeyPath) -> str:
    """Shows a path as people write it: `session.participant.name`, `hooks[0].exec`."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        else:
            key = part if _PLAIN_KEY.fullmatch(part) else quoted(part)
            shown += f".{key}" if shown else key
    return shown


class Faults:
    """Collects faults, so that one run tells everything that is wrong."""

    def __init__(self) -> None:
        self._found: list[tuple[Place, str]] = []

    def __len__(self) -> int:
        return len(self._found)

    @property
    def crowded(self) -> bool:
        """True once more was found than will be listed: costly advice is no longer worth its time."""
        return len(self._found) >= MAX_LISTED

    def add(self, place: Place, path: KeyPath, text: str) -> None:
        """Notes a fault: `text` says what is wrong and, after a semicolon, what to do."""
        key = dotted(path)
        self._found.append((place, f"{place}: {key}: {text}" if key else f"{place}: {text}"))

    def lines(self) -> list[str]:
        """All faults, one line each, by file and line; those past `MAX_LISTED` are only counted."""
        found = [line for _, line in sorted(self._found, key=lambda fault: fault[0])]
        if len(found) > MAX_LISTED:
            found[MAX_LISTED:] = [f"… and {len(found) - MAX_LISTED} faults more; mend these first"]
        return found

    def raise_if_any(self) -> None:
        """Raises one `ConfigError` with every fault, if there is one."""
        if self._found:
            raise ConfigError(self.lines())
