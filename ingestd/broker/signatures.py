"""Whether a webhook comes from the service: RSA signatures over the raw body. The only importer of cryptography.

The service may change its key at any time and tells nobody. So a signature that fails is judged a second time, by a
key fetched anew; an `Allowance` keeps a flood of bad signatures from becoming a flood of such fetches.
"""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from ingestd.broker.allowance import Allowance
from ingestd.broker.errors import Refused, ServiceError

HEADER: Final = "videosdk-signature"
"""Carries the signature: base64 of RSA-SHA256, PKCS#1 v1.5."""

_LEAST_BITS: Final = 2048
_MOST_BITS: Final = 8192
_LONGEST_PEM: Final = 16_384
_LONGEST_SIGNATURE: Final = 2048
"""Characters; a key of 8192 bits makes 1368."""
_FETCHES_AT_ONCE: Final = 5
_ONE_FETCH_EACH_S: Final = 5.0
_WAITED_S: Final = 20.0
"""Longer than the service is given for its answer."""


class Unproven(Refused):
    """A webhook that can't be taken for the service's: 401, or 503 where there is no key to tell. `why` is for us."""

    def __init__(self, status: int, why: str, retry_after_s: float | None = None) -> None:
        told, code = _TOLD[status]
        super().__init__(status, told, code=code, retry_after_s=retry_after_s)
        self.why = why


_TOLD: Final = {
    401: ("The signature is missing or wrong", "bad-signature"),
    503: ("The signature can't be verified at present", "no-key"),
}


class _Fetch:
    """One request for the key, which several threads may wait for."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.waiting = 0
        self.key: RSAPublicKey | None = None
        self.why = "the service's public key could not be fetched"
        self.retry_after_s: float | None = None


class Signatures:
    """The service's key, and what is judged by it. Any thread; a good signature waits for nobody's fetch."""

    def __init__(self, fetch: Callable[[], str], monotonic: Callable[[], float], most_waiting: int = 10) -> None:
        """`fetch` asks the service for its key (PEM), and raises ServiceError.

        `most_waiting`: requests that wait while one fetches, and so hold threads that devices need.
        """
        self._ask = fetch
        self._monotonic = monotonic
        self._most_waiting = most_waiting
        self._lock = threading.Lock()
        """Guards all of the following, and is never held while something is waited for."""
        self._key: RSAPublicKey | None = None
        self._running: _Fetch | None = None
        self._last: _Fetch | None = None
        self._allowance = Allowance(_FETCHES_AT_ONCE, _ONE_FETCH_EACH_S)

    def check(self, body: bytes, signature: str | None, waits: Callable[[], None] = lambda: None) -> None:
        """Returns where the service signed exactly these bytes; calls `waits` before it waits. Raises Unproven."""
        signed = _decoded(signature)
        key = self._key
        if key is not None and _verifies(key, signed, body):
            return
        waits()
        newer = self._newer_than(key)
        if newer is key or not _verifies(newer, signed, body):
            raise Unproven(401, "its signature is not the service's")

    def _newer_than(self, key: RSAPublicKey | None) -> RSAPublicKey:
        """The service's key of now, fetched unless another thread has done so since `key` was read.

        It is `key` itself where that was fetched just now. Raises Unproven where there is none to judge by.
        """
        with self._lock:
            if self._key is not None and self._key is not key:
                return self._key
            fetch = self._running
            mine = fetch is None
            if fetch is None:
                if not self._allowance.take(self._monotonic()):
                    return self._without_fetch()
                fetch = self._running = _Fetch()
            elif fetch.waiting >= self._most_waiting:
                raise Unproven(503, "the service's public key is still being fetched", _ONE_FETCH_EACH_S)
            else:
                fetch.waiting += 1
        if mine:
            self._carry_out(fetch)
        else:
            fetch.over.wait(_WAITED_S)
        if fetch.key is None:
            raise Unproven(503, fetch.why, fetch.retry_after_s or _ONE_FETCH_EACH_S)
        return fetch.key

    def _without_fetch(self) -> RSAPublicKey:
        """What to judge by where too much was fetched of late: the key that came just now, if one did."""
        if self._key is not None and self._last is not None and self._last.key is not None:
            return self._key
        why = "the service's public key could not be fetched" if self._last is None else self._last.why
        raise Unproven(503, why, self._allowance.next_s())

    def _carry_out(self, fetch: _Fetch) -> None:
        """Asks the service, and lets those go on who wait for it, whatever came of it."""
        try:
            fetch.key = _usable(self._ask())
        except ServiceError as error:
            fetch.why = f"the service's public key could not be fetched: {error}"
            fetch.retry_after_s = error.retry_after_s
        except _UnusableKey as error:
            fetch.why = f"the service's public key can't be used: {error}"
        finally:
            with self._lock:
                self._running, self._last = None, fetch
                self._key = fetch.key or self._key
            fetch.over.set()


class _UnusableKey(Exception):  # noqa: N818 (told to nobody by its name)
    """What the service gave as its key is none that signatures may be judged by."""


def _decoded(signature: str | None) -> bytes:
    if signature is None or not signature.strip():
        raise Unproven(401, "it has no signature")
    if len(signature) > _LONGEST_SIGNATURE:
        raise Unproven(401, "its signature is too long for one")
    try:
        return base64.b64decode(signature.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise Unproven(401, "its signature is no base64") from None


def _verifies(key: RSAPublicKey, signed: bytes, body: bytes) -> bool:
    try:
        key.verify(signed, body, PKCS1v15(), SHA256())
    except InvalidSignature:
        return False
    return True


def _usable(pem: str) -> RSAPublicKey:
    if len(pem) > _LONGEST_PEM:
        raise _UnusableKey(f"it has {len(pem)} characters")
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise _UnusableKey("it is no public key in PEM") from None
    if not isinstance(key, RSAPublicKey):
        raise _UnusableKey("it is no RSA key")
    if not _LEAST_BITS <= key.key_size <= _MOST_BITS:
        raise _UnusableKey(f"it has {key.key_size} bits; {_LEAST_BITS} to {_MOST_BITS} are taken")
    return key
