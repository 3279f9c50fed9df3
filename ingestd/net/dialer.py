"""From a ws(s):// URL to an open WebSocket: DNS, TCP, TLS, opening handshake, each under a deadline.

Runs in an attempt's own thread. `Cancel` ends it from outside: the socket it is busy with is shut down.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from ingestd.core.ingest_session import check_ws_url
from ingestd.errors import ChannelClosed, ChannelError
from ingestd.net import stream

CONNECT_S: Final = (1.0, 2.0, 3.0)
"""One TCP connect, round by round: a fresh one instead of the kernel's doubling waits, but time for a long way."""
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
    proxy_url: str | None = field(default=None, repr=False)
    """May hold a password."""

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
                sock = self.tls.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
                cancel.watch(sock)  # before the handshake: `wrap_socket` took the descriptor from the old object
                sock.do_handshake()
            _upgrade(sock, ws_url, deadline_s)
            cancel.watch(None)
            return stream.Stream(sock)
        except TimeoutError:
            sock.close()
            raise ChannelError(f"{host}:{port} did not finish the handshake in time") from None
        except (OSError, ValueError) as error:  # ValueError: a host name that TLS can't ask for
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
        for most_s in CONNECT_S:
            for family, kind, proto, _name, address in addresses:
                try:
                    sock = socket.socket(family, kind, proto)
                except OSError as error:  # a name may have IPv6 addresses where the kernel has none
                    last = error
                    continue
                try:
                    cancel.watch(sock)
                    stream.prepare(sock)
                    sock.settimeout(_left(deadline_s, most_s, "connect"))
                    sock.connect(address)
                    if via is not None:
                        _tunnel(sock, host, port, via, min(deadline_s, time.monotonic() + HANDSHAKE_S))
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


def _tunnel(sock: socket.socket, host: str, port: int, via: SplitResult, deadline_s: float) -> None:
    """HTTP CONNECT (RFC 9110 §9.3.6) through an open connection to the proxy."""
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {name} HTTP/1.1", f"Host: {name}"]
    if via.username is not None:
        login = f"{unquote(via.username)}:{unquote(via.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(login.encode()).decode('ascii')}")
    sock.settimeout(_left(deadline_s, HANDSHAKE_S, "proxy"))
    sock.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii"))
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        sock.settimeout(_in_time(deadline_s))
        byte = sock.recv(1)  # one at a time: what follows belongs to TLS
        if not byte or len(answer) > 8192:
            raise ChannelError("the proxy closed the connection or sent no HTTP answer; check backend.proxy")
        answer += byte
    status = answer.split(b" ", 2)[1:2]
    if status != [b"200"]:
        shown = status[0].decode("ascii", "replace") if status else "nothing"
        raise ChannelError(f"the proxy answered {shown} to CONNECT {name}; check backend.proxy")


def _in_time(deadline_s: float) -> float:
    left = deadline_s - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


class _BoundedSocket:
    """What websocket-client gets to see of the socket: a deadline and a budget over the whole handshake."""

    def __init__(self, sock: socket.socket, deadline_s: float) -> None:
        self._sock = sock
        self._deadline_s = deadline_s
        self._head = bytearray()

    def recv(self, size: int) -> bytes:
        if self._head.endswith(b"\r\n\r\n"):
            # Only a refusal has a body. websocket-client would collect it, of whatever size and however slow.
            raise ChannelError(self.refusal() or "the server sent no HTTP answer")
        if len(self._head) + size > _MAX_HANDSHAKE_BYTES:
            raise ChannelError(f"the server's handshake is over {_MAX_HANDSHAKE_BYTES} bytes")
        self._sock.settimeout(_in_time(self._deadline_s))
        data = self._sock.recv(size)
        self._head += data
        return data

    def refusal(self) -> str | None:
        """What to say where the server answered by another status than 101."""
        status = bytes(self._head[:64]).split(b" ", 2)[1:2]
        if not status or not status[0][:3].isdigit() or status[0][:3] == b"101":
            return None
        return f"the server refused the WebSocket with HTTP status {status[0][:3].decode('ascii')}"

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
    except websocket.WebSocketTimeoutException:
        raise TimeoutError from None
    except websocket.WebSocketConnectionClosedException:
        raise ChannelClosed("the server closed the connection during the handshake") from None
    except (ChannelError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - a stranger's bytes make it fall over in more ways than it documents
        # Its texts can hold the URL, and with it the `ref`.
        raise ChannelError(bounded.refusal() or f"the WebSocket handshake failed: {type(error).__name__}") from None
    finally:
        client.sock = None
    if refusal := bounded.refusal():
        raise ChannelError(refusal)  # websocket-client 1.8 takes a redirect that it was not to follow for success
