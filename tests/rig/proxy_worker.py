"""The proxy's own process: `python -m tests.rig.proxy_worker OPTIONS`; commands come as JSON lines on stdin.

One thread, one selector. It ends when its standard input does, so it never outlives its test.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import selectors
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any

from tests.rig.proxy_flow import Flow, Shape

_IP_MINTTL = 21
_NO_PEER_HAS = 255  # hops to live; Linux sends with 64
_LINGER_RESET = struct.pack("ii", 1, 0)


def drop_packets(sock: socket.socket, drop: bool) -> None:
    """Has the kernel throw away every packet for this socket, unacknowledged, as a dead link would."""
    sock.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, _NO_PEER_HAS if drop else 0)


class Pair:
    """A client's connection and the one to the upstream that belongs to it."""

    def __init__(self, client: socket.socket, upstream: socket.socket) -> None:
        self.client = client
        self.upstream = upstream
        self.flows = {"up": Flow(client, upstream), "down": Flow(upstream, client)}

    def close(self, *, reset: bool) -> None:
        """Closes both; with `reset` each peer sees a RST."""
        for sock in (self.client, self.upstream):
            if reset:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
            sock.close()


class Proxy:
    """The event loop."""

    def __init__(self, upstream: tuple[str, int], listen: tuple[str, int], rcvbuf: int | None) -> None:
        self._upstream = upstream
        self._address = listen
        self._rcvbuf = rcvbuf
        self._selector = selectors.DefaultSelector()
        self._pairs: list[Pair] = []
        self._shapes = {"up": Shape(), "down": Shape()}
        self._dark = False
        self._cut_ends: float | None = None
        self._accepted = 0
        self._passed = {"up": 0, "down": 0}
        self._listener: socket.socket | None = None
        self._listen()

    # Commands, each named as in the message that asks for it.

    def restore(self) -> None:
        """Everything as if there were no proxy."""
        self._shapes = {"up": Shape(), "down": Shape()}
        self._cut_ends = None
        self._darken(False)
        if self._listener is None:
            self._listen()

    def shape(self, direction: str, seed: int | None = None, **changes: Any) -> None:
        """Disturbs one direction, or both."""
        for name in self._directions(direction):
            self._shapes[name] = Shape(**changes, random=random.Random(seed))

    def black_hole(self) -> None:
        """A dead link."""
        self._darken(True)

    def reset(self) -> None:
        """RST to everyone connected."""
        for pair in list(self._pairs):
            self._drop(pair, reset=True)

    def refuse(self) -> None:
        """New connections are refused."""
        if self._listener is not None:
            self._forget(self._listener)
            self._listener.close()
            self._listener = None

    def cut(self, seconds: float) -> None:
        """A black hole that ends by itself, with RST to those who were in it."""
        self._darken(True)
        self._cut_ends = time.monotonic() + seconds

    def stats(self) -> dict[str, int]:
        """Counters."""
        passed = self._passed.copy()
        for name, flow in self._flows():
            passed[name] += flow.passed
        return {"accepted": self._accepted, "active": len(self._pairs), **passed, "port": self._address[1]}

    # The loop.

    def run(self) -> None:
        """Serves until standard input ends."""
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
        self._answer({"ok": True, **self.stats()})
        while True:
            self._watch()
            ready = self._selector.select(self._timeout())
            for key, _ in ready:
                if key.fd == sys.stdin.fileno():
                    if not self._obey():
                        return
                elif self._listener is not None and key.fd == self._listener.fileno():
                    self._accept()
            now = time.monotonic()
            if self._cut_ends is not None and now >= self._cut_ends:
                self.reset()
                self.restore()
            if not self._dark:
                self._carry(now, {key.fd: mask for key, mask in ready})

    def _carry(self, now: float, ready: dict[int, int]) -> None:
        for pair in list(self._pairs):
            try:
                self._carry_pair(pair, now, ready)
            except OSError:
                self._drop(pair, reset=True)

    def _carry_pair(self, pair: Pair, now: float, ready: dict[int, int]) -> None:
        for name, flow in pair.flows.items():
            shape = self._shapes[name]
            if ready.get(flow.sink.fileno(), 0) & selectors.EVENT_WRITE:
                flow.blocked = False
            if ready.get(flow.source.fileno(), 0) & selectors.EVENT_READ and flow.wants_read(shape):
                flow.take(shape, now)
            if not flow.blocked and flow.give(shape, now):
                self._shapes[name].cut_after = None
                self._drop(pair, reset=True)
                return
        if all(flow.finished for flow in pair.flows.values()):
            self._drop(pair, reset=False)

    def _timeout(self) -> float | None:
        dues = [self._cut_ends]
        if not self._dark:
            dues += [flow.due(self._shapes[name]) for name, flow in self._flows()]
        known = [due for due in dues if due is not None]
        return max(0.0, min(known) - time.monotonic()) if known else None

    def _watch(self) -> None:
        """Asks the selector for exactly what can be used now."""
        for pair in self._pairs:
            wanted = {pair.client: 0, pair.upstream: 0}
            for name, flow in pair.flows.items():
                if not self._dark and flow.wants_read(self._shapes[name]):
                    wanted[flow.source] |= selectors.EVENT_READ
                if not self._dark and flow.blocked and not self._shapes[name].stalled:
                    wanted[flow.sink] |= selectors.EVENT_WRITE
            for sock, mask in wanted.items():
                self._want(sock, mask)

    def _want(self, sock: socket.socket, mask: int) -> None:
        known = self._selector.get_map().get(sock)
        if known is None and mask:
            self._selector.register(sock, mask)
        elif known is not None and not mask:
            self._selector.unregister(sock)
        elif known is not None and known.events != mask:
            self._selector.modify(sock, mask)

    def _forget(self, sock: socket.socket) -> None:
        self._want(sock, 0)

    # Connections.

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self._rcvbuf:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._rcvbuf)
        listener.bind(self._address)
        listener.listen(64)
        listener.setblocking(False)
        self._address = listener.getsockname()
        self._listener = listener
        self._selector.register(listener, selectors.EVENT_READ)
        drop_packets(listener, self._dark)

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        upstream = socket.socket()
        if self._rcvbuf:
            upstream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._rcvbuf)
        for sock in (client, upstream):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Under way it takes and gives nothing; if it fails, reading tells.
        upstream.connect_ex(self._upstream)
        self._accepted += 1
        self._pairs.append(Pair(client, upstream))

    def _flows(self) -> Iterator[tuple[str, Flow]]:
        return ((name, flow) for pair in self._pairs for name, flow in pair.flows.items())

    def _drop(self, pair: Pair, *, reset: bool) -> None:
        self._pairs.remove(pair)
        for name, flow in pair.flows.items():
            self._passed[name] += flow.passed
            self._forget(flow.source)
        pair.close(reset=reset)

    def _darken(self, dark: bool) -> None:
        self._dark = dark
        sockets = [sock for pair in self._pairs for sock in (pair.client, pair.upstream)]
        for sock in [*sockets, *([self._listener] if self._listener else [])]:
            drop_packets(sock, dark)

    @staticmethod
    def _directions(direction: str) -> tuple[str, ...]:
        return ("up", "down") if direction == "both" else (direction,)

    # The pipe.

    def _obey(self) -> bool:
        line = sys.stdin.buffer.readline()
        if not line:
            return False
        message = json.loads(line)
        result = getattr(self, message.pop("op"))(**message)
        self._answer({"ok": True, **(result or {})})
        return True

    @staticmethod
    def _answer(message: dict[str, Any]) -> None:
        os.write(sys.stdout.fileno(), json.dumps(message).encode() + b"\n")


def main() -> None:
    """Serves as told by the JSON object that is its only argument."""
    options = json.loads(sys.argv[1])
    Proxy(tuple(options["upstream"]), tuple(options["listen"]), options["rcvbuf"]).run()


if __name__ == "__main__":
    main()
