"""The certificates that connections trust and show: loaded where they are needed, and anew once a file has changed."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ingestd.errors import BackendError, BackendFault
from ingestd.net import stream

if TYPE_CHECKING:
    import ssl

_Mark = tuple[int, int, int, int, int]


class TlsFiles:
    """The system's CAs plus those in `ca_file`; `client_cert` is (certificate, key). Any thread; reads files."""

    def __init__(self, ca_file: Path | None = None, client_cert: tuple[Path, Path] | None = None) -> None:
        """Looks at no file yet."""
        self._ca_file = ca_file
        self._client_cert = client_cert
        self._lock = threading.Lock()
        self._loaded: tuple[list[_Mark | None], ssl.SSLContext] | None = None

    def context(self) -> ssl.SSLContext:
        """What the files say now: a context that verifies. Raises BackendError, which names the file.

        May wait for the disk, never for a file that is none: not for threads that carry audio.
        """
        with self._lock:
            # Before they are read, so that one written meanwhile is read again.
            marks = self._marks()
            if self._loaded is None or self._loaded[0] != marks:
                self._loaded = marks, self._load()
            return self._loaded[1]

    def check(self) -> None:
        """Raises BackendError where `context` would for a file of ours; the system's wait until they are used.

        Where none of ours is named, not even `ssl` is loaded. Waits as `context` does.
        """
        if self._own_marks():
            import ssl

            self._load_own(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    def _marks(self) -> list[_Mark | None]:
        return [_system(), *self._own_marks()]

    def _own_marks(self) -> list[_Mark]:
        marks = []
        if self._ca_file is not None:
            marks.append(_named("backend.ca_file", self._ca_file))
        if self._client_cert is not None:
            for key, path in zip(("cert_file", "key_file"), self._client_cert, strict=True):
                marks.append(_named(f"backend.client_cert.{key}", path))
        return marks

    def _load(self) -> ssl.SSLContext:
        import ssl

        # All of them at once, 30 ms and 1.3 MiB: a folder read one by one holds others, and of a name only the first.
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._load_own(context)
        return context

    def _load_own(self, context: ssl.SSLContext) -> None:
        if self._ca_file is not None:
            try:
                context.load_verify_locations(cafile=str(self._ca_file))
            except OSError as error:  # ssl.SSLError is one
                raise _fault("backend.ca_file", str(self._ca_file), stream.describe(error)) from None
        if self._client_cert is not None:
            cert, key = map(str, self._client_cert)
            try:
                # With a password of ours: where a key wants one, OpenSSL would ask for it at the terminal.
                context.load_cert_chain(cert, key, "")
            except OSError as error:
                raise _fault("backend.client_cert", f"{cert}, {key}", stream.describe(error)) from None


def _system() -> _Mark | None:
    """The mark of the system's CAs, which change too in the years that a daemon runs."""
    import ssl

    path = ssl.get_default_verify_paths().cafile
    try:
        return _mark(os.stat(path)) if path else None
    except OSError:
        return None


def _named(key: str, path: Path) -> _Mark:
    """The mark of a file that may be read: a FIFO would hold whoever opens it for ever."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise _fault(key, str(path), stream.describe(error)) from None
    if not stat.S_ISREG(status.st_mode):
        raise _fault(key, str(path), "not a regular file")
    if status.st_size == 0:
        raise _fault(key, str(path), "the file is empty")
    return _mark(status)


def _mark(status: os.stat_result) -> _Mark:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _fault(key: str, path: str, reason: str) -> BackendError:
    return BackendError(
        BackendFault.TLS, f"can't load {key} ({path}): {reason}; put it in place, PEM that this user may read"
    )
