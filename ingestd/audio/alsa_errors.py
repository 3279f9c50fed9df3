"""What libasound's error numbers mean for whoever stands before the device: what happened, where, what to do."""

from __future__ import annotations

import errno
import os
import re
from typing import Final

from ingestd.errors import DeviceError

_CODES: Final = {os.strerror(code): code for code in errno.errorcode}
_NOT_ALLOWED: Final = "this user has to be in the group audio, and /dev/snd open to the service"
_ABSENT: Final = "is it plugged in? `ingestctl devices` lists the names there are"
_OPENING: Final = {
    errno.ENOENT: _ABSENT,
    errno.ENODEV: _ABSENT,
    errno.ENXIO: _ABSENT,
    errno.EBUSY: "another program has it; `fuser -v /dev/snd/*` says which",
    errno.EACCES: _NOT_ALLOWED,
    errno.EPERM: _NOT_ALLOWED,
    errno.EIO: "see that it is plugged in and its sound server is well",
    errno.ECONNREFUSED: "see that its sound server runs and this user may reach it",
}
_OTHERWISE: Final = "`ingestctl devices` lists the names there are"
_LOSING: Final = {
    errno.ENODEV: "it was pulled out",
    errno.EBADFD: "it was pulled out, or its driver failed",
    errno.EIO: "it was pulled out, or its sound server ended",
    errno.ESTRPIPE: "the system slept; it is opened again",
}


def code_of(error: Exception) -> int | None:
    """The errno that a pyalsaaudio error stands for, by its text alone: "No such device [hw:1]"; None for others."""
    return _CODES.get(_text(error))


def cant_open(kind: str, device: str, code: int | None, text: str = "") -> DeviceError:
    """The error of a device that could not be opened. `text` is for faults without an errno."""
    what = text if code is None else os.strerror(code)
    hint = _OPENING.get(code or 0, _OTHERWISE)
    return DeviceError(f"can't open {kind} device {device!r}: {what}; {hint}")


def lost(kind: str, device: str, error: Exception | int) -> DeviceError:
    """The error of an open device that failed, from pyalsaaudio's or an errno."""
    code = error if isinstance(error, int) else code_of(error)
    what = os.strerror(error) if isinstance(error, int) else _text(error)
    hint = _LOSING.get(code or 0)
    return DeviceError(f"{kind} device {device!r} is lost: {what}" + (f" ({hint})" if hint else ""))


def _text(error: Exception) -> str:
    """Without the device's name, which pyalsaaudio adds in brackets."""
    return re.sub(r" \[.*\]$", "", str(error))
