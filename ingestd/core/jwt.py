"""What a token says of itself, where it is a JWT (RFC 7519): from when and until when it holds. Pure.

Nothing is verified, as only the service has the key.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Final, NamedTuple

_LATEST: Final = 253_402_300_799.0  # the end of the year 9999, beyond which no date can be shown


class Dates(NamedTuple):
    """Seconds since 1970; None for what it does not say."""

    issued: float | None
    not_before: float | None
    expires: float | None


def dates_of(token: str) -> Dates | None:
    """Those of a JWT; None for any other token."""
    parts = token.split(".")
    if len(parts) != 3 or not all(parts):
        return None
    head, claims = _object(parts[0]), _object(parts[1])
    if head is None or claims is None or "alg" not in head:
        return None
    return Dates(*(_seconds(claims.get(name)) for name in ("iat", "nbf", "exp")))


def _object(part: str) -> dict[str, object] | None:
    try:
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _seconds(value: object) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LATEST
    return float(value) if usable and isinstance(value, int | float) else None
