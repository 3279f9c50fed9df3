"""From a ws(s):// URL to an open WebSocket: a connection (`net.reach`), then the opening handshake (RFC 6455 §4).

Runs in an attempt's own thread; `Cancel` ends it from outside.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ingestd.core.ingest_session import check_ws_url
from ingestd.core.retry_after import retry_after_s
from ingestd.core.times import DEFAULT, Times
from ingestd.errors import ChannelClosed, ChannelError, UpgradeRefused
from ingestd.net import stream
from ingestd.net.alerts import sending
from ingestd.net.cancel import Cancel
from ingestd.net.deadline import left_s
from ingestd.net.reach import reach
from ingestd.net.stalls import Stalls
from ingestd.net.tls import certificate_fault

if TYPE_CHECKING:
    import ssl

_MAX_HANDSHAKE_BYTES: Final = 32768


class Dialer:
    """Opens connections. One thread at a time."""

    def __init__(
        self, tls: Callable[[], ssl.SSLContext], proxy_url: str | None = None, times: Times = DEFAULT
    ) -> None:
        """`tls` gives what verifies, asked for every connection (`net.tls_files`), and raises BackendError.

        `proxy_url` may hold a password. Without one the environment's is taken.
        """
        self._tls = tls
        self._proxy_url = proxy_url
        self._times = times
        self._stalls = Stalls()

    def open(self, ws_url: str, cancel: Cancel, deadline_s: float) -> stream.Stream:
        """An open WebSocket at `ws_url` by `deadline_s` (CLOCK_MONOTONIC).

        Raises CertificateError, ProxyRefused, UpgradeRefused, ChannelClosed where cancelled, ChannelError for all
        else, none with the URL, and then leaves nothing open; BackendError for a URL that must not be used.
        """
        check_ws_url(ws_url)
        parts = urlsplit(ws_url)
        host = parts.hostname or ""
        secure = parts.scheme == "wss"
        port = parts.port or (443 if secure else 80)
        if deadline_s <= time.monotonic():
            raise ChannelError("no time left to connect: the session expires before it can be claimed")
        tls = self._tls() if secure else None
        sock = reach(host, port, tls, self._proxy_url, cancel, deadline_s, self._times, self._stalls)
        try:
            with cancel.watching(sock):
                _upgrade(sock, ws_url, min(deadline_s, time.monotonic() + self._times.upgrade_s))
            return stream.Stream(sock)
        except BaseException as error:
            sock.close()
            cancel.check()
            if isinstance(error, TimeoutError):
                raise ChannelError(f"{host}:{port} did not finish the WebSocket handshake in time") from None
            if isinstance(error, OSError):
                told = f"the WebSocket handshake with {host}:{port} failed: {stream.describe(error)}"
                raise certificate_fault(error, host) or ChannelError(told) from None
            raise


class _BoundedSocket:
    """What websocket-client gets to see of the socket: a deadline and a budget over the whole handshake."""

    def __init__(self, sock: socket.socket, deadline_s: float) -> None:
        self._sock = sock
        self._deadline_s = deadline_s
        self._head = bytearray()

    def recv(self, size: int) -> bytes:
        if self._head.endswith(b"\r\n\r\n"):
            # Only a refusal has a body. websocket-client would collect it, of whatever size and however slow.
            raise self.refusal() or ChannelError("the server sent no HTTP answer")
        if len(self._head) + size > _MAX_HANDSHAKE_BYTES:
            raise ChannelError(f"the server's handshake is over {_MAX_HANDSHAKE_BYTES} bytes")
        self._sock.settimeout(left_s(self._deadline_s))
        data = self._sock.recv(size)
        self._head += data
        return data

    def refusal(self) -> UpgradeRefused | None:
        """What to raise where the server answered by another status than 101."""
        status = bytes(self._head[:64]).split(b" ", 2)[1:2]
        if not status or not status[0][:3].isdigit() or status[0][:3] == b"101":
            return None
        code = int(status[0][:3])
        wait_s = retry_after_s(self._header("retry-after"), self._header("date"))
        return UpgradeRefused(f"the server refused the WebSocket with HTTP status {code}", code, wait_s)

    def _header(self, name: str) -> str | None:
        for line in self._head.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name:
                return value.strip()
        return None

    def send(self, data: bytes) -> int:
        self._sock.settimeout(left_s(self._deadline_s))
        with sending(self._sock):
            return self._sock.send(data)

    def gettimeout(self) -> float:
        """For websocket-client, which never waits by it: every call here has its own."""
        return 1.0

    def settimeout(self, timeout: float | None) -> None:
        """websocket-client would set a time-out a call; the deadline here is over all of them."""

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        """The dialer closes."""


def _upgrade(sock: socket.socket, ws_url: str, deadline_s: float) -> None:
    # Imported here: it takes time that a device should spend opening its microphone.
    from ingestd.net.opening import opening

    library = opening()
    bounded = _BoundedSocket(sock, deadline_s)
    try:
        library.shake_hands(bounded, ws_url)
    except library.timed_out:
        raise TimeoutError from None
    except library.closed:
        raise ChannelClosed("the server closed the connection during the WebSocket handshake") from None
    except (ChannelError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 - a stranger's bytes make it fall over in more ways than it documents
        # Its texts can hold the URL, and with it the `ref`.
        raise bounded.refusal() or ChannelError(f"the WebSocket handshake failed: {type(error).__name__}") from None
    if refusal := bounded.refusal():
        raise refusal  # it takes a redirect for success
