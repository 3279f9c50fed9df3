"""The key of operators and of their monitoring, in a file of its own."""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
from pathlib import Path

from ingestd.config.secret import Secret, read_token
from ingestd.errors import ConfigError

_State = tuple[int, int, int]

_log = logging.getLogger(__name__)


class OperatorKey:
    """Judges who says to be an operator. Any thread."""

    def __init__(self, path: Path | None) -> None:
        """`path`: the file with the key, read anew once it has changed; None where nobody is an operator."""
        self._path = path
        self._lock = threading.Lock()
        self._read_at: _State | None = None
        self._key: Secret | None = None
        self._fault: str | None = None

    def allows(self, presented: str) -> bool:
        """Whether that is the key; takes as long for every wrong one. Without a key nobody is allowed."""
        key = self._present()
        # Digests: of two texts of unequal length, compare_digest would tell the length.
        same = hmac.compare_digest(_digest(presented), _digest(key.reveal() if key else ""))
        return same and key is not None

    def _present(self) -> Secret | None:
        if self._path is None:
            return None
        with self._lock:
            state = _state(self._path)
            if self._read_at is None or state != self._read_at:
                self._read_at = state
                self._key = self._read(self._path)
            return self._key

    def _read(self, path: Path) -> Secret | None:
        try:
            key = read_token(path, "operator key")
        except ConfigError as error:
            fault = f"nobody is let in as an operator: operators.key_file: {error}"
            if fault != self._fault:  # told once, however often somebody asks meanwhile
                _log.warning("%s", fault)
            self._fault = fault
            return None
        self._fault = None
        return key


def _state(path: Path) -> _State | None:
    """What is another one once the file was written, replaced or made readable; None where it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ctime_ns, found.st_size, found.st_ino


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
