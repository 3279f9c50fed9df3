"""The other end of a connection, written by hand: what it sends and what it takes is up to each test."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha1
from typing import Generic, TypeVar

import trustme

from tests.rig.free_port import free_port
from tests.rig.process import wait_until

T = TypeVar("T")

GUARD_S = 20.0
"""What a test waits at most for something that ought to happen at once."""
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Task(Generic[T]):
    """A function in a thread of its own; `result` gives what it returned or raises what it raised."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._results: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._results.append(self._function())
        except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
            self._error = error

    def result(self, timeout_s: float = GUARD_S) -> T:
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), f"still running after {timeout_s} s"
        if self._error is not None:
            raise self._error
        return self._results[0]


def server_frame(opcode: int, payload: bytes = b"", *, fin: bool = True, first: int = 0) -> bytes:
    """One unmasked frame; `first` sets more bits of the first byte."""
    head = bytes([(0x80 if fin else 0) | opcode | first])
    if len(payload) < 126:
        head += bytes([len(payload)])
    elif len(payload) < 65536:
        head += b"\x7e" + struct.pack(">H", len(payload))
    else:
        head += b"\x7f" + struct.pack(">Q", len(payload))
    return head + payload


def text(value: str) -> bytes:
    """A text message from the server."""
    return server_frame(0x1, value.encode())


def close(code: int, reason: str = "") -> bytes:
    """A close frame from the server."""
    return server_frame(0x8, struct.pack(">H", code) + reason.encode())


class Peer:
    """The server's end of an open WebSocket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(GUARD_S)
        self.sock = sock

    def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self.sock.sendall(data)

    def frame(self) -> tuple[int, bytes]:
        """(opcode, payload) of the next frame, which the client must have masked. EOFError at the end."""
        first, second = self._exactly(2)
        assert first & 0xF0 == 0x80, "a client frame is whole and without reserved bits"
        assert second & 0x80, "a client frame is masked"
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", self._exactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self._exactly(8))
        key = self._exactly(4)
        payload = bytes(byte ^ key[n % 4] for n, byte in enumerate(self._exactly(size)))
        return first & 0x0F, payload

    def frames(self) -> list[tuple[int, bytes]]:
        """All frames up to the end of the stream."""
        out = []
        with contextlib.suppress(EOFError, ConnectionResetError):
            while True:
                out.append(self.frame())
        return out

    def _exactly(self, size: int) -> bytes:
        out = b""
        while len(out) < size:
            data = self.sock.recv(size - len(out))
            if not data:
                raise EOFError
            out += data
        return out

    def close(self) -> None:
        self.sock.close()


def read_head(sock: socket.socket) -> bytes:
    """An HTTP head up to its empty line."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        if not byte:
            raise EOFError
        head += byte
    return head


def header(head: bytes, name: str) -> str | None:
    """A header of an HTTP head."""
    for line in head.decode("latin-1").split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name.lower():
            return value.strip()
    return None


def read_request(sock: socket.socket) -> tuple[bytes, bytes]:
    """An HTTP request: head and body, by its Content-Length."""
    head = read_head(sock)
    left = int(header(head, "Content-Length") or 0)
    body = b""
    while len(body) < left:
        body += sock.recv(left - len(body))
    return head, body


def accept_upgrade(sock: socket.socket) -> bytes:
    """The server's half of the opening handshake; returns the request."""
    head = read_head(sock)
    key = header(head, "Sec-WebSocket-Key") or ""
    accept = b64encode(sha1(f"{key}{_GUID}".encode()).digest())
    sock.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )
    return head


@dataclass
class Server:
    """What `serving` gives: where it listens, who came, and what went wrong in a handler."""

    address: str
    port: int
    clients: list[tuple[str, int]] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    @property
    def connections(self) -> int:
        """Those that were let in so far, by a thread of their own."""
        return len(self.clients)

    def came(self) -> int:
        """How many connections were made before, let in or not: one of the test's own behind them is waited for."""
        with socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET) as last:
            last.connect((self.address, self.port))
            name = last.getsockname()[:2]
            wait_until(lambda: name in self.clients, GUARD_S, "all to be let in")
        self.clients.remove(name)
        return len(self.clients)


@contextlib.contextmanager
def serving(
    handler: Callable[[socket.socket], None], tls: ssl.SSLContext | None = None, address: str = "127.0.0.1"
) -> Iterator[Server]:
    """A server on this machine that gives each connection to `handler`, in a thread, and closes it after.

    An end of the connection is no error in a handler; a failed assertion is, and fails the test at exit.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # After its end, too, nobody else gets the port: some then look for nobody there, or serve there again.
    listener = socket.create_server((address, free_port()), family=family)
    server = Server(address, listener.getsockname()[1])
    open_socks: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(sock: socket.socket) -> None:
        try:
            sock.settimeout(GUARD_S)
            if tls is not None:
                sock = tls.wrap_socket(sock, server_side=True)
                open_socks.append(sock)
            handler(sock)
        except (OSError, EOFError):
            pass
        except BaseException as error:  # noqa: BLE001 - raised in the test's own thread
            server.errors.append(error)
        finally:
            sock.close()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, client = listener.accept()
                server.clients.append(client[:2])
                open_socks.append(sock)
                threads.append(threading.Thread(target=serve, args=(sock,), daemon=True))
                threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(GUARD_S)
        for sock in open_socks:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in threads:
            thread.join(GUARD_S)
            assert not thread.is_alive(), "a server thread hangs"
    if server.errors:
        raise server.errors[0]


def until_closed(sock: socket.socket) -> None:
    """A handler's last step: waits for the client to go."""
    while sock.recv(65536):
        pass


def server_tls(ca: trustme.CA, *names: str, **options: object) -> ssl.SSLContext:
    """A server's TLS with a certificate of `ca`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*(names or ("127.0.0.1", "localhost")), **options).configure_cert(context)  # type: ignore[arg-type]
    return context


def client_tls(ca: trustme.CA | None) -> ssl.SSLContext:
    """A client's TLS that trusts `ca` and verifies."""
    context = ssl.create_default_context()
    if ca is not None:
        ca.configure_trust(context)
    return context


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a TCP connection over loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname(), timeout=GUARD_S)
        far, _ = listener.accept()
    far.settimeout(GUARD_S)
    return near, far


def tls_pair(ca: trustme.CA, context: ssl.SSLContext | None = None) -> tuple[ssl.SSLSocket, ssl.SSLSocket]:
    """Two ends of a TLS connection over loopback: (client, server); `context` is the client's."""
    near, far = tcp_pair()
    server = Task(lambda: server_tls(ca).wrap_socket(far, server_side=True))
    client = (context or client_tls(ca)).wrap_socket(near, server_hostname="localhost")
    return client, server.result()
