"""When the token in its file expires, by its own word: read anew only where the file has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ingestd.config.secret import read_token
from ingestd.config.watch import Mark, mark_of
from ingestd.core.jwt import dates_of
from ingestd.errors import ConfigError


class TokenExpiry:
    """Keeps the date only. One thread; reads the file."""

    def __init__(self, path: Callable[[], Path]) -> None:
        """`path` is where the token is now: a reload may name another file."""
        self._path = path
        self._read: tuple[Path, Mark | None] | None = None
        self._expires: float | None = None

    def __call__(self) -> float | None:
        """Seconds since 1970; None where there is no token, or one that does not say."""
        path = self._path()
        place = path, mark_of(path)  # before it is read: what is written meanwhile is read the next time
        if place != self._read:
            self._read, self._expires = place, _expires(path)
        return self._expires


def _expires(path: Path) -> float | None:
    try:
        dates = dates_of(read_token(path).reveal())
    except ConfigError:
        return None
    return None if dates is None else dates.expires
