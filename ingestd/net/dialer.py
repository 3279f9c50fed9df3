"""From a ws(s):// URL to an open WebSocket: DNS, TCP, TLS, opening handshake, each under a deadline.

Runs in an attempt's own thread. `Cancel` ends it from outside: the socket it is busy with is shut down.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from ingestd.core.ingest_session import check_ws_url
from ingestd.errors import ChannelClosed, ChannelError
from ingestd.net import stream

CONNECT_S: Final = 1.0
"""One TCP connect. A lost SYN is repeated by a fresh connect at once, not by the kernel's doubling waits."""
CONNECT_ROUNDS: Final = 3
HANDSHAKE_S: Final = 5.0
_MAX_HANDSHAKE_BYTES: Final = 32768


class Cancel:
    """Lets another thread end an attempt at once. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self.requested = False

    def cancel(self) -> None:
        """Wakes whoever is busy with the socket being watched; what comes later is refused."""
        with self._lock:
            self.requested = True
            if self._sock is not None:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def watch(self, sock: socket.socket | None) -> None:
        """`sock` is what `cancel` would shut down from now on. Raises ChannelClosed where it was called before."""
        with self._lock:
            self._sock = sock
            if self.requested:
                raise ChannelClosed("the attempt was abandoned")


@dataclass(frozen=True, slots=True)
class Dialer:
    """Opens connections. `tls` verifies; it is never made to do otherwise."""

    tls: ssl.SSLContext
    proxy_url: str | None = None

    def open(self, ws_url: str, cancel: Cancel, deadline_s: float) -> stream.Stream:
        """An open WebSocket at `ws_url` by `deadline_s` (CLOCK_MONOTONIC). Raises ChannelError, without the URL."""
        check_ws_url(ws_url)
        parts = urlsplit(ws_url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "wss" else 80)
        sock = self._connect(host, port, cancel, deadline_s)
        try:
            cancel.watch(sock)
            if parts.scheme == "wss":
                sock.settimeout(_left(deadline_s, HANDSHAKE_S, "TLS handshake"))
                sock = self.tls.wrap_socket(sock, server_hostname=host)
                cancel.watch(sock)
            _upgrade(sock, ws_url, deadline_s)
            cancel.watch(None)
            return stream.Stream(sock)
        except TimeoutError:
            sock.close()
            raise ChannelError(f"{host}:{port} did not finish the handshake in time") from None
        except (OSError, ValueError) as error:
            sock.close()
            raise ChannelError(f"handshake with {host}:{port} failed: {stream.describe(error)}") from error
        except ChannelError:
            sock.close()
            raise

    def _connect(self, host: str, port: int, cancel: Cancel, deadline_s: float) -> socket.socket:
        via = urlsplit(self.proxy_url) if self.proxy_url else None
        target = (via.hostname or "", via.port or 8080) if via else (host, port)
        try:
            addresses = socket.getaddrinfo(*target, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            reason = stream.describe(error)
            raise ChannelError(f"can't resolve {target[0]}: {reason}; check the network and DNS") from None
        last: BaseException = TimeoutError("timed out")
        for _ in range(CONNECT_ROUNDS):
            for family, kind, proto, _name, address in addresses:
                sock = socket.socket(family, kind, proto)
                try:
                    cancel.watch(sock)
                    stream.prepare(sock)
                    sock.settimeout(_left(deadline_s, CONNECT_S, "connect"))
                    sock.connect(address)
                    if via is not None:
                        sock.settimeout(_left(deadline_s, HANDSHAKE_S, "proxy"))
                        _tunnel(sock, host, port)
                except OSError as error:
                    sock.close()
                    last = error
                except ChannelError:
                    sock.close()
                    raise
                else:
                    return sock
            if not isinstance(last, TimeoutError):
                break  # refused or unreachable: asking again at once would tell the same
        raise ChannelError(f"can't connect to {target[0]}:{target[1]}: {stream.describe(last)}")


def _left(deadline_s: float, most_s: float, what: str) -> float:
    left = deadline_s - time.monotonic()
    if left <= 0:
        raise ChannelError(f"no time left for the {what}: the session expires before it can be claimed")
    return min(left, most_s)


def _tunnel(sock: socket.socket, host: str, port: int) -> None:
    """HTTP CONNECT (RFC 9110 §9.3.6) through an open connection to the proxy."""
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    sock.sendall(f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode("ascii"))
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)  # one at a time: what follows belongs to TLS
        if not byte or len(answer) > 8192:
            raise ChannelError("the proxy closed the connection or sent no HTTP answer; check backend.proxy")
        answer += byte
    status = answer.split(b" ", 2)[1:2]
    if status != [b"200"]:
        shown = status[0].decode("ascii", "replace") if status else "nothing"
        raise ChannelError(f"the proxy answered {shown} to CONNECT {name}; check backend.proxy")


class _BoundedSocket:
    """What websocket-client gets to see of the socket: a deadline and a budget over the whole handshake."""

    def __init__(self, sock: socket.socket, deadline_s: float) -> None:
        self._sock = sock
        self._deadline_s = deadline_s
        self._budget = _MAX_HANDSHAKE_BYTES

    def recv(self, size: int) -> bytes:
        self._budget -= size
        if self._budget < 0:
            raise ChannelError(f"the server's handshake is over {_MAX_HANDSHAKE_BYTES} bytes")
        self._sock.settimeout(_left(self._deadline_s, HANDSHAKE_S, "WebSocket handshake"))
        return self._sock.recv(size)

    def send(self, data: bytes) -> int:
        return self._sock.send(data)

    def gettimeout(self) -> float:
        return HANDSHAKE_S

    def settimeout(self, timeout: float | None) -> None:
        """websocket-client would set a time-out a call; the deadline here is over all of them."""

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        """The dialer closes."""


def _upgrade(sock: socket.socket, ws_url: str, deadline_s: float) -> None:
    # Imported here: it costs a tenth of a second that a device should spend opening its microphone.
    import websocket

    client: Any = websocket.WebSocket(skip_utf8_validation=True)
    bounded = _BoundedSocket(sock, min(deadline_s, time.monotonic() + HANDSHAKE_S))
    try:
        # redirect_limit=0: a redirect would be followed without our TLS, to wherever it says.
        client.connect(ws_url, socket=bounded, suppress_origin=True, redirect_limit=0, timeout=HANDSHAKE_S)
    except websocket.WebSocketBadStatusException as error:
        raise ChannelError(f"the server refused the WebSocket with HTTP status {error.status_code}") from None
    except websocket.WebSocketTimeoutException:
        raise TimeoutError from None
    except websocket.WebSocketConnectionClosedException:
        raise ChannelClosed("the server closed the connection during the handshake") from None
    except websocket.WebSocketException as error:
        # Its texts can hold the URL, and with it the `ref`.
        raise ChannelError(f"the WebSocket handshake failed: {type(error).__name__}") from None
    finally:
        client.sock = None
