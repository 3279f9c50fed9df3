"""An HTTP proxy with a login, which lets through, refuses by any status, or keeps silent."""

from __future__ import annotations

import base64
import contextlib
import socket
import threading

LOGIN = ("device", "gl0wing-emb3rs")
"""Name and password that it wants."""
_TIMEOUT_S = 30.0


class HttpProxy:
    """CONNECT (RFC 9110 §9.3.6) on a free port of loopback; a thread for each connection. Use as a context manager."""

    def __init__(self) -> None:
        self.answer: int | None = 200
        """What CONNECT is answered with, where the login is right; None keeps the client waiting. Any thread."""
        self.only_to: int | None = None
        """The port for which `answer` holds; to others it lets through. None: for all."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._serve, name="http-proxy", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """For `backend.proxy`, login and all."""
        return f"http://{LOGIN[0]}:{LOGIN[1]}@127.0.0.1:{self.port}"

    def close(self) -> None:
        """Ends it, and whatever goes through it."""
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(client)
            threading.Thread(target=self._take, args=(client,), daemon=True).start()

    def _take(self, client: socket.socket) -> None:
        client.settimeout(_TIMEOUT_S)
        try:
            with client, contextlib.suppress(OSError):
                self._connect(client)
        finally:
            self._open.discard(client)

    def _connect(self, client: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (data := client.recv(4096)):
                return
            head += data
        port = int(head.split(b" ")[1].rpartition(b":")[2])
        answer = self.answer if self.only_to in (None, port) else 200
        if base64.b64encode(":".join(LOGIN).encode()) not in head:
            answer = 407
        if answer is None:
            client.recv(1)  # until it has had enough
        elif answer == 200:
            self._let_through(client, port)
        else:
            client.sendall(f"HTTP/1.1 {answer} No\r\nContent-Length: 0\r\n\r\n".encode())

    def _let_through(self, client: socket.socket, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), _TIMEOUT_S) as far:
            self._open.add(far)
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(far, client), daemon=True)
            back.start()
            _pump(client, far)
            back.join(_TIMEOUT_S)
            self._open.discard(far)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
