"""Reading a small file without being stalled or flooded by it."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class Unreadable(Exception):  # noqa: N818 (turned into a fault by whoever knows what the file is for)
    """A file can't be read. The text completes the sentence "PATH …" and says what to do."""


class Absent(Unreadable):
    """There is no such file."""


def read_small(path: Path, limit: int) -> tuple[bytes, os.stat_result]:
    """Returns the content of a regular file of at most `limit` bytes, with its `stat`.

    Never blocks on a FIFO or a device. Raises `Unreadable`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                raise Unreadable("is a directory; name the file in it")
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable("is not a regular file; put a plain file there")
            content = b""
            while len(content) <= limit and (more := os.read(descriptor, limit + 1 - len(content))):
                content += more
        finally:
            os.close(descriptor)
    except ValueError:
        raise Unreadable("has a NUL byte in its name; correct the name") from None
    except FileNotFoundError:
        raise Absent("does not exist; create it or correct the name") from None
    except OSError as error:
        raise Unreadable(_advice(path, error)) from None
    if len(content) > limit:
        raise Unreadable(f"is larger than {limit} bytes; is it the right file?")
    return content, status


def _advice(path: Path, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return (
            f"can't be read as user id {os.geteuid()}: permission denied; let the service's group read it "
            f"(chgrp and chmod 640), and enter the directories above it (chmod g+x {path.parent})"
        )
    return f"can't be read: {error.strerror or error}; check the path and the disk"
