"""gunicorn's threaded worker, but for who waits for whom: a thread is taken by a request that has come in whole.

gunicorn's own gives a thread to whoever has sent one byte, and waits without a limit for the next: as many slow clients
as there are threads would keep everybody out. Here one loop reads from all connections, TLS included, each within its
deadline; threads only answer.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import selectors
import signal
import ssl
import time
from collections import deque
from typing import Any, Final

from gunicorn import http
from gunicorn.http import errors
from gunicorn.workers.gthread import ThreadWorker

from ingestd.broker.arrivals import Unfit, Whole
from ingestd.broker.clients import Clients
from ingestd.broker.connection import ARRIVES_WITHIN_S, Answering, Connection
from ingestd.broker.ready import Ready
from ingestd.broker.sparing_log import SparingLog

IDLE_S: Final = 75.0
"""A connection is kept between requests: longer than proxies do (nginx: 60), as it costs no thread."""
_BEGINS_WITHIN_S: Final = 2.0
"""For a connection that was taken by a process that then had to stop: its request, or TLS, is on its way."""
_MOST_HELD_BYTES: Final = 32 * 1024 * 1024
"""Of requests that come in and answers that go out; and as much again of requests that wait for a thread."""
_ACCEPTED_AT_A_TIME: Final = 16
_LOOKS_EACH_S: Final = 0.5
"""For what has waited too long."""

_log = logging.getLogger(__name__)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no type hints
    """One process. `run` and all that begins with `_on` are the loop's thread; `_answer` is a thread of the pool."""

    def init_process(self) -> None:
        """Once forked, before `run`."""
        self._ready = Ready(_MOST_HELD_BYTES)
        self._looked = time.monotonic()
        self._answering = 0
        self._answered: deque[Connection] = deque()
        self._accepts = False
        self._scarce = SparingLog(_log, time.monotonic)
        self._tls: ssl.SSLContext | None = self.app.tls
        # Looked at by gunicorn's `handle_request`.
        self.max_keepalived = 1
        self._keep = ()
        super().init_process()

    def run(self) -> None:
        """Until told to stop; requests that have come in are answered first."""
        for listener in self.sockets:
            listener.setblocking(False)
        self._clients = Clients(self.poller, self._on_data, self._on_room, _MOST_HELD_BYTES)
        self.poller.register(self.PIPE[0], selectors.EVENT_READ, self._on_wake)
        while self.alive and self.is_parent_alive():
            self._accept_or_not()
            self._turn(_LOOKS_EACH_S)
        self._stop()

    def _turn(self, most_s: float) -> None:
        self.notify()
        for key, _ in self.poller.select(most_s):
            key.data(key.fileobj)
        self._take_back()
        if (now := time.monotonic()) - self._looked >= _LOOKS_EACH_S:
            self._looked = now
            self._give_up(now)

    def _stop(self) -> None:
        """What has begun is still answered, and its connection closed after that."""
        # gunicorn sends it each second; while the interpreter ends it would kill, and be told as a fault.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._accepts_no_more()
        for listener in self.sockets:
            listener.close()
        self._turn(0)
        now = time.monotonic()
        for connection in list(self._clients.waiting):
            if connection.idle or connection.draining:
                self._clients.end(connection)
            elif not connection.held_bytes:
                connection.idle, connection.deadline = True, now + _BEGINS_WITHIN_S
        until = now + self.cfg.graceful_timeout - 1
        while self._connections() and time.monotonic() < until:
            self._turn(0.1)
        self.tpool.shutdown(wait=False)

    # --- the loop: connections come and go

    def _accept_or_not(self) -> None:
        room = len(self._ready) + self._answering < self.worker_connections
        if room and not self._accepts:
            for listener in self.sockets:
                self.poller.register(listener, selectors.EVENT_READ, self._on_connection)
            self._accepts = True
        elif not room:
            self._accepts_no_more()

    def _accepts_no_more(self) -> None:
        if self._accepts:
            for listener in self.sockets:
                self.poller.unregister(listener)
            self._accepts = False

    def _connections(self) -> int:
        return len(self._clients.waiting) + len(self._ready) + self._answering

    def _on_connection(self, listener: Any) -> None:
        for _ in range(_ACCEPTED_AT_A_TIME):
            if not self._accept(listener):
                break
        if (over := self._connections() - self.worker_connections) > 0:
            self._clients.make_room(over)

    def _accept(self, listener: Any) -> bool:
        """Takes the next connection; whether there was one."""
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                self._scarce.tell(
                    logging.ERROR, f"no connection can be taken at present: {error.strerror}; raise LimitNOFILE="
                )
                self._accepts_no_more()
                time.sleep(0.1)
            return False  # nobody waits any more, or whoever did has gone
        try:
            connection = Connection(sock, client, listener.getsockname(), self._tls)
        except OSError:
            sock.close()
        else:
            self._clients.wait_for_data(connection)
        return True

    def _on_data(self, connection: Connection) -> None:
        try:
            data = connection.read()
        except OSError as error:
            _log.debug("a connection of %s ended: %s", connection.client[0], error)
            self._clients.end(connection)
            return
        if data is None:
            return
        if not data:
            self._clients.end(connection)
        elif not connection.draining:
            if connection.idle:
                connection.idle = False
                connection.deadline = time.monotonic() + ARRIVES_WITHIN_S
            connection.arrival.feed(data)
            self._on_more(connection)
            self._clients.read(len(data))

    def _on_more(self, connection: Connection) -> None:
        """Hands on the request if it is whole."""
        try:
            whole = connection.arrival.take()
        except Unfit as why:
            _log.debug("%s sent what is no request: %s", connection.client[0], why)
            connection.say(why.status, why.message, why.code)
            self._clients.drain(connection)
            return
        if whole is not None and not self._ready.put(connection, whole, time.monotonic()):
            self._clients.send_away(connection)
        elif whole is not None:
            self._clients.let_go(connection)
            self._start_answering()
        elif connection.arrival.waits:
            connection.arrival.waits = False
            with contextlib.suppress(OSError):
                connection.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _start_answering(self) -> None:
        while self._ready and self._answering < self.cfg.threads:
            connection, whole = self._ready.take()
            self._answering += 1
            self.tpool.submit(self._answer, connection, whole)

    def _on_wake(self, pipe: int) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(pipe, 4096)

    def _take_back(self) -> None:
        while self._answered:
            connection = self._answered.popleft()
            self._answering -= 1
            if connection.left:
                self._clients.wait_for_room(connection)
            else:
                self._go_on(connection)
        self._start_answering()

    def _on_room(self, connection: Connection) -> None:
        """Sends on: who takes an answer slowly holds no thread."""
        try:
            if not connection.write():
                return
        except OSError as error:
            _log.debug("%s did not take its answer: %s", connection.client[0], error)
            self._clients.end(connection)
            return
        self._clients.let_go(connection)
        self._go_on(connection)

    def _go_on(self, connection: Connection) -> None:
        """With what comes after an answer."""
        if connection.draining:
            self._clients.wait_for_data(connection)
            self._clients.drain(connection)
        elif connection.keeps:
            connection.idle = not len(connection.arrival)
            idle_s = IDLE_S if self.alive else _BEGINS_WITHIN_S
            connection.deadline = time.monotonic() + (idle_s if connection.idle else ARRIVES_WITHIN_S)
            self._clients.wait_for_data(connection)
            self._on_more(connection)
        else:
            connection.close()

    def _give_up(self, now: float) -> None:
        self._clients.end_late(now)
        for connection in self._ready.take_late(now):
            self._clients.wait_for_data(connection)
            self._clients.send_away(connection)
        self._clients.tell(self.cfg.threads, self.worker_connections)

    # --- a thread of the pool

    def _answer(self, connection: Connection, whole: Whole) -> None:
        connection.keeps, connection.draining = False, whole.is_cut
        try:
            request = next(http.RequestParser(self.cfg, [whole.data], connection.client))
            answering = Answering(connection)
            connection.keeps = self.handle_request(request, answering)
            connection.left = bytes(answering.written)
            connection.write()
        except (errors.ParseException, errors.NoMoreData, StopIteration) as error:
            # Without its text, which shows what was sent.
            _log.debug("%s sent what is no request: %s", connection.client[0], type(error).__name__)
            connection.say(400, "This is no HTTP request that can be answered", "bad-request")
            connection.draining = True
        except OSError as error:
            connection.keeps, connection.draining, connection.left = False, False, b""
            _log.debug("%s did not take its answer: %s", connection.client[0], error)
        except Exception:  # noqa: BLE001 (one request's fault ends no other's connection)
            _log.exception("nobody foresaw this; please report it")
            connection.say(500, "Something broke within the broker", "unforeseen")
            connection.draining = True
        finally:
            self._answered.append(connection)
            with contextlib.suppress(BlockingIOError):
                os.write(self.PIPE[1], b".")
