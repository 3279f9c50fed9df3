"""The control socket in the file system: taken only where nobody else's, and given back only if still ours."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ingestd.errors import StartError

_BACKLOG: Final = 32
_LONGEST_BYTES: Final = 107
"""Of a socket's path (unix(7))."""
_ALONE_WITHIN_S: Final = 2.0
_TRY_AGAIN_S: Final = 0.01


class Listener:
    """A listening Unix socket at `path`, mode 0660. Raises StartError, which says what to do."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _alone_in(path.parent):
                self._make_room()
                self._inode, self._gid = self._open()
        except OSError as error:
            self.sock.close()
            raise StartError(
                f"can't listen on {path}: {error.strerror or error}; make its folder and let this user write there, "
                "or set control.socket"
            ) from None
        except StartError:
            self.sock.close()
            raise

    def _open(self) -> tuple[int, int]:
        """Listens, and only then is at `path`: whoever finds it there is let in. Its inode and group."""
        unready = _beside(self._path)
        if _is_socket(unready):
            unready.unlink()  # of a daemon that was killed just here
        old = os.umask(0o117)
        try:
            self.sock.bind(str(unready))  # the name that `ss` shows
        finally:
            os.umask(old)
        try:
            self.sock.listen(_BACKLOG)
            self.sock.setblocking(False)
            os.link(unready, self._path)
            made = self._path.stat()
        finally:
            unready.unlink()
        return made.st_ino, made.st_gid

    def gid(self) -> int:
        """The group that the socket's file belongs to now; an administrator may give it to another."""
        with contextlib.suppress(OSError):
            found = self._path.stat()
            if found.st_ino == self._inode:
                self._gid = found.st_gid
        return self._gid

    def _make_room(self) -> None:
        """Removes the socket of a daemon that was killed, and nothing else."""
        if not _is_socket(self._path):
            return
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


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """While no other daemon opens a socket there: one would take the other's for a dead one's. Raises OSError."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        until_s = time.monotonic() + _ALONE_WITHIN_S
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until_s:
                    raise StartError(f"another program holds a lock on {folder}; see which: lslocks") from None
            time.sleep(_TRY_AGAIN_S)
        yield
    finally:
        os.close(held)


def _beside(path: Path) -> Path:
    """Another name there."""
    longer = path.with_name(f"{path.name}~")
    if len(os.fsencode(longer)) <= _LONGEST_BYTES:
        return longer
    return path.with_name(path.name[:-1] + ("~" if path.name[-1:] != "~" else "#"))


def _is_socket(path: Path) -> bool:
    """Whether there is one; raises StartError where there is something else."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISSOCK(mode):
        raise StartError(f"{path} is a file and no socket; remove it, or set control.socket")
    return True
