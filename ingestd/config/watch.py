"""Tells that the content of a small file has changed, without keeping it: a token that somebody renewed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from ingestd.config.files import Unreadable, read_small
from ingestd.config.secret import MAX_TOKEN_BYTES

EVERY_S: Final = 1.0

Mark = tuple[int, int, int, int, int]


def mark_of(path: Path) -> Mark | None:
    """Another one where the file may have another content; None where there is none. Any thread; asks the disk."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    # With the time of the last change of the inode: a chmod makes a file readable, and leaves its mtime.
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class FileWatch:
    """One file by its path: followed through links, and found again where a folder above it was replaced.

    Looked at on disk, as a folder mounted or renamed over it raises no event. One thread; reads the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._salt = os.urandom(16)
        self._looked_s: float | None = None
        self._mark = mark_of(path)
        self._seen = self._digest()
        self._content = self._seen

    def changed(self, now_s: float) -> bool:
        """True once where there is another content than before, or one after there was none.

        It counts once two looks in a row agree: a file that is written in place is seen half written. One that is
        absent, unreadable or blank has no content: nothing to act on. `now_s` is any clock that only goes forward;
        within `EVERY_S` of the last look the answer is False and the disk left alone.
        """
        if self._looked_s is not None and now_s - self._looked_s < EVERY_S:
            return False
        self._looked_s = now_s
        seen_before = self._seen
        mark = mark_of(self._path)
        if mark != self._mark or self._seen is None:
            self._mark, self._seen = mark, self._digest()
        if self._seen != seen_before or self._seen == self._content:
            return False
        self._content = self._seen
        return self._content is not None

    def _digest(self) -> bytes | None:
        try:
            content, _ = read_small(self._path, MAX_TOKEN_BYTES)
        except Unreadable:
            return None
        text = content.strip()
        return hashlib.blake2b(text, key=self._salt).digest() if text else None
