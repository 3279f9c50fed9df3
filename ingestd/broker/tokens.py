"""The service's tokens: minted here, or read from a file. The only importer of PyJWT."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import jwt

from ingestd.broker import settings
from ingestd.broker.errors import BrokerError
from ingestd.config.secret import read_token
from ingestd.errors import ConfigError

_SPARE_S: Final = 60
"""A token that is good for less is not used any more: it has to last until the service has read it."""


class _Minted(NamedTuple):
    token: str
    since_s: float
    until_s: float


def mint(
    api_key: str,
    secret: str,
    lives_s: int,
    now_s: float,
    room_id: str | None = None,
    participant_id: str | None = None,
) -> str:
    """A token for ingest sessions that is good for `lives_s` from `now_s` on; for that room or participant alone."""
    claims: dict[str, Any] = {
        "apikey": api_key,
        "permissions": ["allow_join"],
        "version": 2,
        "roles": ["crawler"],
        "iat": int(now_s),
        "exp": int(now_s) + lives_s,
    }
    if room_id is not None:
        claims["roomId"] = room_id
    if participant_id is not None:
        claims["participantId"] = participant_id
    return jwt.encode(claims, secret, algorithm="HS256")


def api_secret(videosdk: settings.VideoSdk) -> str:
    """The account's secret, read anew. Raises BrokerError, which shows none of it."""
    try:
        return read_token(videosdk.api_secret_file, "API secret").reveal()
    except ConfigError as error:
        raise BrokerError(f"videosdk.api_secret_file: {error}") from None


class Tokens:
    """The token that the broker asks the service with. Any thread; one of them mints, the others wait for it."""

    def __init__(self, videosdk: settings.VideoSdk, now: Callable[[], float]) -> None:
        """`now`: seconds since 1970 UTC. Reads no file yet."""
        self._videosdk = videosdk
        self._now = now
        self._lock = threading.Lock()
        self._minted: _Minted | None = None

    def current(self) -> str:
        """A token that is good for a minute yet. Raises BrokerError where its file or the secret's can't be read."""
        if self._videosdk.token_file is not None:
            try:
                return read_token(self._videosdk.token_file).reveal()
            except ConfigError as error:
                raise BrokerError(f"videosdk.token_file: {error}") from None
        with self._lock:
            now_s, kept = self._now(), self._minted
            if kept is None or not kept.since_s <= now_s < kept.until_s:  # also where the clock was set back
                kept = self._minted = self._mint(now_s)
            return kept.token

    def forget(self, token: str) -> None:
        """Uses that token no more: the service refused it. One minted since stays."""
        with self._lock:
            if self._minted is not None and self._minted.token == token:
                self._minted = None

    def _mint(self, now_s: float) -> _Minted:
        lives_s = self._videosdk.token_lives_s
        # The configuration has a key where it has no token_file (`settings`).
        token = mint(self._videosdk.api_key or "", api_secret(self._videosdk), lives_s, now_s)
        return _Minted(token, now_s, int(now_s) + lives_s - _SPARE_S)
