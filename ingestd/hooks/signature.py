"""Messages signed with a secret that handler and sender share. Pure.

The text of such a message is a JSON object {"data": text, "ts": whole seconds since 1970, "nonce": text, "hmac": hex}.
`hmac` is HMAC-SHA256 over the UTF-8 bytes of these four, with a line feed between each two of them:

    topic, ts in decimal, nonce, data as it stands

The first three hold no line feed, so no two messages are signed by the same bytes. The key is the secret's own text.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from ingestd.hooks.refused import Refused

MAX_SKEW_S: Final = 300
"""How far the sender's clock and this device's may be apart, and how long a message may be on its way."""
MIN_SECRET_CHARS: Final = 16

_NONCE: Final = re.compile(r"[0-9A-Za-z_-]{1,128}")
_TS_END: Final = 1 << 40
_HMAC: Final = re.compile(r"[0-9a-fA-F]{64}")
_FORM: Final = '{"data": text, "ts": whole seconds since 1970, "nonce": text, "hmac": 64 hex digits}'


@dataclass(frozen=True, slots=True)
class Signed:
    """A message whose signature holds."""

    data: str
    nonce: str
    ts_s: int
    """When it was signed, by the sender's clock: seconds since 1970."""


def sign(topic: str, ts_s: int, nonce: str, data: str, secret: str) -> str:
    """The `hmac` of a message. Raises UnicodeEncodeError for what is no text in UTF-8."""
    signed = "\n".join((topic, str(ts_s), nonce, data)).encode("utf-8")
    return hmac.new(secret.encode("ascii"), signed, hashlib.sha256).hexdigest()


def verified(topic: str, text: str, secret: str, wall_s: float) -> Signed:
    """What the text of a message on `topic` says; `wall_s` is now, seconds since 1970. Raises Refused.

    The time is told apart from a wrong signature only where the signature holds.
    """
    if len(secret) < MIN_SECRET_CHARS:
        least = f"less than {MIN_SECRET_CHARS} characters"
        raise Refused("secret", f"its secret has {least}, and could be guessed; make one: openssl rand -hex 32")
    signed, code = _read(text)
    if not hmac.compare_digest(sign(topic, signed.ts_s, signed.nonce, signed.data, secret), code):
        raise Refused(
            "signature", "its hmac does not match; the secret, the topic or the text that was signed is another"
        )
    if abs(wall_s - signed.ts_s) > MAX_SKEW_S:
        raise Refused(
            "skew",
            f"it was signed {_apart(wall_s - signed.ts_s)}, which is more than {MAX_SKEW_S} s off; "
            "set the clock of its sender or of this device",
        )
    return signed


def _read(text: str) -> tuple[Signed, str]:
    """What it says, and the `hmac` that it comes with. Raises Refused."""
    match _fields(text):
        case {"data": str(data), "ts": int(ts_s), "nonce": str(nonce), "hmac": str(code)}:
            known = 0 <= ts_s < _TS_END and not isinstance(ts_s, bool) and _NONCE.fullmatch(nonce)
            if known and _HMAC.fullmatch(code) and _encodes(data):
                return Signed(data, nonce, ts_s), code.lower()
    raise Refused("unsigned", f"it is not signed; its text is to be {_FORM}, with a nonce of A-Z a-z 0-9 _ -")


def _fields(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _encodes(data: str) -> bool:
    """False for half a surrogate pair, which JSON can spell, and of which there are no bytes to be signed."""
    try:
        data.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _apart(age_s: float) -> str:
    return f"{age_s:.0f} s ago" if age_s >= 0 else f"{-age_s:.0f} s ahead of this device's clock"
