"""What an error means and what helps, for the person who reads the journal at night. Pure; any thread.

The advice stands beside the error's own text and does not repeat it. It is made of the texts in
`core.remedies_for_attempts` and `core.remedies_for_ends` and of names in the configuration, never of what an error
holds, so that no secret can get into it.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final, NamedTuple

from ingestd.core import remedies_for_attempts as attempts
from ingestd.core import remedies_for_ends as ends
from ingestd.core.credential import is_credential
from ingestd.errors import (
    BackendError,
    CertificateError,
    ChannelClosed,
    ChannelError,
    MeetingEnded,
    ProxyRefused,
    RemoteProtocolError,
    UpgradeRefused,
)

MAX_ADVICE_CHARS: Final = 160
_MAX_NAME_CHARS: Final = 48


class Advice(NamedTuple):
    """Meaning and remedy are one sentence each, of at most MAX_ADVICE_CHARS."""

    meaning: str
    remedy: str
    """Begins with "Nothing to do" where it passes by itself."""
    name: str
    """Of the fault, for programs: see `core.catalog`. Stays the same when the words change."""


class Where(NamedTuple):
    """This device's own names for what an advice speaks of; no secrets."""

    token_file: str
    backend_host: str
    backend_origin: str
    """Scheme, host and port: https://api.example.com:8443. What stands before a path."""
    room_id: str | None
    """None where the backend knows the room."""
    config: str
    """The configuration file."""


def advice(error: Exception, where: Where) -> Advice:
    """What ended an attempt or a connection by `error`, and what to do. There is one for every error."""
    name, meaning, remedy = _text(error)
    if is_credential(PurePath(where.token_file)):
        remedy = attempts.OF_A_CREDENTIAL.get(name, remedy)
    room = "the room that the backend chose" if where.room_id is None else f"room {where.room_id}"
    names = {
        "token_file": _shortened(where.token_file),
        "host": _shortened(where.backend_host),
        "origin": _shortened(where.backend_origin),
        "room": _shortened(room),
        "config": _shortened(where.config),
    }
    return Advice(meaning.format_map(names), remedy.format_map(names), name)


def _text(error: Exception) -> ends.Text:
    match error:
        case BackendError():
            return _first(attempts.BACKEND[error.fault], str(error))
        case MeetingEnded():
            return _first(ends.ENDED, str(error))
        case ChannelClosed(code=None):
            return _first(ends.CUT, str(error))
        case ChannelClosed():
            return _of_close(error.code or 0, error.reason)
        case CertificateError():
            return _first(attempts.CERTIFICATES, str(error))
        case UpgradeRefused():
            return _first(attempts.UPGRADES, str(error.status))
        case ProxyRefused():
            return _first(attempts.PROXIES, f"answered {error.status}")
        case RemoteProtocolError():
            return ends.PROTOCOL
        case ChannelError():
            return _first(attempts.REACHING, str(error))
        case _:
            return ends.UNFORESEEN


def _of_close(code: int, reason: str) -> ends.Text:
    if (told := _found(ends.CLOSE_REASONS, reason)) is not None:
        return told
    if code in ends.CODES:
        return (f"closed-{code}", *ends.CODES[code])
    return ends.OTHER_4000 if 4000 <= code < 5000 else ends.OTHER_CODE


def _first(rules: attempts.Rules, said: str) -> ends.Text:
    name, _, meaning, remedy = rules[-1]
    return _found(rules, said) or (name, meaning, remedy)


def _found(rules: attempts.Rules, said: str) -> ends.Text | None:
    fitting = (
        (name, meaning, remedy)
        for name, pattern, meaning, remedy in rules
        if re.search(pattern, said, re.IGNORECASE)
    )
    return next(fitting, None)


def _shortened(name: str) -> str:
    shown = "".join(char if char.isprintable() else "?" for char in name)
    if len(shown) <= _MAX_NAME_CHARS:
        return shown
    return f"{shown[:16]}…{shown[17 - _MAX_NAME_CHARS :]}"  # of a path the end tells more
