"""Whether a token still holds by what it says of itself. Nothing of it is ever shown but its dates. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ingestd.core.check import Check, failed, ok, warning
from ingestd.core.credential import is_credential
from ingestd.core.jwt import dates_of

_SOON_S: Final = 3600.0
_CLOCKS_DIFFER_S: Final = 60.0


def judged(token: str, now: float, path: Path) -> Check:
    """Whether it holds at `now`, seconds since 1970. `path` is its file's, for the remedy."""
    name = "token's dates"
    dates = dates_of(token)
    if dates is None:
        return ok(name, "it is no JWT, so it does not say how long it holds")
    fresh = f"put a fresh token into {path}; the daemon then tries it at once"
    if is_credential(path):
        fresh = "encrypt a fresh token (`ingestctl setup` shows how), then `systemctl restart ingestd`"
    if dates.expires is not None and dates.expires <= now:
        said = f"it expired {spoken(now - dates.expires)} ago, at {shown(dates.expires)}"
        return failed(name, said, f"{fresh} (or set this machine's clock, if that is ahead)")
    begins = max(dates.not_before or 0.0, dates.issued or 0.0)
    if begins > now + _CLOCKS_DIFFER_S:
        said = f"it holds only from {shown(begins)} on, and this clock stands at {shown(now)}"
        return failed(name, said, "set this machine's clock, or let NTP set it (see `timedatectl`)")
    if dates.expires is None:
        return ok(name, "it is a JWT that does not expire by itself")
    said = f"it expires in {spoken(dates.expires - now)}, at {shown(dates.expires)}"
    if dates.expires - now < _SOON_S:
        return warning(name, said, f"{fresh}, if nothing renews it by itself")
    return ok(name, said)


def shown(seconds: float) -> str:
    """A date for people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def spoken(seconds: float) -> str:
    """A span of time in its largest unit."""
    for size, unit in ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' * (count != 1)}"
    count = int(seconds)
    return f"{count} second{'s' * (count != 1)}"
