"""Devices' keys: how they are made, read, and compared. Pure; any thread.

A key is `igd_ID_SECRET` in hex digits. By its ID it is found; of its SECRET only the hash is kept. The secret is 256
random bits, which nobody guesses, so a plain SHA-256 of it is enough.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import Final, NamedTuple

_ID_BYTES: Final = 8
_SECRET_BYTES: Final = 32
_KEY: Final = re.compile(f"igd_([0-9a-f]{{{2 * _ID_BYTES}}})_([0-9a-f]{{{2 * _SECRET_BYTES}}})")


class NewKey(NamedTuple):
    """A key that was just made. `text` is a secret: it is shown once, and kept nowhere."""

    text: str
    key_id: str
    key_hash: bytes

    def __repr__(self) -> str:
        return f"NewKey(text=<secret>, key_id={self.key_id!r})"


class Presented(NamedTuple):
    """What somebody came with: which key it claims to be, and the hash of the secret given."""

    key_id: str
    key_hash: bytes


def new_key() -> NewKey:
    """A key that nobody has yet."""
    key_id, secret = secrets.token_hex(_ID_BYTES), secrets.token_hex(_SECRET_BYTES)
    return NewKey(f"igd_{key_id}_{secret}", key_id, _hash(secret))


def read_key(text: str) -> Presented | None:
    """What `text` claims; None where it is no key at all."""
    found = _KEY.fullmatch(text)
    # What is no key is hashed too: it is to take no less time than what is one.
    presented = Presented(found[1] if found else "", _hash(found[2] if found else text))
    return presented if found else None


def matches(kept: bytes, presented: bytes) -> bool:
    """Whether both hashes are the same, in a time that does not tell how far they are."""
    return hmac.compare_digest(kept, presented)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
