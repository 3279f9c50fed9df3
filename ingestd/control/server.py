"""The control thread: serves local programs on a Unix socket, and waits for none of them."""

from __future__ import annotations

import contextlib
import os
import selectors
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final

from ingestd.control import protocol
from ingestd.control.connection import MAX_OPEN_REQUESTS, PATIENCE_S, Connection
from ingestd.control.door import Door
from ingestd.control.listener import Listener
from ingestd.control.news import NewsQueue
from ingestd.control.protocol import RpcError
from ingestd.control.subscriptions import Subscriptions
from ingestd.core.duty import Duty
from ingestd.system.journal import LOG
from ingestd.threads.mailbox import Mailbox
from ingestd.threads.worker import Worker

_WATCHED_S: Final = 0.1
"""How often it looks around while a client waits for something, or keeps it waiting;"""
_IDLE_S: Final = 2.0
"""and how often else, where nothing wakes it: ten rounds a second cost 1.6 ms of processor time. Within what the
watchdog allows (`ingestd.health`)."""
_NEWS_EACH_ROUND: Final = 128

Method = Callable[[Mapping[str, Any]], Any]
"""Takes the params; raises RpcError. A Future is answered once it is done, by whatever thread; the others go on."""


class ControlThread(Worker):
    """Serves the control socket: requests, and news of what happens.

    It goes round: each time one line of every client is served, so that none crowds out another; and it rests as `Duty`
    says, so that no flood crowds out the call.
    """

    name = "control"

    def __init__(
        self,
        listener: Listener,
        methods: Mapping[str, Method],
        mailbox: Mailbox,
        subscriptions: Subscriptions,
        chore: Callable[[float], None] = lambda _now: None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """`methods`: name → function of the params. `subscriptions` hears which topics the clients listen to.

        `chore` is done each time round, some times a second while a request is open. `patience_s`: shortened by tests.
        """
        super().__init__(mailbox)
        self._subscriptions = subscriptions
        self._chore = chore
        self._patience_s = patience_s
        self._listener = listener
        self._methods = methods
        self._selector = selectors.DefaultSelector()
        self._door = Door(listener, self._selector)
        self._clients: dict[int, Connection] = {}
        self._busy: set[Connection] = set()  # with a whole line that waits for its turn
        self._listened_to: frozenset[str] = frozenset()  # replaced whole: any thread may look
        self._news = NewsQueue()
        self._news_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._duty = Duty()
        self.cut_off = 0
        """Clients that were disconnected for not reading, or for lines without end."""
        self.dropped = 0
        """Requests without an id that came to nothing, of which nobody was told."""

    @property
    def figures(self) -> dict[str, int]:
        """What the status shows of this thread. Any thread."""
        return {
            "clients": len(self._clients),
            "cut_off": self.cut_off,
            "refused": self._door.refused,
            "missed": self._news.missed,
            "dropped": self.dropped,
        }

    def publish(self, method: str, params: dict[str, Any]) -> None:
        """Tells the clients that something happened. Any thread; never blocks."""
        topic = params["topic"] if method == "message" else None
        if topic is None or topic in self._listened_to:  # else it would only be encoded
            self._news.put(topic, protocol.encode_notification(method, params), always=method == "state")
            self.wake()

    def wake(self) -> None:
        """Has it look around: something has changed that it is not told of. Any thread; never blocks."""
        os.eventfd_write(self._news_fd, 1)

    def stop(self) -> None:
        """See `Worker`."""
        super().stop()
        self.wake()

    def run_until_stopped(self) -> None:
        """See `Worker`."""
        self._selector.register(self._news_fd, selectors.EVENT_READ)
        try:
            while not self._stopping.is_set():
                cpu_s = time.thread_time()
                ready = self._selector.select(self._rest_s(time.monotonic()))
                began_s = self.progress_s = time.monotonic()
                self._go_round(ready, began_s)
                now = time.monotonic()
                # By the clock too, as what it has other threads do counts, and how busy they are.
                worked_s = max(now - began_s, time.thread_time() - cpu_s)
                if pause_s := self._duty.pause_s(now, worked_s):
                    self._stopping.wait(pause_s)
            self._chore(time.monotonic())  # what can't be done any more is answered so
            self._answer_late()
        finally:
            for client in list(self._clients.values()):
                self._drop(client)
            self._selector.close()
            self._listener.close()

    def _rest_s(self, now: float) -> float:
        """How long there is nothing to do, unless something wakes it."""
        if self._busy:
            return 0.0
        look_s = _WATCHED_S if any(client.is_in_between for client in self._clients.values()) else _IDLE_S
        return max(0.0, min(now + look_s, self._door.due_s, self._subscriptions.due_s) - now)

    def _go_round(self, ready: list[tuple[selectors.SelectorKey, int]], now: float) -> None:
        self._chore(now)
        self._subscriptions.step(now)
        self._door.step(now)
        for key, events in ready:
            if self._door.is_knocked_at(key):
                for sock in self._door.accept(now, len(self._clients)):
                    self._clients[sock.fileno()] = Connection(sock)
                    self._selector.register(sock, selectors.EVENT_READ)
            elif key.fd == self._news_fd:
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self._news_fd)
                self._answer_late()
            elif (client := self._clients.get(key.fd)) is not None:
                self._attend(client, events)
        self._tell_news()
        for client in tuple(self._busy):
            self._serve(client)
        for client in tuple(self._clients.values()):
            if client.is_done:
                self._drop(client)
            elif client.is_deaf(now, self._patience_s):
                self.cut_off += 1
                self._drop(client)
            elif client.is_stuck_in_a_line(now, self._patience_s):
                self._cut_off(client, f"a line is to be complete within {self._patience_s:g} s")

    def _attend(self, client: Connection, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self._flush(client)
        if events & selectors.EVENT_READ and not client.is_gone and client.takes_more:
            if not client.receive() or client.is_done:
                self._drop(client)
            elif client.has_ended:
                self._listen(client, set())
        if not client.is_gone:
            self._look_at(client)

    def _look_at(self, client: Connection) -> None:
        """What it sent, and has read, decides whether it gets its turn."""
        self._watch(client)
        if client.may_be_served:
            self._busy.add(client)
            return
        self._busy.discard(client)
        if client.is_line_too_long:
            self._cut_off(client, f"{protocol.MAX_LINE_BYTES} bytes are the most in a line")

    def _serve(self, client: Connection) -> None:
        line = client.take_line()
        if line.strip():
            self._send(client, self._answer(client, line))
        if not client.is_gone:
            self._look_at(client)

    def _answer(self, client: Connection, line: bytes) -> bytes:
        try:
            request = protocol.parse_request(line)
        except RpcError as error:
            return protocol.encode_error(error.request_id, error)
        result = Future[Any]()
        try:
            answer = self._call(client, request)
        except Exception as error:  # noqa: BLE001 - one question of one program must not end the call
            result.set_exception(error)
        else:
            if isinstance(answer, Future):
                client.open.append((request, answer))
                answer.add_done_callback(lambda _answer: self.wake())
                return b""
            result.set_result(answer)
        return self._encoded(request, result)

    def _answer_late(self) -> None:
        for client in tuple(self._clients.values()):
            done = [one for one in client.open if one[1].done()]
            client.open = [one for one in client.open if one not in done]
            for request, answer in done:
                self._send(client, self._encoded(request, answer))
            if done and not client.is_gone:
                self._look_at(client)

    def _encoded(self, request: protocol.Request, answer: Future[Any]) -> bytes:
        """The line that answers a request whose future is done; none where it wants no answer."""
        error = answer.exception()
        if error is not None and not isinstance(error, RpcError):
            LOG.error("a control method failed; please report this", exc_info=error)
            error = RpcError(protocol.INTERNAL_ERROR, f"{type(error).__name__} in ingestd; see its journal")
        if request.is_notification:
            self.dropped += error is not None
            return b""
        if error is not None:
            return protocol.encode_error(request.id, error)
        return protocol.encode_result(request.id, answer.result())

    def _call(self, client: Connection, request: protocol.Request) -> Any:
        method = self._methods.get(request.method)
        if method is None:
            raise RpcError(protocol.METHOD_NOT_FOUND, f"there is no method {request.method[:64]!r}")
        # The status may be asked for all the same: it says what they wait for, and never waits itself.
        if len(client.open) >= MAX_OPEN_REQUESTS and request.method != "status":
            hint = f"{MAX_OPEN_REQUESTS} requests of this connection wait for their answer already; wait for one"
            raise RpcError(protocol.UNAVAILABLE, hint)
        result = method(request.params)
        if request.method == "subscribe":
            self._listen(client, client.topics | {request.params["topic"]})
        elif request.method == "unsubscribe":
            self._listen(client, client.topics - {request.params["topic"]})
        return result

    def _listen(self, client: Connection, topics: set[str]) -> None:
        if topics != client.topics:
            client.topics = topics
            self._listened_to = frozenset[str]().union(*(other.topics for other in self._clients.values()))
            self._subscriptions.want(self._listened_to, time.monotonic())

    def _tell_news(self) -> None:
        for _ in range(_NEWS_EACH_ROUND):
            if (news := self._news.take()) is None:
                return
            for client in tuple(self._clients.values()):
                if news.topic in client.topics or (news.topic is None and not client.has_ended):
                    self._send(client, news.line)
        self.wake()

    def _send(self, client: Connection, data: bytes) -> None:
        if not data or client.is_gone:
            return
        waits = client.has_unread  # until the selector says so
        client.tell(data)
        if waits:
            self._watch(client)
        else:
            self._flush(client)

    def _flush(self, client: Connection) -> None:
        if client.flush():
            self._watch(client)
        else:
            self._drop(client)

    def _watch(self, client: Connection) -> None:
        """The selector tells of what can be done now, and of nothing else, or the thread would spin."""
        writes = selectors.EVENT_WRITE if client.has_unread else 0
        reads = client.takes_more or client.may_be_served  # what came already is served first
        wanted = writes | selectors.EVENT_READ if reads else writes
        key = self._selector.get_map().get(client.sock)
        if key is None and wanted:
            self._selector.register(client.sock, wanted)
        elif key is not None and not wanted:
            self._selector.unregister(client.sock)
        elif key is not None and wanted != key.events:
            self._selector.modify(client.sock, wanted)

    def _cut_off(self, client: Connection, why: str) -> None:
        self.cut_off += 1
        self._send(client, protocol.encode_error(None, RpcError(protocol.INVALID_REQUEST, why)))
        self._drop(client)

    def _drop(self, client: Connection) -> None:
        if client.is_gone:
            return
        del self._clients[client.sock.fileno()]
        self._busy.discard(client)
        if client.sock in self._selector.get_map():
            self._selector.unregister(client.sock)
        client.sock.close()
        if client.topics:
            self._listen(client, set())
