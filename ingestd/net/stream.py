"""One connected socket that a sending and a receiving thread may use at once, plain or TLS.

An OpenSSL connection may be used by one thread at a time; doing otherwise broke 25 of 1000 connections with
BAD_RECORD_MAC. So every SSL_read and SSL_write runs under one lock. The socket is non-blocking: nobody ever
waits while holding it, and neither direction can keep the other from moving.
"""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import sys
import termios
import threading
from typing import TYPE_CHECKING, Final

from ingestd.errors import ChannelClosed
from ingestd.net.route import UsedRoute
from ingestd.net.tls_loaded import tls_loaded

if TYPE_CHECKING:
    import ssl

_READ_BYTES: Final = 16384
_MAX_TEXT_CHARS: Final = 200
_NOTSENT_LOWAT_BYTES: Final = 4096
_USER_TIMEOUT_MS: Final = 12_000
_SIOCOUTQ: Final = termios.TIOCOUTQ  # the same number: bytes sent and not acknowledged, or not yet sent
_RECORD_BYTES: Final = 96
"""Head, explicit nonce, padding and tag of a TLS record, of any cipher that OpenSSL has, with room to spare."""
_RST_ON_CLOSE: Final = struct.pack("ii", 1, 0)
_TCP_NOTSENT_LOWAT: Final = getattr(socket, "TCP_NOTSENT_LOWAT", 25)


def prepare(sock: socket.socket) -> None:
    """Sets what a call needs of TCP: no Nagle, stale audio kept out of kernel buffers, a bound on dead peers."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, _NOTSENT_LOWAT_BYTES)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


class Stream:
    """Owns `sock` from here on. One thread may write and one may read; `abort` belongs to any."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._tls: ssl.SSLSocket | None = None
        self._not_now: tuple[type[OSError], ...] = (BlockingIOError,)
        if tls_loaded():
            import ssl

            if isinstance(sock, ssl.SSLSocket):
                self._tls = sock
                self._not_now = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
        self._lock = threading.Lock()
        self._buffered = self._tls is not None and self._tls.pending() > 0
        self.record_bytes = 0 if self._tls is None else _RECORD_BYTES
        """What a write adds on the wire, at most."""
        self._fd = sock.fileno()
        self._route = UsedRoute(sock)

    def fileno(self) -> int:
        """For `poll`; -1 once closed."""
        return self._sock.fileno()

    def read(self) -> bytes | None:
        """What has come in, at most 16 KiB; None where there is nothing. Raises ChannelClosed at the end."""
        try:
            if self._tls is None:
                data = self._sock.recv(_READ_BYTES)
            else:
                with self._lock:
                    data = self._tls.read(_READ_BYTES)  # what `recv` does, with one layer less
                    # A short read has emptied OpenSSL's record.
                    self._buffered = len(data) == _READ_BYTES and self._tls.pending() > 0
        except self._not_now:
            self._buffered = False
            return None
        except (OSError, ValueError) as error:
            raise ChannelClosed(f"the connection was lost while receiving: {describe(error)}") from error
        if not data:
            raise ChannelClosed("the server closed the connection without a close frame")
        return data

    def has_buffered(self) -> bool:
        """True where TLS holds decrypted bytes that `poll` can't see. Reading thread."""
        return self._buffered

    def write(self, data: bytes | memoryview) -> int:
        """Sends what fits now, 0 to len(data) bytes. After 0 the next call must bring the very same bytes:

        OpenSSL has them half encrypted, and silently sends the old ones whatever it is given. Raises ChannelClosed.
        """
        try:
            if self._tls is None:
                return self._sock.send(data)
            with self._lock:
                return self._tls.send(data)
        except self._not_now:
            return 0
        except (OSError, ValueError) as error:
            raise ChannelClosed(f"the connection was lost while sending: {describe(error)}") from error

    def unacknowledged_bytes(self) -> int:
        """Bytes handed to the kernel that the peer has not acknowledged. Writing thread. Raises ChannelClosed."""
        try:
            return int.from_bytes(fcntl.ioctl(self._fd, _SIOCOUTQ, bytes(4)), sys.byteorder)
        except OSError as error:
            raise ChannelClosed(f"the connection was lost: {describe(error)}") from error

    def route_changed(self) -> bool:
        """True where the kernel would reach the peer from another address or by another interface now.

        Never waits; works on a closed stream too. One thread at a time.
        """
        return self._route.changed()

    def shutdown(self) -> None:
        """Ends both directions at once: whoever polls or reads the socket wakes. Any thread; never blocks."""
        with contextlib.suppress(OSError):
            # Not SSLSocket.shutdown, which would drop the TLS state under the other thread's feet.
            socket.socket.shutdown(self._sock, socket.SHUT_RDWR)

    def abort(self) -> None:
        """Makes `close` send RST: what the peer has not read yet is thrown away. Any thread."""
        with contextlib.suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)

    def close(self) -> None:
        """Gives the descriptor back. Only when neither thread uses the stream any more."""
        with contextlib.suppress(OSError):
            self._sock.close()


def describe(error: BaseException) -> str:
    """An OS or TLS error in one line without its Python dressing."""
    if tls_loaded():
        import ssl

        if isinstance(error, ssl.SSLCertVerificationError):
            return f"certificate refused: {error.verify_message}"
        if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return "the other side closed it without a word"  # OpenSSL's own text blames a protocol
        if isinstance(error, ssl.SSLError):
            return (error.reason or str(error)).replace("_", " ").lower()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    # Of a library's text only what fits in a line: it can hold whatever the peer sent.
    text = "".join(char if char.isprintable() else " " for char in str(error)[:_MAX_TEXT_CHARS])
    return " ".join(text.split()) or type(error).__name__


def printable(text: str, secret: str = "") -> str:
    """A stranger's text for one line of a log, without the secret."""
    if secret:
        text = text.replace(secret, "<ref>")
    return "".join(char if char.isprintable() else "?" for char in text)
