"""All that makes sessions, as one process has it, on a database of its own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import Row, select

from ingestd.broker.calls import SessionMaker
from ingestd.broker.devices import Device, NewDevice, Registry
from ingestd.broker.errors import Refused
from ingestd.broker.figures import Figures
from ingestd.broker.migrating import migrate
from ingestd.broker.model import SESSIONS
from ingestd.broker.service import Service
from ingestd.broker.settings import Devices, VideoSdk
from ingestd.broker.storage import Storage
from ingestd.broker.tokens import Tokens

NOW_S: Final = 1_795_000_000.25


class Counted(Figures):
    """Figures that keep what they are told, one by one."""

    def __init__(self) -> None:
        super().__init__(None)
        self.sessions: list[tuple[int, str | None]] = []
        self.answers: list[int] = []
        self.tokens = 0

    def session(self, status: int, took_s: float, reason: str | None = None) -> None:
        super().session(status, took_s, reason)
        assert took_s >= 0
        self.sessions.append((status, reason))

    def service_answered(self, status: int) -> None:
        super().service_answered(status)
        self.answers.append(status)

    def token_refused(self) -> None:
        super().token_refused()
        self.tokens += 1


class Site:
    """One process's parts, on a database of its own."""

    def __init__(self, directory: Path, url: str, secret: str, **devices: Any) -> None:
        self.now_s = NOW_S
        self.storage = Storage(f"sqlite:///{directory}/broker.db")
        migrate(self.storage)
        self.secret_file = directory / "api-secret"
        self.secret_file.write_text(secret)
        videosdk = VideoSdk(url=url, api_key="standin-key", api_secret_file=self.secret_file, timeout_s=5.0)
        self.service = Service(videosdk)
        self.figures = Counted()
        self.registry = Registry(self.storage, self.now)
        self.token_clock_ahead_s = 0.0
        # The stand-in judges tokens by the real time.
        self.tokens = Tokens(videosdk, lambda: time.time() + self.token_clock_ahead_s)
        self.maker = SessionMaker(
            self.storage, self.service, self.tokens, Devices(**devices), self.figures, self.now, lambda: 0.5
        )

    def now(self) -> float:
        return self.now_s

    def add(self, name: str = "pump-7", **fields: Any) -> Device:
        self.registry.add(NewDevice(name, **fields))
        return self.registry.get(name)

    def rows(self) -> list[Row[Any]]:
        with self.storage.reading() as connection:
            return list(connection.execute(select(SESSIONS).order_by(SESSIONS.c.id)))

    def refused(self, device: Device, asked: dict[str, Any] | None = None) -> Refused:
        with pytest.raises(Refused) as caught:
            self.maker.make(device, asked or {})
        assert self.figures.sessions[-1][0] == caught.value.status
        return caught.value
