"""From a host and a port to a socket that speaks to it: proxy, TCP and TLS, for the session request and the call."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass

from ingestd.core.times import DEFAULT, Times
from ingestd.errors import CertificateError, ChannelClosed, ChannelError, ProxyRefused
from ingestd.net import stream
from ingestd.net.cancel import Cancel
from ingestd.net.connect import FAMILIES, connect
from ingestd.net.proxies import Proxy, proxy_for, tunnel
from ingestd.net.tls import secure


def reach(
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    proxy_url: str | None,
    cancel: Cancel,
    deadline_s: float,
    times: Times = DEFAULT,
) -> socket.socket:
    """A socket that the caller owns, verified by `tls` unless that is None, by `deadline_s` (CLOCK_MONOTONIC).

    `proxy_url` is the configured proxy; without one the environment's is taken. Raises CertificateError, ProxyRefused,
    ChannelClosed where cancelled, ChannelError for all else; then nothing is left open.
    """
    way = _Way(host, port, proxy_for(host, port, proxy_url), tls, cancel, deadline_s, times)
    sock = way.connected()
    by_ipv6 = sock.family == socket.AF_INET6
    try:
        return way.spoken(sock)
    except TimeoutError:
        late = ChannelError(f"{host}:{port} did not finish the TLS handshake in time; check the network")
        if not by_ipv6:
            raise late from None
    # A tunnel that swallows large packets lets the connection come to be, and no certificate through.
    try:
        return way.spoken(way.connected((socket.AF_INET,)))
    except (CertificateError, ChannelClosed, ProxyRefused):
        raise
    except (ChannelError, TimeoutError):
        raise late from None


@dataclass(frozen=True, slots=True)
class _Way:
    host: str
    port: int
    proxy: Proxy | None
    tls: ssl.SSLContext | None
    cancel: Cancel
    deadline_s: float
    times: Times

    def connected(self, families: tuple[int, ...] = FAMILIES) -> socket.socket:
        """A connection to the host, or to the proxy before it."""
        to = self.proxy or self
        try:
            return connect(to.host, to.port, self.cancel, self.deadline_s, self.times, families)
        except ChannelClosed:
            raise
        except ChannelError as error:
            if self.proxy is None:
                raise
            raise ChannelError(f"{error}, and {self.proxy.named}, the proxy's URL") from None

    def spoken(self, sock: socket.socket) -> socket.socket:
        """`sock` with tunnel and TLS; closed where that fails. Raises TimeoutError where TLS stalls."""
        try:
            with self.cancel.watching(sock):
                if self.proxy is not None:
                    tunnel(sock, self.host, self.port, self.proxy, self._within(self.times.upgrade_s))
                if self.tls is not None:
                    sock = secure(sock, self.tls, self.host, self.port, self._within(self.times.tls_s))
        except BaseException as error:
            sock.close()
            self.cancel.check()
            if isinstance(error, OSError) and not isinstance(error, TimeoutError):
                to = self.proxy or self
                lost = f"the connection to {to.host}:{to.port} was lost: {stream.describe(error)}"
                raise ChannelError(f"{lost}; check the network") from None
            raise
        return sock

    def _within(self, most_s: float) -> float:
        return min(self.deadline_s, time.monotonic() + most_s)
