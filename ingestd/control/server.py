"""The control thread: serves local programs on a Unix socket, and waits for none of them."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from ingestd.control import protocol
from ingestd.control.listener import Listener
from ingestd.control.protocol import RpcError
from ingestd.system.journal import LOG
from ingestd.threads.mailbox import Mailbox
from ingestd.threads.worker import Worker

MAX_CLIENTS: Final = 32
MAX_UNREAD_BYTES: Final = 262_144
"""What a client may leave unread before it is cut off."""
_POLL_S: Final = 0.1
_MAX_NEWS: Final = 1024

Method = Callable[[Mapping[str, Any]], Any]


class _Client:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.unparsed = bytearray()
        self.unsent = bytearray()
        self.topics: set[str] = set()


class ControlThread(Worker):
    """Serves the control socket: requests, and news of what happens.

    `methods`: name → function of the params. Which client hears which topic is kept here.
    """

    name = "control"

    def __init__(self, listener: Listener, methods: Mapping[str, Method], mailbox: Mailbox) -> None:
        super().__init__(mailbox)
        self._listener = listener
        self._methods = methods
        self._selector = selectors.DefaultSelector()
        self._clients: dict[int, _Client] = {}
        self._news: deque[tuple[str, dict[str, Any]]] = deque(maxlen=_MAX_NEWS)
        self._news_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.cut_off = 0
        """Clients that were disconnected for reading too slowly or sending too much."""

    def publish(self, method: str, params: dict[str, Any]) -> None:
        """Tells the clients that something happened. Any thread; never blocks."""
        self._news.append((method, params))
        os.eventfd_write(self._news_fd, 1)

    def run_until_stopped(self) -> None:
        """See `Worker`."""
        self._selector.register(self._listener.sock, selectors.EVENT_READ)
        self._selector.register(self._news_fd, selectors.EVENT_READ)
        try:
            while not self._stopping.is_set():
                self.progress_s = time.monotonic()
                for key, ready in self._selector.select(_POLL_S):
                    if key.fileobj is self._listener.sock:
                        self._accept()
                    elif key.fd == self._news_fd:
                        self._tell_news()
                    elif (client := self._clients.get(key.fd)) is not None:
                        self._serve(client, ready)
        finally:
            for client in list(self._clients.values()):
                self._drop(client)
            self._selector.close()
            self._listener.close()

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.sock.accept()
        except OSError:
            # Out of descriptors, or a client that went. Not at once again: the listener stays readable.
            self._stopping.wait(_POLL_S)
            return
        if len(self._clients) >= MAX_CLIENTS:
            self.cut_off += 1
            sock.close()
            return
        sock.setblocking(False)
        self._clients[sock.fileno()] = _Client(sock)
        self._selector.register(sock, selectors.EVENT_READ)

    def _serve(self, client: _Client, ready: int) -> None:
        if ready & selectors.EVENT_WRITE:
            self._flush(client)
        if not ready & selectors.EVENT_READ or client.sock.fileno() < 0:
            return
        try:
            data = client.sock.recv(16384)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        client.unparsed += data
        while 0 <= (end := client.unparsed.find(b"\n")) <= protocol.MAX_LINE_BYTES and client.sock.fileno() >= 0:
            line = bytes(client.unparsed[:end])
            del client.unparsed[: end + 1]
            if line.strip():
                self._send(client, self._answer(client, line))
        if len(client.unparsed) > protocol.MAX_LINE_BYTES and client.sock.fileno() >= 0:
            self.cut_off += 1
            self._drop(client)

    def _answer(self, client: _Client, line: bytes) -> bytes:
        try:
            request = protocol.parse_request(line)
        except RpcError as error:
            return protocol.encode_error(error.request_id, error)
        try:
            result = self._call(client, request)
        except RpcError as error:
            return b"" if request.id is None else protocol.encode_error(request.id, error)
        except Exception as error:  # noqa: BLE001 - one question of one program must not end the call
            LOG.exception("the control method %s failed; please report this", request.method)
            failed = RpcError(protocol.INTERNAL_ERROR, f"{type(error).__name__} in ingestd; see its journal")
            return b"" if request.id is None else protocol.encode_error(request.id, failed)
        return b"" if request.id is None else protocol.encode_result(request.id, result)

    def _call(self, client: _Client, request: protocol.Request) -> Any:
        method = self._methods.get(request.method)
        if method is None:
            raise RpcError(protocol.METHOD_NOT_FOUND, f"there is no method {request.method[:64]!r}")
        result = method(request.params)
        if request.method == "subscribe":
            client.topics.add(request.params["topic"])
        elif request.method == "unsubscribe":
            client.topics.discard(request.params["topic"])
        return result

    def _tell_news(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._news_fd)
        while self._news:
            method, params = self._news.popleft()
            line = protocol.encode_notification(method, params)
            for client in list(self._clients.values()):
                if method != "message" or params["topic"] in client.topics:
                    self._send(client, line)

    def _send(self, client: _Client, data: bytes) -> None:
        if not data or client.sock.fileno() < 0:
            return
        client.unsent += data
        if len(client.unsent) > MAX_UNREAD_BYTES:
            self.cut_off += 1
            self._drop(client)
            return
        self._flush(client)

    def _flush(self, client: _Client) -> None:
        try:
            if client.unsent:
                del client.unsent[: client.sock.send(client.unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._drop(client)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.unsent else 0)
        self._selector.modify(client.sock, wanted)

    def _drop(self, client: _Client) -> None:
        descriptor = client.sock.fileno()
        if self._clients.pop(descriptor, None) is not None:
            self._selector.unregister(client.sock)
            client.sock.close()
