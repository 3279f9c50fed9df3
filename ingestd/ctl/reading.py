"""A status, read by keys that may be missing: the daemon may be an older or a newer one than this command. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ingestd.core.level import FLOOR_DBFS
from ingestd.core.lifecycle import IN_THE_ROOM
from ingestd.ctl.paint import one_line

_IN_THE_ROOM: Final = frozenset(state.value for state in IN_THE_ROOM)


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of `faults`. Its texts are printable."""

    area: str
    """session, or a sound device: capture, playback."""
    what: str
    meaning: str
    remedy: str
    last: str | None
    count: int
    over: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """A status of the control socket."""

    status: Mapping[str, Any]

    def value(self, path: str) -> Any:
        """What is at `group.key`; None where nothing is."""
        found: Any = self.status
        for key in path.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    def number(self, path: str, default: float = 0.0) -> float:
        """A number, or the default."""
        found = self.value(path)
        return default if isinstance(found, bool) or not isinstance(found, (int, float)) else found

    def maybe(self, path: str) -> float | None:
        """A number, or None."""
        return None if self.value(path) is None else self.number(path)

    def text(self, path: str) -> str:
        """A text, printable; empty where there is none."""
        found = self.value(path)
        return "" if found is None else one_line(found)

    def texts(self, path: str) -> list[str]:
        """A list of texts, printable."""
        found = self.value(path)
        return [one_line(each) for each in found] if isinstance(found, list) else []

    def seconds_since(self, path: str, now: datetime) -> float | None:
        """How long ago the time there was, 0 where the clock was set back; None where there is none."""
        return seconds_since(self.value(path), now)

    @property
    def state(self) -> str:
        """The state of the lifecycle."""
        return self.text("state") or "unknown"

    @property
    def in_the_room(self) -> bool:
        """Whether audio flows."""
        return self.value("state") in _IN_THE_ROOM

    @property
    def muted(self) -> bool:
        """Whether the room gets silence on purpose."""
        return bool(self.value("uplink.muted"))

    @property
    def mute_kept(self) -> bool:
        """Whether a restart knows of it."""
        return self.value("uplink.mute_kept") is not False

    def level_dbfs(self, path: str) -> float:
        """A meter's reading."""
        return self.number(path, FLOOR_DBFS)

    def faults(self) -> list[Fault]:
        """Those that last, then those that are over; in each the latest first."""
        found = self.value("faults")
        entries = [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []
        faults = [_fault(Reading(entry)) for entry in reversed(entries)]
        return sorted(faults, key=lambda fault: fault.over)


def seconds_since(time: object, now: datetime) -> float | None:
    """How long ago that time (ISO 8601, as the daemon writes it) was."""
    try:
        then = datetime.fromisoformat(str(time))
        return max(0.0, (now - then).total_seconds())
    except (ValueError, TypeError):
        return None


def _fault(entry: Reading) -> Fault:
    last = entry.text("last") or None
    shown = entry.text("area"), entry.text("what"), entry.text("meaning"), entry.text("remedy")
    return Fault(*shown, last, int(entry.number("count", 1)), bool(entry.value("over")))
