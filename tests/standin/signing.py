"""The keys that lifecycle webhooks are signed with: the one that is shown, and those that no receiver may believe."""

from __future__ import annotations

import base64
from typing import Literal

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

Manner = Literal["good", "bad", "none", "old", "stranger"]
"""How a body is signed: rightly; over other bytes; not at all; with the key before the last rotation; with a key that
was never shown."""


class SigningKeys:
    """RSA keys, each made when it is first needed: that takes some ticks' time, and nothing else runs meanwhile."""

    def __init__(self) -> None:
        self._current: rsa.RSAPrivateKey | None = None
        self._previous: rsa.RSAPrivateKey | None = None
        self._stranger: rsa.RSAPrivateKey | None = None

    @property
    def has_old(self) -> bool:
        """Whether the key was rotated."""
        return self._previous is not None

    def prepare(self) -> rsa.RSAPrivateKey:
        """The key in use, made now if there is none."""
        if self._current is None:
            self._current = _made()
        return self._current

    def rotate(self) -> None:
        """Sign with a new key from now on, and show that one."""
        self._previous, self._current = self.prepare(), _made()

    def public_pem(self) -> str:
        """The public key that verifies the signatures (PEM)."""
        public = self.prepare().public_key()
        return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def signature(self, body: bytes, manner: Manner = "good") -> str | None:
        """The header's value; None where it is to be left out. `old` needs a rotation before."""
        match manner:
            case "none":
                return None
            case "bad":
                return _signed(self.prepare(), body + b" ")
            case "old":
                assert self._previous is not None
                return _signed(self._previous, body)
            case "stranger":
                self._stranger = self._stranger or _made()
                return _signed(self._stranger, body)
            case _:
                return _signed(self.prepare(), body)


def _made() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _signed(key: rsa.RSAPrivateKey, body: bytes) -> str:
    return base64.b64encode(key.sign(body, padding.PKCS1v15(), hashes.SHA256())).decode()
