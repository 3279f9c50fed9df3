"""What is measured: brokers with one worker each on one database, a service that answers them, registered devices."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.bench.broker.exchange import Address
from tests.bench.broker.responder import Responder
from tests.rig.broker import BrokerProcess

_KEY_BITS: Final = 2048


@dataclass(frozen=True)
class Scene:
    """Brokers that run, and who asks them."""

    brokers: Sequence[BrokerProcess]
    responder: Responder
    keys_file: Path
    """The devices' keys, one a line."""
    registered_s: float
    """What it took to register them all."""

    @property
    def addresses(self) -> list[Address]:
        """Where the brokers listen."""
        return [("127.0.0.1", broker.port) for broker in self.brokers]


@contextlib.contextmanager
def scene(
    folder: Path, *, devices: int, database: str | None = None, brokers: int = 1, delay_ms: float = 0.0
) -> Iterator[Scene]:
    """So many brokers on `database` (None: SQLite in `folder`), running, with so many devices that are new to it.

    The service takes `delay_ms` for each session.
    """
    public_key = folder / "public.pem"
    signing_key(public_key)
    with Responder(public_key, delay_ms) as responder, contextlib.ExitStack() as stack:
        made = [broker_of(folder / f"broker-{number}", responder, database) for number in range(brokers)]
        for broker in made:
            stack.callback(broker.kill)
            broker.start()
        began_s = time.monotonic()
        keys = made[0].add_devices((f"device-{number:05}" for number in range(devices)), room_id="abcd-efgh-ijkl")
        registered_s = time.monotonic() - began_s
        keys_file = folder / "keys"
        keys_file.write_text("\n".join(keys))
        yield Scene(made, responder, keys_file, registered_s)


def broker_of(
    folder: Path, responder: Responder, database: str | None, devices: dict[str, Any] | None = None
) -> BrokerProcess:
    """A broker that is configured and does not run yet; it mints tokens as it would in the field.

    `devices` is that group of its configuration, where it is not the default.
    """
    folder.mkdir(parents=True, exist_ok=True)
    secret = folder / "api-secret"
    secret.touch(mode=0o600)
    secret.write_text("a-secret-of-the-bench-that-nobody-checks\n")
    videosdk = {"api_key": "bench", "api_secret_file": str(secret)}
    return BrokerProcess(folder, responder.url, database=database, videosdk=videosdk, devices=devices or {})


def signing_key(public_key: Path) -> rsa.RSAPrivateKey:
    """A new key for webhooks; its public half is written to that file."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    public_key.parent.mkdir(parents=True, exist_ok=True)
    public_key.write_bytes(public)
    return key
