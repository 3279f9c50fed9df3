"""A local program that means harm to the control socket: `python -m tests.rig.control_attacker SOCKET`.

It takes `NAME SECONDS TIMES` a line on its standard input, attacks that way for at least that long and so often at full
speed, and prints a JSON line: when it began and ended (CLOCK_MONOTONIC seconds) and how often it did what it does.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.rig.process import end, spawn

_REPO: Final = Path(__file__).resolve().parents[2]
Attack = Generator[int, None, None]
"""Each step yields how often it did what it does."""

_PIECE: Final = b"x" * 65536
_TIMEOUT_S: Final = 5.0
WITHIN_S: Final = 20.0
"""No attack lasts longer."""
DEAF_SUBSCRIBERS: Final = 4
CROWD: Final = 40
"""Connections; 32 are the most that are served."""

MALFORMED: Final = (
    b"hello",
    b"{",
    b"\xff\xfe",
    b"[]",
    b"null",
    b"[" * 60_000,
    b'{"a":' * 10_000,
    b'{"jsonrpc":"2.0","method":"publish","params":{"topic":"T","data":' + b"[" * 900 + b"]" * 900 + b'},"id":1}',
    b'{"jsonrpc":"2.0","method":"status","id":' + b"9" * 60_000 + b"}",
    b'{"jsonrpc":"2.0","method":"gain","params":{"capture_db":1e999},"id":1}',
    b'{"jsonrpc":"2.0","method":"status","id":1,"id":2}',
    b'{"jsonrpc":"2.0","method":"publish","params":{"topic":"T","data":NaN},"id":1}',
    b'{"jsonrpc":"2.0","method":"' + b"m" * 60_000 + b'","id":1}',
    b'{"jsonrpc":"2.0","method":"status","params":[' + b"1," * 30_000 + b'1],"id":1}',
    b'{"jsonrpc":"2.0","method":"subscribe","params":{"topic":"\\ud800\\u001b[2J"},"id":1}',
    b'[{"jsonrpc":"2.0","method":"status","id":1}]',
)


def _connect(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(path)  # without a time-out, as one that has any does not wait for its place in the queue
    sock.settimeout(_TIMEOUT_S)
    return sock


def _request(method: str, params: str = "{}") -> bytes:
    return f'{{"jsonrpc":"2.0","method":"{method}","params":{params},"id":1}}\n'.encode()


def _ask(path: str, lines: Iterator[bytes]) -> Attack:
    """Line after line as fast as they are answered."""
    with _connect(path) as sock:
        for line in lines:
            sock.sendall(line)
            sock.recv(262_144)
            yield 1


def malformed(path: str) -> Attack:
    """What is no request, and what comes close to one."""
    return _ask(path, itertools.cycle([line + b"\n" for line in MALFORMED]))


def statuses(path: str) -> Attack:
    """The most work for the shortest request."""
    return _ask(path, itertools.repeat(_request("status")))


def many_statuses(path: str) -> Attack:
    """The same from as many clients as there may be, each with more requests on the way than are answered."""
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(_connect(path)) for _ in range(24)]
        while True:
            for sock in socks:
                sock.sendall(_request("status") * 4)
                yield 4
            for sock in socks:
                sock.recv(262_144)


def publishes(path: str) -> Attack:
    """Messages by the hundred, with and without an answer wanted."""
    silent = b'{"jsonrpc":"2.0","method":"publish","params":{"topic":"FLOOD","data":"x"}}\n'
    with _connect(path) as sock:
        while True:
            sock.sendall(silent * 50 + _request("publish", '{"topic":"FLOOD","data":"x"}') * 50)
            sock.recv(262_144)
            yield 100


def topics(path: str) -> Attack:
    """Topics that change all the time."""
    names = (f'{{"topic":"flood {number}"}}' for number in itertools.count())
    return _ask(path, (_request(word, name) for name in names for word in ("subscribe", "unsubscribe")))


def reloads(path: str) -> Attack:
    """What the supervisor works longest at."""
    return _ask(path, itertools.repeat(_request("reload")))


def connects(path: str) -> Attack:
    """Comes and goes without a word."""
    while True:
        _connect(path).close()
        yield 1


def storms(path: str) -> Attack:
    """As many at once as the socket's queue takes, each with half a line, and gone."""
    while True:
        with contextlib.ExitStack() as stack:
            for _ in range(60):
                sock = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                sock.setblocking(False)
                with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                    sock.connect(path)
                    sock.sendall(b'{"jsonrpc":')
                yield 1


