"""A name server of ours: names that resolve, names that do not, and a server that keeps silent."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Literal

_PORT = 53  # resolv.conf has no place for another one
_NAME_ERROR = 3
_TYPE_A = 1
_TTL_S = 0

Mood = Literal["answers", "denies", "silent"]
"""What it does with a question."""


def why_not() -> str | None:
    """Why no process can be given another name server here; None where one can."""
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("unshare"):
        return "a name server of one's own needs root on Linux, and unshare"
    tried = subprocess.run(
        ["unshare", "-m", "mount", "--bind", "/dev/null", "/etc/resolv.conf"], capture_output=True, text=True
    )
    return f"no mounts of one's own here: {tried.stderr.strip()}" if tried.returncode else None


class Resolver:
    """Answers for every name with 127.0.0.1, unless it is told otherwise for that name. A thread of its own."""

    def __init__(self, directory: Path) -> None:
        """`directory` is for the files that a process sees as /etc/resolv.conf and /etc/nsswitch.conf."""
        self._moods: dict[str, Mood] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        address = f"127.{random.randint(2, 250)}.{random.randint(0, 250)}.{random.randint(2, 250)}"
        self._socket.bind((address, _PORT))
        self._resolv = directory / "resolv.conf"
        # A question that is never answered hangs longer than the daemon is willing to wait.
        self._resolv.write_text(f"nameserver {address}\noptions timeout:2 attempts:2\n")
        self._nsswitch = directory / "nsswitch.conf"
        self._nsswitch.write_text("passwd: files\ngroup: files\nhosts: files dns\n")
        self._thread = threading.Thread(target=self._serve, name="resolver", daemon=True)
        self._thread.start()

    def command(self) -> list[str]:
        """What goes before a command that is to ask this server."""
        script = 'mount --bind "$0" /etc/resolv.conf && mount --bind "$1" /etc/nsswitch.conf && shift && exec "$@"'
        return ["unshare", "-m", "sh", "-c", script, str(self._resolv), str(self._nsswitch)]

    def tell(self, name: str, mood: Mood) -> None:
        """What becomes of questions for `name` from now on. Any thread."""
        self._moods[name] = mood

    def restore(self) -> None:
        """Answers for all names again."""
        self._moods = {}

    def close(self) -> None:
        """Ends it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                question, asker = self._socket.recvfrom(4096)
            except OSError:
                return
            if not question:  # shut down
                return
            if (answer := self._answer(question)) is not None:
                with contextlib.suppress(OSError):
                    self._socket.sendto(answer, asker)

    def _answer(self, question: bytes) -> bytes | None:
        """RFC 1035 §4, as much of it as a stub resolver asks for."""
        labels, place = [], 12
        while size := question[place]:
            labels.append(question[place + 1 : place + 1 + size].decode("ascii"))
            place += 1 + size
        (kind,) = struct.unpack_from(">H", question, place + 1)
        asked = question[12 : place + 5]
        mood = self._moods.get(".".join(labels).lower(), "answers")
        if mood == "silent":
            return None
        found = mood == "answers" and kind == _TYPE_A
        flags = 0x8180 | (_NAME_ERROR if mood == "denies" else 0)
        head = question[:2] + struct.pack(">HHHHH", flags, 1, int(found), 0, 0)
        record = struct.pack(">HHHIH4s", 0xC00C, _TYPE_A, 1, _TTL_S, 4, socket.inet_aton("127.0.0.1"))
        return head + asked + (record if found else b"")
