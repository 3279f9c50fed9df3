"""How long an HTTP server asks to wait: the header Retry-After (RFC 9110 §10.2.3), in both of its forms. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

_MOST_S: Final = 3600.0
"""No server keeps a device away for longer."""


def retry_after_s(value: str | None, date: str | None) -> float | None:
    """Seconds to wait by an answer's Retry-After `value` and its own `date`; None where it asks for nothing readable.

    A date is taken against the answer's Date header, never against the clock of a device, which may be years off.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text), _MOST_S)
    until, since = _parsed(text), _parsed(date or "")
    if until is None or since is None:
        return None
    return min(max(0.0, (until - since).total_seconds()), _MOST_S)


def _parsed(text: str) -> datetime | None:
    # Imported here: a start without such an answer does not need it.
    from datetime import UTC
    from email.utils import parsedate_to_datetime

    try:
        when = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return when if when.tzinfo is not None else when.replace(tzinfo=UTC)
