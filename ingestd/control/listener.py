"""The control socket in the file system: taken only where nobody else's, and given back only if still ours."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path
from typing import Final

from ingestd.errors import StartError

_BACKLOG: Final = 32


class Listener:
    """A listening Unix socket at `path`, mode 0660. Raises StartError, which says what to do."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._make_room()
            old = os.umask(0o117)
            try:
                self.sock.bind(str(path))
            finally:
                os.umask(old)
            self._inode = path.stat().st_ino
            self.sock.listen(_BACKLOG)
            self.sock.setblocking(False)
        except OSError as error:
            self.sock.close()
            raise StartError(
                f"can't listen on {path}: {error.strerror or error}; make its folder and let this user write there, "
                "or set control.socket"
            ) from None
        except StartError:
            self.sock.close()
            raise

    def _make_room(self) -> None:
        """Removes the socket of a daemon that was killed, and nothing else."""
        try:
            mode = self._path.lstat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise StartError(f"{self._path} is a file and no socket; remove it, or set control.socket")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)  # the other one may hang, with its queue full
            try:
                probe.connect(str(self._path))
            except ConnectionRefusedError:
                self._path.unlink()
                return
            except BlockingIOError:
                pass
        raise StartError(f"another ingestd answers on {self._path}; stop it, or set another control.socket")

    def close(self) -> None:
        """Stops listening and removes the socket's file, unless somebody else has put another there."""
        self.sock.close()
        with contextlib.suppress(OSError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()
