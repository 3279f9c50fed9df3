"""Small files that outlive the process: a power cut leaves the old content or the new, whole."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def state_directory() -> Path | None:
    """The folder that systemd made for us (StateDirectory=); None where there is none and nothing is kept."""
    return _first_of("STATE_DIRECTORY")


def runtime_directory() -> Path | None:
    """The folder that systemd keeps for us until the next boot (RuntimeDirectory=); None where there is none."""
    return _first_of("RUNTIME_DIRECTORY")


def _first_of(variable: str) -> Path | None:
    first = os.environ.get(variable, "").split(":")[0]
    return Path(first) if first.startswith("/") else None


def write_state(path: Path, content: bytes) -> str | None:
    """Puts `content` in place of the file at `path`, mode 0600. None, or a warning for the log where it can't.

    What is there already is not written again, to spare flash. May wait for the disk: not for threads that
    carry audio. One thread at a time for one path, and no two processes.
    """
    try:
        if _content(path) != content:
            replace_file(path, content)
        else:
            _sync_folder(path)  # which may be what failed the last time
    except OSError as error:
        return (
            f"can't write {path}: {error.strerror or error}; let this user write in its folder, and see that the "
            "disk is neither full nor read-only"
        )
    return None


def _content(path: Path) -> bytes | None:
    with contextlib.suppress(OSError):
        return path.read_bytes()
    return None


def replace_file(path: Path, content: bytes, mode: int = 0o600, uid: int = -1, gid: int = -1) -> None:
    """Puts `content` in place of the file at `path`: there is the old one or the new one, whole. Raises OSError.

    `uid` and `gid` own it; -1 leaves that to the system. May wait for the disk.
    """
    # One fixed name: what a power cut leaves of it is gone with the next write, and never piles up.
    beside = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb", buffering=0) as file:
            if (uid, gid) != (-1, -1):  # the services' sandbox knows no chown at all
                os.fchown(descriptor, uid, gid)
            os.fchmod(descriptor, mode)  # after the owner, as a change of that takes bits away; whatever the umask
            view = memoryview(content)
            while view:
                view = view[file.write(view) :]
            os.fsync(descriptor)  # before the new name, else a power cut may leave the name with nothing behind it
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    _sync_folder(path)


def _sync_folder(path: Path) -> None:
    """The name of `path` itself is on the disk."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
