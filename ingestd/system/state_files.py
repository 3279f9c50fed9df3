"""Small files that outlive the process: a power cut leaves the old content or the new, whole."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def state_directory() -> Path | None:
    """The folder that systemd made for us (StateDirectory=); None where there is none and nothing is kept."""
    first = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    return Path(first) if first.startswith("/") else None


def write_state(path: Path, content: bytes) -> str | None:
    """Puts `content` in place of the file at `path`, mode 0600. None, or a warning for the log where it can't.

    What is there already is not written again, to spare flash. May wait for the disk: not for threads that
    carry audio. One thread at a time for one path, and no two processes.
    """
    try:
        if _content(path) != content:
            _replace(path, content)
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


def _replace(path: Path, content: bytes) -> None:
    # One fixed name: what a power cut leaves of it is gone with the next write, and never piles up.
    beside = path.with_name(f".{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb", buffering=0) as file:
            view = memoryview(content)
            while view:
                view = view[file.write(view) :]
            os.fsync(descriptor)  # before the new name, else a power cut may leave the name with nothing behind it
        beside.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)  # the name itself
    finally:
        os.close(folder)
