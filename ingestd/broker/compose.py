"""The one place where the broker's parts meet: from its settings to all that a request may need."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import Final, NamedTuple

from ingestd.broker.calls import SessionMaker
from ingestd.broker.devices import Registry
from ingestd.broker.errors import BrokerError
from ingestd.broker.events import Events
from ingestd.broker.figures import Figures
from ingestd.broker.service import Service
from ingestd.broker.settings import Devices, Settings, StorageSettings
from ingestd.broker.signatures import Signatures
from ingestd.broker.storage import Storage
from ingestd.broker.tokens import Tokens
from ingestd.config.secret import Secret, read_token
from ingestd.errors import ConfigError

_PATIENCE_S: Final = 8.0
"""A request that waits longer for the database is answered that it can't be used; devices wait for 10."""


class Broker(NamedTuple):
    """What requests are answered with. Made once in each process, after its fork."""

    settings: Settings
    storage: Storage
    registry: Registry
    sessions: SessionMaker
    signatures: Signatures
    events: Events
    figures: Figures


def open_storage(settings: StorageSettings, connections: int = 4, patience_s: float | None = None) -> Storage:
    """The database that the settings name, as `Storage` has it. Opens nothing yet. Raises BrokerError."""
    url = settings.url.reveal()
    return Storage(url, password=_password(settings), connections=connections, patience_s=patience_s)


def compose(settings: Settings) -> Broker:
    """All parts of one process, wired. Reads the database's password; opens nothing. Raises BrokerError."""
    threads = settings.listen.threads
    storage = open_storage(settings.storage, threads, _PATIENCE_S)
    service = Service(settings.videosdk)
    tokens = Tokens(settings.videosdk, time.time)
    figures = Figures(storage)
    return Broker(
        settings=settings,
        storage=storage,
        registry=Registry(storage, time.time),
        sessions=SessionMaker(storage, service, tokens, _leaving_room(settings), figures, time.time, random.random),
        signatures=Signatures(service.public_key, time.monotonic, max(1, threads // 8)),
        events=Events(storage, time.time),
        figures=figures,
    )


def _leaving_room(settings: Settings) -> Devices:
    """With no more sessions at once than leave threads to webhooks, operators and the proxy's health checks."""
    most = max(1, settings.listen.threads * 2 // 3)
    return replace(settings.devices, at_once=min(settings.devices.at_once, most))


def _password(settings: StorageSettings) -> str | None:
    if settings.password_file is None:
        return None
    try:
        secret: Secret = read_token(settings.password_file, "password")
    except ConfigError as error:
        raise BrokerError(f"storage.password_file: {error}") from None
    return secret.reveal()
