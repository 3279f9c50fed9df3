"""Lines to systemd's journal that wait for nobody: the native protocol, https://systemd.io/JOURNAL_NATIVE_PROTOCOL/.

systemd-python makes the fields, but its own `send` holds the interpreter's lock while a journald that hangs takes
nothing: ten lines, and every thread of the process stands still, audio too.
"""

from __future__ import annotations

import errno
import re
import socket
from collections import deque
from typing import Any, Final

import systemd.journal

SOCKET: Final = "/run/systemd/journal/socket"
MAX_WAITING: Final = 128
"""Lines that are kept while journald takes none."""
MAX_FIELD_BYTES: Final = 8192
_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")  # a leading underscore is journald's own; of others it takes none


class JournalHandler(systemd.journal.JournalHandler):  # type: ignore[misc]  # systemd-python ships no type hints
    """A handler of `logging`. Any thread; never blocks. What is not taken waits for the next line or `flush`."""

    def __init__(self, identifier: str, path: str = SOCKET) -> None:
        super().__init__(sender_function=self._post, SYSLOG_IDENTIFIER=identifier)
        self._identifier = identifier
        self._path = path
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._waiting: deque[bytes] = deque()
        self._lost = 0

    def flush(self) -> None:
        """Tries once more to be rid of what waits. About once a second."""
        self.acquire()
        try:
            self._send_waiting()
        finally:
            self.release()

    def close(self) -> None:
        """What still waits is lost."""
        self._sock.close()
        super().close()

    def _post(self, message: str, /, **fields: Any) -> None:
        """Called by `emit`, which holds the handler's lock."""
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(datagram({"MESSAGE": message, **fields}))
        else:
            self._lost += 1
        self._send_waiting()

    def _send_waiting(self) -> None:
        while self._waiting or self._lost:
            if not self._waiting:
                self._waiting.append(self._of_the_lost())
                self._lost = 0
            try:
                self._sock.sendto(self._waiting[0], self._path)
            except OSError as error:
                if error.errno != errno.EMSGSIZE:
                    return  # full, not there while journald is started anew, or this handler is closed
                self._lost += 1  # it will never go
            self._waiting.popleft()

    def _of_the_lost(self) -> bytes:
        text = f"{self._lost} lines of the log are missing here: journald took none for a while"
        return datagram({"MESSAGE": text, "PRIORITY": "4", "SYSLOG_IDENTIFIER": self._identifier})


def datagram(fields: dict[str, Any]) -> bytes:
    """One entry. Names that journald would refuse are left out, values that are too long are cut."""
    return b"".join(_field(name, value) for name, value in fields.items() if _NAME.fullmatch(name))


def _field(name: str, value: object) -> bytes:
    data = str(value).encode("utf-8", "backslashreplace")
    if len(data) > MAX_FIELD_BYTES:
        data = data[:MAX_FIELD_BYTES].decode("utf-8", "ignore").encode() + " […]".encode()
    if b"\n" not in data:
        return name.encode() + b"=" + data + b"\n"
    return name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
