"""Keys that sign webhooks as the service does, made once: each takes some tenths of a second."""

from __future__ import annotations

import base64
import functools

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """A private key, always the same for a name."""
    return _made(name, bits)


def signed(body: bytes, name: str = "service") -> str:
    """The header that the service would send with these bytes."""
    return base64.b64encode(key(name).sign(body, padding.PKCS1v15(), hashes.SHA256())).decode()


def pem(name: str = "service", bits: int = 2048) -> str:
    """The public half of a key."""
    public = key(name, bits).public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


@functools.cache
def _made(_name: str, bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)
