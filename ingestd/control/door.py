"""Lets clients in at the control socket: those who may, as many as there is room for."""

from __future__ import annotations

import contextlib
import math
import selectors
import socket
from typing import Final

from ingestd.control import protocol
from ingestd.control.listener import Listener
from ingestd.control.peers import Peers, peer_of
from ingestd.control.protocol import RpcError

MAX_CLIENTS: Final = 32
_EACH_ROUND: Final = 8
_SHUT_S: Final = 0.1


class Door:
    """Registers the listener with a selector. Control thread."""

    def __init__(self, listener: Listener, selector: selectors.BaseSelector) -> None:
        """Open."""
        self._listener = listener
        self._selector = selector
        self._peers = Peers(listener.gid)
        self.due_s = 0.0
        """When `step` is to open it; infinite while it is open (CLOCK_MONOTONIC seconds)."""
        self.refused = 0
        """Clients that were turned away. Any thread."""

    def step(self, now: float) -> None:
        """Opens it again where it was shut for a while (CLOCK_MONOTONIC seconds)."""
        if now >= self.due_s:
            self._selector.register(self._listener.sock, selectors.EVENT_READ)
            self.due_s = math.inf

    def is_knocked_at(self, key: selectors.SelectorKey) -> bool:
        """What the selector gave is the listener."""
        return key.fileobj is self._listener.sock

    def accept(self, now: float, clients: int) -> list[socket.socket]:
        """Some of those who wait, where there are so many clients already; none of their sockets blocks."""
        welcome: list[socket.socket] = []
        for _ in range(_EACH_ROUND):
            try:
                sock, _ = self._listener.sock.accept()
            except BlockingIOError:
                break
            except OSError:
                # Out of descriptors. Not at once again: the listener stays readable.
                self._selector.unregister(self._listener.sock)
                self.due_s = now + _SHUT_S
                break
            sock.setblocking(False)
            try:
                self._peers.check(peer_of(sock))
                if clients + len(welcome) >= MAX_CLIENTS:
                    raise RpcError(protocol.UNAVAILABLE, f"{MAX_CLIENTS} clients are the most; hang up with one")
            except (RpcError, OSError) as error:
                self._turn_away(sock, error)
            else:
                welcome.append(sock)
        return welcome

    def _turn_away(self, sock: socket.socket, error: RpcError | OSError) -> None:
        self.refused += 1
        if isinstance(error, RpcError):
            with contextlib.suppress(OSError):
                sock.send(protocol.encode_error(None, error))
        sock.close()
