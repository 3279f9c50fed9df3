"""The metrics thread: answers scrapes, one small step at a time, and takes from the call no more than a fixed share."""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections.abc import Callable
from typing import Final

from ingestd.errors import MetricsError
from ingestd.metrics import request
from ingestd.metrics.library import Render
from ingestd.metrics.listening import listen, shown
from ingestd.net.cancel import Cancel
from ingestd.system.journal import LOG
from ingestd.threads.mailbox import Mailbox, MetricsChanged
from ingestd.threads.worker import Worker

MAX_CLIENTS: Final = 8
ANSWERED_S: Final = 2.0
"""From a client's connection to its end."""
FRESH_S: Final = 0.5
"""So long the same text is served again."""
ROUND_S: Final = 0.02
"""After each round with something to do; in a round each client gets one read or write, and one comes in."""
AGAIN_S: Final = 30.0
_POLL_S: Final = 0.1
_READ_BYTES: Final = 4096


class _Client:
    def __init__(self, sock: socket.socket, until_s: float) -> None:
        self.sock = sock
        self.until_s = until_s
        self.received = bytearray()
        self.unsent = b""


class MetricsThread(Worker):
    """Serves figures over HTTP. Where it can't, it says so and tries again; the call is not touched by that."""

    name = "metrics"

    def __init__(
        self,
        host: str,
        port: int,
        load: Callable[[], Render],
        mailbox: Mailbox,
        *,
        again_s: float = AGAIN_S,
        answered_s: float = ANSWERED_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`load` gives what writes the figures, and may raise MetricsError and take a while."""
        super().__init__(mailbox)
        self._host = host
        self._port = port
        self._shown = shown(host, port)
        self._load = load
        self._again_s = again_s
        self._answered_s = answered_s
        self._clock = clock
        self._cancel = Cancel()
        self._selector = selectors.DefaultSelector()
        self._listeners: list[socket.socket] = []
        self._clients: dict[int, _Client] = {}  # the oldest first
        self._render: Render | None = None
        self._text: bytes | None = None
        self._written_s = -FRESH_S
        self._failed = False
        self.rendered = 0
        """How often the figures were written. Any thread reads it."""

    @property
    def ports(self) -> list[int]:
        """Where it listens. Any thread."""
        return [sock.getsockname()[1] for sock in self._listeners]

    def stop(self) -> None:
        """See `Worker`."""
        super().stop()
        self._cancel.cancel()

    def run_until_stopped(self) -> None:
        """See `Worker`."""
        try_s = 0.0
        try:
            while not self._stopping.is_set():
                now = self.progress_s = self._clock()
                if self._listeners:
                    self._round(now)
                elif now >= try_s:
                    try_s = now + self._again_s
                    self._open()
                else:
                    self._stopping.wait(_POLL_S)
        finally:
            for client in list(self._clients.values()):
                self._drop(client)
            for sock in self._listeners:
                sock.close()
            self._selector.close()

    def _open(self) -> None:
        try:
            self._render = self._load()
            listeners = listen(self._host, self._port, self._cancel)
        except MetricsError as error:
            if not self._stopping.is_set():
                self._mailbox.post(MetricsChanged(self._shown, error))
            return
        for sock in listeners:
            self._selector.register(sock, selectors.EVENT_READ)
        self._listeners = listeners
        self._mailbox.post(MetricsChanged(self._shown, None))

    def _round(self, now: float) -> None:
        events = self._selector.select(_POLL_S)
        for key, ready in events:
            if key.fileobj in self._listeners:
                self._accept(key.fileobj, now)  # type: ignore[arg-type]  # only sockets are registered
            elif (client := self._clients.get(key.fd)) is not None:
                self._serve(client, ready)
        for client in list(self._clients.values()):
            if now >= client.until_s:
                self._drop(client)
        if events:
            self._stopping.wait(ROUND_S)

    def _accept(self, listener: socket.socket, now: float) -> None:
        try:
            sock, _ = listener.accept()
        except OSError:  # it went again, or there are no descriptors left
            return
        if len(self._clients) >= MAX_CLIENTS:  # whoever means it is served within a round or two
            self._drop(next(iter(self._clients.values())))
        sock.setblocking(False)
        self._clients[sock.fileno()] = _Client(sock, now + self._answered_s)
        self._selector.register(sock, selectors.EVENT_READ)

    def _serve(self, client: _Client, ready: int) -> None:
        try:
            if ready & selectors.EVENT_READ:
                self._read(client)
            elif client.unsent:
                client.unsent = client.unsent[client.sock.send(client.unsent) :]
                if not client.unsent:
                    self._drop(client)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)

    def _read(self, client: _Client) -> None:
        data = client.sock.recv(_READ_BYTES)
        client.received += data
        found = request.asked(bytes(client.received))
        if found is None:
            if not data:
                self._drop(client)
            return
        status, with_body = found
        body = self._figures() if status == request.OK else None
        if status == request.OK and body is None:
            status = "500 Internal Server Error"
        client.unsent = request.answer(status, body, with_body=with_body)
        self._selector.modify(client.sock, selectors.EVENT_WRITE)

    def _figures(self) -> bytes | None:
        """None where they can't be had, which is a bug."""
        now = self._clock()
        if self._render is not None and now - self._written_s >= FRESH_S:
            self._written_s = now
            self.rendered += 1
            try:
                self._text = self._render()
            except Exception:  # noqa: BLE001 - a figure must not end the call
                self._text = None
                if not self._failed:
                    self._failed = True
                    LOG.exception("the figures for Prometheus could not be written; please report this")
        return self._text

    def _drop(self, client: _Client) -> None:
        if self._clients.pop(client.sock.fileno(), None) is not None:
            self._selector.unregister(client.sock)
            with contextlib.suppress(OSError):
                client.sock.shutdown(socket.SHUT_WR)
            client.sock.close()
