"""A small real HTTP proxy."""

from __future__ import annotations

import socket
import threading

from tests.unit.peers import GUARD_S, read_head


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Tunnel:
    """CONNECTs to wherever it is asked to, or to that port of this machine, and keeps what it was asked."""

    def __init__(self, port: int | None = None) -> None:
        self.heads: list[bytes] = []
        self._port = port

    def __call__(self, sock: socket.socket) -> None:
        head = read_head(sock)
        self.heads.append(head)
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        where = (host, int(port)) if self._port is None else ("127.0.0.1", self._port)
        with socket.create_connection(where, GUARD_S) as far:
            sock.sendall(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
            back = threading.Thread(target=pump, args=(far, sock), daemon=True)
            back.start()
            pump(sock, far)
            back.join(GUARD_S)
