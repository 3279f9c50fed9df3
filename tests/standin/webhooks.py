"""Lifecycle webhooks: signed POSTs to whoever registered, in order, and a record of each."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.standin.settings import Settings

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
    """The receiver's HTTP status; 0 if it could not be reached."""


class Webhooks:
    """Posts events one after the other, so that receivers get them in order."""

    def __init__(self, settings: Callable[[], Settings]) -> None:
        self._settings = settings
        self._queue: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._key: rsa.RSAPrivateKey | None = None
        self.registered: list[tuple[str, frozenset[str]]] = []
        """URLs registered over HTTP with the events they want; an empty set wants all."""
        self.records: list[WebhookRecord] = []

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

    def public_pem(self) -> str:
        """The public key that verifies the signatures (PEM)."""
        public = self._private().public_key()
        return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def rotate_key(self) -> None:
        """Sign with a new key from now on. Making one takes some ticks' time, and nothing else runs meanwhile."""
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def prepare(self) -> None:
        """Make the key now if anyone is to get webhooks, and not once audio flows."""
        if self._settings().webhook_urls or self.registered:
            self._private()

    async def stop(self) -> None:
        """Stop posting; what is still queued is lost."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def _private(self) -> rsa.RSAPrivateKey:
        if self._key is None:
            self.rotate_key()
        assert self._key is not None
        return self._key

    def _signature(self, body: bytes) -> str:
        signed = body if self._settings().webhook_signature == "good" else body + b" "
        return base64.b64encode(self._private().sign(signed, padding.PKCS1v15(), hashes.SHA256())).decode()

    async def _run(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                url, body = await self._queue.get()
                headers = {"Content-Type": "application/json"}
                if self._settings().webhook_signature != "none":
                    headers[SIGNATURE_HEADER] = self._signature(body)
                record = WebhookRecord(url, body.decode(), time.monotonic(), 0)
                timeout = aiohttp.ClientTimeout(total=self._settings().webhook_timeout_s)
                with contextlib.suppress(aiohttp.ClientError, TimeoutError, ValueError):
                    async with session.post(url, data=body, headers=headers, timeout=timeout) as answer:
                        record.status = answer.status
                self.records.append(record)
