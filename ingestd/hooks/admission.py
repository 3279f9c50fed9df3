"""Which messages a handler is run for: by their age, their sender and their signature. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ingestd.config.schema import Hook
from ingestd.config.secret import Secret
from ingestd.hooks.refused import Refused
from ingestd.hooks.seen import Seen
from ingestd.hooks.signature import Signed, verified

FIELDS: Final = ("topic", "text", "sender_id", "sender_name", "timestamp", "id")
"""What a program reads of a message, on its standard input."""

ReadSecret = Callable[[Path], Secret]
"""Reads a handler's secret from its file. Raises Refused."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """What the program is to read, and by which signature it was let in, if by one."""

    message: dict[str, Any]
    sent_s: float | None
    """When it was sent, seconds since 1970; None where that can't be read."""
    signed: Signed | None


def admit(hook: Hook, message: Mapping[str, Any], wall_s: float, seen: Seen, read_secret: ReadSecret) -> Admitted:
    """Raises Refused. `message` is a control notification's; `wall_s` is now, seconds since 1970.

    All that the handler asks for must hold. Of a signed message the program reads the data that was signed.
    """
    given = {name: message.get(name) for name in FIELDS}
    topic = str(given["topic"])
    sent_s = _seconds(given["timestamp"])
    if hook.max_age_s is not None:
        _check_age(sent_s, hook.max_age_s, wall_s)
    if hook.allow_senders is not None and given["sender_id"] not in hook.allow_senders:
        raise Refused("sender", "its sender is not among this handler's allow_senders")
    seen.check_time(topic, sent_s)
    if hook.max_age_s is None:
        seen.check_loss(sent_s)
    if hook.hmac_secret_file is None:
        return Admitted(given, sent_s, None)
    signed = verified(topic, str(given["text"]), read_secret(hook.hmac_secret_file).reveal(), wall_s)
    seen.check_nonce(topic, str(hook.hmac_secret_file), signed, wall_s)
    if hook.max_age_s is None:
        seen.check_loss(signed.ts_s)  # of its nonce too nothing is known any more
    return Admitted({**given, "text": signed.data}, sent_s, signed)


def _check_age(sent_s: float | None, max_age_s: float, wall_s: float) -> None:
    if sent_s is None:
        raise Refused("time", "it has no time that can be read; max_age_s: null would run it all the same")
    age_s = wall_s - sent_s
    if age_s > max_age_s:
        raise Refused("age", f"it is {age_s:.0f} s old, and this handler's max_age_s is {max_age_s:g}")
    if age_s < -max_age_s:
        raise Refused("future", f"it is of {-age_s:.0f} s from now; is this device's clock slow (timedatectl)?")


def _seconds(timestamp: object) -> float | None:
    """Seconds since 1970 of an ISO 8601 text; one without a zone is UTC."""
    if not isinstance(timestamp, str):
        return None
    try:
        moment = datetime.fromisoformat(timestamp)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