def crowds(path: str) -> Attack:
    """More at once than there is room for, each until it was let in or sent away."""
    while True:
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(_connect(path)) for _ in range(CROWD)]
            for sock in socks:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    sock.sendall(_request("status"))
                    sock.recv(262_144)
        yield CROWD


def half_lines(path: str) -> Attack:
    """Holds connections with a line that never ends, a byte at a time."""
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(_connect(path)) for _ in range(24)]
        while True:
            for sock in socks:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    sock.sendall(b"x")
                yield 1
            time.sleep(0.001)


def huge_lines(path: str) -> Attack:
    """One line without end, sent on over a new connection whenever it is cut off; yields bytes."""
    while True:
        with _connect(path) as sock, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while True:
                yield sock.send(_PIECE)


def deaf(path: str) -> Attack:
    """Ask and ask, and never read."""
    gone = (BlockingIOError, BrokenPipeError, ConnectionResetError)
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(_connect(path)) for _ in range(16)]
        for sock in socks:
            sock.setblocking(False)
        while True:
            for sock in socks:
                with contextlib.suppress(*gone):
                    sock.sendall(_request("status") * 10)
                yield 10


def half_closers(path: str) -> Attack:
    """Ask, say that this was all, and hang up: every second one without hearing its answers."""
    gone = (BrokenPipeError, ConnectionResetError)
    while True:
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(_connect(path)) for _ in range(16)]
            for sock in socks:
                with contextlib.suppress(*gone):
                    sock.sendall(_request("publish", '{"topic":"FLOOD","data":"x"}') + _request("status") * 4)
                    sock.shutdown(socket.SHUT_WR)
            for sock in socks[::2]:
                with contextlib.suppress(*gone):
                    while sock.recv(262_144):
                        pass
            yield len(socks)


def deaf_subscribers(path: str) -> Attack:
    """Listen, and never read, until all are cut off; for who speaks in the room meanwhile. Yields who was cut off."""
    with contextlib.ExitStack() as stack:
        left = select.poll()
        for _ in range(DEAF_SUBSCRIBERS):
            sock = stack.enter_context(_connect(path))
            sock.sendall(_request("subscribe", '{"topic":"CHAT"}'))
            left.register(sock, 0)
        listening = DEAF_SUBSCRIBERS
        while listening:
            gone = left.poll(10)
            for descriptor, _ in gone:
                left.unregister(descriptor)
            listening -= len(gone)
            yield len(gone)


ATTACKS: Final[dict[str, Callable[[str], Attack]]] = {
    attack.__name__: attack
    for attack in (
        malformed,
        statuses,
        many_statuses,
        publishes,
        topics,
        reloads,
        connects,
        storms,
        crowds,
        half_lines,
        huge_lines,
        deaf,
        half_closers,
        deaf_subscribers,
    )
}


@dataclass(frozen=True)
class Attacked:
    """What one attack was."""

    began_s: float
    ended_s: float
    times: int
    fault: str
    """Why it could not go on; empty where it could."""


class Attacker:
    """That process: `with Attacker(socket) as attacker: attacker.attack("statuses", 2.0)`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.rig.control_attacker", str(self._path)]
        self._process = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, cwd=_REPO)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self._process)

    def attack(self, name: str, seconds: float, times: int = 0) -> Attacked:
        """Does that for so long at least, and so many times, and hangs up."""
        self.begin(name, seconds, times)
        return self.over()

    def begin(self, name: str, seconds: float, times: int = 0) -> None:
        """The same, without waiting for its end."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name} {seconds} {times}\n".encode())
        self._process.stdin.flush()

    def over(self) -> Attacked:
        """Waits for the end of what was begun."""
        assert self._process.stdout is not None
        return Attacked(**json.loads(self._process.stdout.readline()))


def _attack(path: str, name: str, seconds: float, times: int) -> Attacked:
    began_s, done, fault = time.monotonic(), 0, ""
    with contextlib.closing(ATTACKS[name](path)) as attack:
        try:
            for did in attack:
                done += did
                lasted_s = time.monotonic() - began_s
                if (done >= times and lasted_s >= seconds) or lasted_s >= WITHIN_S:
                    break
        except OSError as error:
            fault = repr(error)
    return Attacked(began_s, time.monotonic(), done, fault)


def main() -> None:
    """The process itself."""
    for line in sys.stdin:
        name, seconds, times = line.split()
        print(json.dumps(vars(_attack(sys.argv[1], name, float(seconds), int(times)))), flush=True)


if __name__ == "__main__":
    main()
