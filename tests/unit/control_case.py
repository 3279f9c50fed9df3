"""A control socket that is being served, and raw clients of it."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ingestd.control.call_methods import call_methods
from ingestd.control.connection import PATIENCE_S
from ingestd.control.listener import Listener
from ingestd.control.methods import methods
from ingestd.control.server import ControlThread
from ingestd.control.sound_methods import sound_methods
from ingestd.control.subscriptions import Subscriptions
from ingestd.core.level import Gain, Mute
from ingestd.core.outbox import Outbox
from ingestd.core.topics import TopicSet
from ingestd.net.channel import Channel
from ingestd.net.stream import Stream
from ingestd.system.sound_state import SoundState
from ingestd.threads.connections import Connections
from ingestd.threads.link_slot import LinkSlot
from ingestd.threads.mailbox import Mailbox, Request
from tests.unit.peers import GUARD_S

STATUS: dict[str, Any] = {"state": "streaming", "session": {"call_id": "c1", "rtt_ms": None}, "faults": []}


class Client:
    """A local program: writes bytes, reads lines."""

    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(GUARD_S)
        self.sock.connect(str(path))
        self._unread = b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def line(self) -> dict[str, Any]:
        """The next line; EOFError where the server hung up."""
        while b"\n" not in self._unread:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        value = json.loads(line)
        assert isinstance(value, dict)
        assert value["jsonrpc"] == "2.0"
        return value

    def ask(self, method: str, params: Any = None, request_id: Any = 1) -> dict[str, Any]:
        """The answer to one request."""
        request = {"jsonrpc": "2.0", "method": method, "params": params or {}, "id": request_id}
        self.send(json.dumps(request).encode() + b"\n")
        return self.line()

    def hung_up(self) -> bool:
        """Whether the server closed this connection; waits for it."""
        try:
            while self.sock.recv(65536):
                pass
        except ConnectionResetError:
            pass
        except TimeoutError:
            return False
        return True

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_error: object) -> None:
        self.sock.close()


class Room:
    """Whether the device is in it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        """Held by whoever sends, from the look at `is_open` until the message is gone."""
        self.is_open = True

    def set(self) -> None:
        with self.lock:
            self.is_open = True

    def clear(self) -> None:
        """Nothing goes out once this has returned."""
        with self.lock:
            self.is_open = False


@dataclass
class Control:
    """A running control thread with the daemon's own methods, and the link that they post to."""

    path: Path
    thread: ControlThread
    mailbox: Mailbox
    connections: Connections
    outbox: Outbox
    topics: TopicSet
    capture: Gain
    playback: Gain
    mute: Mute

    asked: list[tuple[Request, str | None]]
    """What the supervisor was asked to do."""
    said: list[Mapping[str, Any]]
    """What was published, as the room gets it."""
    in_the_room: Room
    """While it is set, messages go out."""

    @property
    def link(self) -> Channel | None:
        """The one that carries the call."""
        return cast(Channel | None, self.connections.carrying)

    def client(self) -> Client:
        return Client(self.path)

    def words(self) -> list[Mapping[str, Any]]:
        """What was subscribed to and unsubscribed from, as the room gets it."""
        assert self.link is not None
        return [json.loads(text) for text in tuple(self.link._posted)]  # at once: another thread may post meanwhile


def clock_of(served: Control) -> int:
    """That of the control thread's own processor time."""
    return time.pthread_getcpuclockid(served.thread._thread.ident or 0)


def broken(params: Mapping[str, Any]) -> None:
    """A method with a bug."""
    raise KeyError(params)


@contextlib.contextmanager
def control(folder: Path, patience_s: float = PATIENCE_S) -> Iterator[Control]:
    """Serves a control socket; a thread that died or hangs fails the test."""
    near, far = socket.socketpair()
    outbox, said, in_the_room, over = Outbox(), list[Mapping[str, Any]](), Room(), threading.Event()

    def send() -> None:
        while not over.wait(0.001):
            with in_the_room.lock:
                if in_the_room.is_open and (message := outbox.take(time.monotonic())) is not None:
                    said.append(json.loads(message.text))
                    outbox.sent(message)

    path = folder / "control.sock"
    mailbox = Mailbox()
    served: list[Control] = []
    topics = TopicSet(["CHAT"])
    sound = Gain(), Gain(-3.0), Mute()
    gains = dict(zip(("capture_db", "playback_db"), sound[:2], strict=True))
    connections = Connections(LinkSlot(), LinkSlot(), 1.0, time.monotonic)
    connections.adopt(Channel(Stream(near), 1, "c1", topics.all()))
    asked: list[tuple[Request, str | None]] = []

    def ask(request: Request, ws_url: str | None) -> Future[str]:
        asked.append((request, ws_url))
        answer = Future[str]()
        answer.set_result(request.value)
        return answer

    calls = {
        **methods(lambda: dict(STATUS), outbox, topics, lambda: 100, 30.0),
        **sound_methods(SoundState([folder], gains, sound[2], lambda: {"capture_db": 0.0, "playback_db": -3.0})),
        **call_methods(ask),
    }
    thread = ControlThread(
        Listener(path),
        calls | {"broken": broken},
        mailbox,
        Subscriptions(topics, connections.all),
        chore=outbox.expire,
        patience_s=patience_s,
    )
    served.append(Control(path, thread, mailbox, connections, outbox, topics, *sound, asked, said, in_the_room))
    sender = threading.Thread(target=send)
    sender.start()
    thread.start()
    try:
        yield served[0]
        assert mailbox.take_all() == [], "the control thread died"
    finally:
        thread.stop()
        assert thread.join(GUARD_S)
        over.set()
        sender.join()
        near.close()
        far.close()
    assert not path.exists()
