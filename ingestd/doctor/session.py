"""A session of the doctor's own: the backend's answer, the way to the call's server, the room's first audio."""

from __future__ import annotations

import contextlib
import select
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ingestd.config.schema import Config
from ingestd.core import wire
from ingestd.core.check import Check, failed, ok, warning
from ingestd.core.ingest_session import IngestSession
from ingestd.core.remedies import Where, advice
from ingestd.core.times import DEFAULT
from ingestd.doctor.certificate import judged_certificate
from ingestd.errors import BackendError, ChannelClosed, ChannelError
from ingestd.net.cancel import Cancel
from ingestd.net.channel import Channel
from ingestd.net.reach import reach
from ingestd.net.stalls import Stalls
from ingestd.planning import backend_of, body_of, opener_of, proxy_url, tls_files, where

_LISTEN_S: Final = 10.0
_GOODBYE_S: Final = 1.0
_REACH_S: Final = 12.0
_FRAME_S: Final = wire.FRAME_SAMPLES / wire.SAMPLE_RATE_HZ
_SILENCE: Final = bytes(2 * wire.FRAME_SAMPLES)


@dataclass(frozen=True, slots=True)
class OwnSession:
    """Asks for one, as the daemon does. One thread."""

    config: Config
    config_path: Path

    @property
    def _where(self) -> Where:
        return where(self.config, self.config_path)

    def checks(self, call: bool) -> Iterator[Check]:
        """The backend's answer and the way to the call's server; with `call`, the call itself too."""
        asked_s = time.monotonic()
        try:
            session = backend_of(self.config, tls_files(self.config), DEFAULT).create(body_of(self.config), Cancel())
        except BackendError as error:
            said = advice(error, self._where)
            yield failed("backend", f"{error}: {said.meaning}", said.remedy)
            return
        took_s = time.monotonic() - asked_s
        named = f" (call {session.call_id})" if session.call_id else ""
        left = "" if call else f"; nobody claims it, so it ends by itself after {session.expires_in_s:.0f} s"
        yield ok("backend", f"it created a session{named} in {took_s:.2f} s{left}")
        if call:
            yield from self._call(session, asked_s + session.expires_in_s)
        else:
            yield self._server(session)

    def _server(self, session: IngestSession) -> Check:
        """To the server that would carry the call, without claiming the session."""
        name = "way to the call's server"
        parts = urlsplit(session.ws_url)
        secure = parts.scheme == "wss"
        host, port = parts.hostname or "", parts.port or (443 if secure else 80)
        tls = tls_files(self.config).context() if secure else None
        deadline_s = time.monotonic() + _REACH_S
        try:
            sock = reach(host, port, tls, proxy_url(self.config), Cancel(), deadline_s, DEFAULT, Stalls())
        except ChannelError as error:
            said = advice(error, self._where)
            return failed(name, f"{error}: {said.meaning}", said.remedy)
        with sock:
            if isinstance(sock, ssl.SSLSocket):
                return judged_certificate(name, f"{host}:{port}", sock, time.time())
            return ok(name, f"{host}:{port} can be reached")

    def _call(self, session: IngestSession, deadline_s: float) -> Iterator[Check]:
        name = "first room audio"
        begun_s = time.monotonic()
        try:
            channel = opener_of(self.config, tls_files(self.config), lambda: (), DEFAULT).open(
                session, 1, Cancel(), min(deadline_s, begun_s + DEFAULT.attempt_s)
            )
        except (ChannelError, BackendError) as error:
            said = advice(error, self._where)
            yield failed("call", f"{error}: {said.meaning}", said.remedy)
            return
        opened_s = time.monotonic()
        yield ok("call", f"the connection was open after {opened_s - begun_s:.2f} s; silence is sent")
        try:
            heard_s = _first_media(channel, opened_s + _LISTEN_S)
        except ChannelError as error:
            said = advice(error, self._where)
            yield failed(name, f"{error}: {said.meaning}", said.remedy)
        else:
            yield _judged(name, channel, heard_s, opened_s)
        finally:
            _hang_up(channel)


def _judged(name: str, channel: Channel, heard_s: float | None, opened_s: float) -> Check:
    if heard_s is not None:
        return ok(name, f"came {heard_s - opened_s:.2f} s after the connection was open")
    joined = "the service said that the device joined" if channel.joined else "nor did the service say that it joined"
    said = f"none came within {_LISTEN_S:.0f} s; {joined}"
    return warning(name, said, "nothing to do where nobody else is in the room; else let somebody speak there")


def _first_media(channel: Channel, until_s: float) -> float | None:
    """When the first room audio came (CLOCK_MONOTONIC), None for not in time; silence is sent. Raises ChannelError."""
    due_s = time.monotonic()
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    while (now := time.monotonic()) < until_s:
        if channel.has_buffered() or poll.poll(max(0.0, due_s - now) * 1000.0):
            if any(isinstance(event, wire.Media) for event in channel.receive()):
                return time.monotonic()
        elif now >= due_s:
            channel.send_media(_SILENCE)
            due_s += _FRAME_S
        channel.send_others(now)
    return None


def _hang_up(channel: Channel) -> None:
    """Says `stop`, and waits a moment for the other end's goodbye."""
    until_s = time.monotonic() + _GOODBYE_S
    channel.hang_up()
    with contextlib.suppress(ChannelClosed, ChannelError):
        poll = select.poll()
        poll.register(channel.fileno(), select.POLLIN)
        while (now := time.monotonic()) < until_s:
            channel.send_others(now)
            if poll.poll(50.0) or channel.has_buffered():
                channel.receive()
    channel.leave()
