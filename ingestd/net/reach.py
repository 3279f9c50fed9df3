"""From a host and a port to a socket that speaks to it: proxy, TCP and TLS, for the session request and the call."""

from __future__ import annotations

import contextlib
import math
import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from ingestd.core.times import Times
from ingestd.errors import CertificateError, ChannelClosed, ChannelError, ProxyRefused
from ingestd.net import stream
from ingestd.net.cancel import Cancel
from ingestd.net.connect import connect
from ingestd.net.proxies import Proxy, proxy_for, tunnel
from ingestd.net.resolve import Address, resolve
from ingestd.net.stalls import Stalls
from ingestd.net.tls import secure

if TYPE_CHECKING:
    import ssl

DOUBTED_TLS_S: Final = 1.5
"""The TLS handshake over IPv6 where there is IPv4 too, so that together with connecting it costs less than 2 s."""


def reach(
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    proxy_url: str | None,
    cancel: Cancel,
    deadline_s: float,
    times: Times,
    stalls: Stalls,
) -> socket.socket:
    """A socket that the caller owns, verified by `tls` unless that is None, by `deadline_s` (CLOCK_MONOTONIC).

    `proxy_url` is the configured proxy; without one the environment's is taken. Raises CertificateError, ProxyRefused,
    ChannelClosed where cancelled, ChannelError for all else; then nothing is left open.
    """
    way = _Way(host, port, proxy_for(host, port, proxy_url), tls, cancel, deadline_s, times)
    found = way.addresses()
    ipv4 = [address for address in found if address[0] == socket.AF_INET]
    if ipv4 and stalls.lately(way.first_host, time.monotonic()):
        try:
            return way.spoken(way.connected(ipv4))
        except (ChannelError, TimeoutError) as error:
            stalls.forget(way.first_host)
            raise (way.late() if isinstance(error, TimeoutError) else error) from None
    sock = way.connected(found)
    doubted = bool(ipv4) and sock.family == socket.AF_INET6
    try:
        return way.spoken(sock, DOUBTED_TLS_S if doubted else math.inf)
    except TimeoutError:
        if not doubted:
            raise way.late() from None
    # A tunnel that swallows large packets lets the connection come to be, and no certificate through.
    try:
        sock = way.spoken(way.connected(ipv4))
    except (CertificateError, ChannelClosed, ProxyRefused):
        raise
    except (ChannelError, TimeoutError):
        raise way.late() from None
    stalls.note(way.first_host, time.monotonic())
    return sock


class _Way(NamedTuple):
    host: str
    port: int
    proxy: Proxy | None
    tls: ssl.SSLContext | None
    cancel: Cancel
    deadline_s: float
    times: Times

    @property
    def first_host(self) -> str:
        """The host to connect to: the proxy, where there is one."""
        return (self.proxy or self).host

    def addresses(self) -> list[Address]:
        """Those of that host."""
        with self._naming_the_proxy():
            return resolve(self.first_host, (self.proxy or self).port, self.cancel, self.deadline_s, self.times)

    def connected(self, found: list[Address]) -> socket.socket:
        """A connection to that host, by one of these addresses."""
        with self._naming_the_proxy():
            to = self.proxy or self
            return connect(to.host, to.port, found, self.cancel, self.deadline_s, self.times)

    def spoken(self, sock: socket.socket, tls_s: float = math.inf) -> socket.socket:
        """`sock` with tunnel and TLS; closed where that fails. Raises TimeoutError where TLS stalls.

        TLS has `tls_s`, and no more than it ever has.
        """
        try:
            with self.cancel.watching(sock):
                if self.proxy is not None:
                    tunnel(sock, self.host, self.port, self.proxy, self._within(self.times.upgrade_s))
                if self.tls is not None:
                    sock = secure(sock, self.tls, self.host, self.port, self._within(min(tls_s, self.times.tls_s)))
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

    def late(self) -> ChannelError:
        """What to tell where TLS has stalled."""
        return ChannelError(f"{self.host}:{self.port} did not finish the TLS handshake in time; check the network")

    @contextlib.contextmanager
    def _naming_the_proxy(self) -> Iterator[None]:
        """Whoever can't reach the proxy is told where it was configured."""
        try:
            yield
        except ChannelClosed:
            raise
        except ChannelError as error:
            if self.proxy is None:
                raise
            raise ChannelError(f"{error}, and {self.proxy.named}, the proxy's URL") from None
