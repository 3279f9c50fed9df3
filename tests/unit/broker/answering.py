"""A service by hand: answers every request of a kept-alive connection as a test says."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable

from tests.unit.peers import read_request

SESSION_URL = "wss://ingest.example/videosdk?ref=vs_1"


def http(status: str, body: bytes, *headers: str) -> bytes:
    """An answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def good(*headers: str) -> bytes:
    """A session."""
    return http(
        "200 OK", json.dumps({"data": {"wsUrl": SESSION_URL, "callId": "c", "expiresIn": 90}}).encode(), *headers
    )


class Answering:
    """Answers all requests alike, on one connection after another, and keeps what it was asked."""

    def __init__(self, answer: bytes, before: Callable[[int], bool] = lambda _number: True) -> None:
        """`before` is asked with each request's number, from 1 on; False closes the connection instead of an answer."""
        self._answer = answer
        self._before = before
        self.heads: list[bytes] = []
        self.bodies: list[bytes] = []

    def __call__(self, sock: socket.socket) -> None:
        while True:
            head, body = read_request(sock)
            self.heads.append(head)
            self.bodies.append(body)
            if not self._before(len(self.heads)):
                return
            sock.sendall(self._answer)
