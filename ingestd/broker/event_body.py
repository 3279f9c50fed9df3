"""What a webhook's body says, as far as it can be read. Pure.

The service's page names the events and nothing else; its own code reads `webhookType ?? type`, and `data`. So a body
is taken as it is, and everything in it may be missing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

LONGEST_KIND: Final = 64
LONGEST_ID: Final = 128
UNKNOWN: Final = "unknown"
"""The kind of an event that tells none."""

_FIRST_IN_MS: Final = 1e11
"""From here on an epoch time counts milliseconds: as seconds it would lie in the year 5138."""
_END_MS: Final = 253_402_300_800_000
"""The end of the year 9999."""


class Told(NamedTuple):
    """What is known of an event besides its body."""

    kind: str
    call_id: str | None
    happened_ms: int | None
    """Milliseconds since 1970 UTC."""


def read_event(body: bytes) -> Told | None:
    """What the body says; None where it is no JSON object."""
    try:
        # As floats: a number of a thousand digits is legal JSON, and Python refuses to read it as an int.
        value = json.loads(body.decode("utf-8"), parse_int=float)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    data = value.get("data")
    places = (data, value) if isinstance(data, dict) else (value,)
    kind = _text(value, "webhookType", LONGEST_KIND) or _text(value, "type", LONGEST_KIND)
    return Told(
        kind=kind or UNKNOWN,
        call_id=next((text for each in places if (text := _text(each, "callId", LONGEST_ID))), None),
        happened_ms=next((ms for each in places if (ms := _time_ms(each.get("timestamp"))) is not None), None),
    )


def _text(values: Mapping[str, Any], key: str, longest: int) -> str | None:
    """The text under `key` if a database can hold it: PostgreSQL takes no NUL, and none takes half a surrogate pair."""
    value = values.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= longest:
        return None
    return value if not any(one == "\0" or "\ud800" <= one <= "\udfff" for one in value) else None


def _time_ms(value: Any) -> int | None:
    """ISO 8601, or the seconds or milliseconds since 1970."""
    if isinstance(value, str):
        try:
            when = datetime.fromisoformat(value)
            aware = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
            value = aware.timestamp()
        except (ValueError, OverflowError):
            return None
    elif not isinstance(value, float):
        return None
    elif value >= _FIRST_IN_MS:
        value /= 1000
    return round(value * 1000) if 0 <= value < _END_MS / 1000 else None
