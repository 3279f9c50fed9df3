"""Lifecycle webhooks: signed POSTs to whoever registered, and a record of each."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import random
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.standin.settings import Settings, SettingsError
from tests.standin.signing import SigningKeys

SIGNATURE_HEADER = "videosdk-signature"
"""Base64 of RSA-SHA256 (PKCS#1 v1.5) over the raw body."""


@dataclass
class WebhookRecord:
    """One POST of an event."""

    url: str
    body: str
    """The raw body, as signed."""
    at_s: float
    """Monotonic time of sending (seconds)."""
    status: int
    """The receiver's HTTP status; 0 if it could not be reached or did not answer."""
    attempt: int = 1
    """Counts from 1; higher where it was sent before and not taken."""
    took_s: float = 0.0
    """Until the answer (seconds)."""

    @property
    def taken(self) -> bool:
        """Whether the receiver acknowledged it."""
        return 200 <= self.status < 300


class Webhooks:
    """Posts events one after the other, so that receivers get them in order, unless the switches say otherwise."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._queue: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self.keys = SigningKeys()
        self.registered: list[tuple[str, frozenset[str]]] = []
        """URLs registered over HTTP with the events they want; an empty set wants all."""
        self.records: list[WebhookRecord] = []
        self.key_requests = 0
        """How often the public key was asked for."""

    def emit(self, event: str, data: dict[str, Any]) -> None:
        """Queue one event for everyone who wants it."""
        settings = self._settings()
        wanting = [url for url, events in self.registered if not events or event in events]
        body = json.dumps({"webhookType": event, "data": data}, separators=(",", ":"), ensure_ascii=False)
        for url in dict.fromkeys([*settings.webhook_urls, *wanting]):
            for _ in range(settings.webhook_copies):
                self._queue.put_nowait((url, body.encode("utf-8", "replace")))
        if not self._queue.empty() and self._task is None:
            self._task = asyncio.create_task(self._run())

    def prepare(self) -> None:
        """Make the key now if anyone is to get webhooks, and not once audio flows. Raises SettingsError."""
        _trusting(self._settings().webhook_ca_file)
        if self._settings().webhook_signature == "old" and not self.keys.has_old:
            raise SettingsError("webhook_signature: the key was never rotated, so there is no old one")
        if self._settings().webhook_urls or self.registered:
            self.keys.prepare()

    async def stop(self) -> None:
        """Stop posting; what is still queued is lost."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                batch = [await self._queue.get()]
                await asyncio.sleep(self._settings().webhook_hold_s)
                while not self._queue.empty():
                    batch.append(self._queue.get_nowait())
                settings = self._settings()
                if settings.webhook_order == "reversed":
                    batch.reverse()
                elif settings.webhook_order == "shuffled":
                    random.shuffle(batch)
                for start in range(0, len(batch), settings.webhooks_at_once):
                    together = batch[start : start + settings.webhooks_at_once]
                    await asyncio.gather(*(self._deliver(session, url, body) for url, body in together))

    async def _deliver(self, session: aiohttp.ClientSession, url: str, body: bytes) -> None:
        """Post until it is taken, or as often as the switches say."""
        attempt = 1
        while not (await self._post(session, url, body, attempt)).taken:
            if attempt > self._settings().webhook_retries:
                return
            await asyncio.sleep(self._settings().webhook_retry_s)
            attempt += 1

    async def _post(self, session: aiohttp.ClientSession, url: str, body: bytes, attempt: int) -> WebhookRecord:
        settings = self._settings()
        headers = {"Content-Type": "application/json"}
        if (signature := self.keys.signature(body, settings.webhook_signature)) is not None:
            headers[SIGNATURE_HEADER] = signature
        record = WebhookRecord(url, body.decode(), time.monotonic(), 0, attempt)
        timeout = aiohttp.ClientTimeout(total=settings.webhook_timeout_s)
        tls = _trusting(settings.webhook_ca_file)
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, ValueError):
            async with session.post(url, data=body, headers=headers, timeout=timeout, ssl=tls) as answer:
                record.status = answer.status
        record.took_s = time.monotonic() - record.at_s
        self.records.append(record)
        return record


@functools.cache
def _trusting(ca_file: str) -> ssl.SSLContext:
    """Trusts that CA, or those of the system. Raises SettingsError."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as exc:
        raise SettingsError(f"webhook_ca_file: {ca_file}: {exc}") from None
