"""The way to the backend, step by step: name, connections, TLS, and the time it tells."""

from __future__ import annotations

import errno
import os
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ingestd.config.schema import Config
from ingestd.core.check import Check, Verdict, failed, ok, skipped, warning
from ingestd.core.remedies import advice
from ingestd.core.times import DEFAULT, Times
from ingestd.doctor.certificate import judged_certificate
from ingestd.doctor.clock import CLOCK, against_server
from ingestd.errors import BackendError, ChannelError
from ingestd.net.cancel import Cancel
from ingestd.net.connect import connect
from ingestd.net.exchange import ExchangeError, Request, exchange, host_header
from ingestd.net.proxies import Proxy, proxy_for
from ingestd.net.reach import reach
from ingestd.net.resolve import Address, resolve
from ingestd.net.stalls import Stalls
from ingestd.planning import proxy_url, tls_files, where

_TIMES: Final = Times(connect_rounds_s=(3.0,))
_MOST_ADDRESSES: Final = 8
_REACH_S: Final = 12.0
_ANSWER_S: Final = 5.0
_NO_IPV6: Final = {os.strerror(code) for code in (errno.ENETUNREACH, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)}

Opened = tuple[Address, float | str]
"""An address, and how long it took in seconds, or what went wrong."""


class BackendWay:
    """The steps, each of which needs the one before. `broken` names the one that failed. One thread."""

    def __init__(self, config: Config, config_path: Path, times: Times = _TIMES) -> None:
        parts = urlsplit(config.backend.url)
        self._config = config
        self._where = where(config, config_path)
        self._times = times
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._default_port = 443 if self._secure else 80
        self._port = parts.port or self._default_port
        self._proxy: Proxy | None = None
        self.broken: str | None = None

    def checks(self) -> Iterator[Check]:
        """DNS, TCP, TLS and the backend's clock, in order; what follows a failure is skipped."""
        check, found = self._names()
        yield check
        if not found:
            yield from self._broken_by(check, "TCP", "TLS", CLOCK)
            return
        check = self._connections(found)
        yield check
        if check.verdict is Verdict.FAILED:
            yield from self._broken_by(check, "TLS", CLOCK)
            return
        check, sock = self._tls()
        yield check
        if sock is None:
            yield from self._broken_by(check, CLOCK)
            return
        yield self._time(sock)

    def _broken_by(self, check: Check, *following: str) -> Iterator[Check]:
        self.broken = check.name
        return (skipped(name, f"not looked at, as {check.name} failed") for name in following)

    def _names(self) -> tuple[Check, list[Address]]:
        name = "DNS"
        try:
            self._proxy = proxy_for(self._host, self._port, proxy_url(self._config))
            to = self._proxy or self
            host, port = (to.host, to.port) if isinstance(to, Proxy) else (self._host, self._port)
            begun_s = time.monotonic()
            found = list(dict.fromkeys(resolve(host, port, Cancel(), begun_s + self._times.dns_s, self._times)))
        except ChannelError as error:
            remedy = advice(error, self._where).remedy if self._proxy is None else f"correct {self._proxy.named}"
            return failed(name, str(error), remedy), []
        took_ms = (time.monotonic() - begun_s) * 1000
        whose = f"the proxy {host} ({self._proxy.named})" if self._proxy else host
        names = [_name(address) for address in found]
        if names == [host]:
            return ok(name, f"{whose} is an address, so nobody has to be asked"), found
        return ok(name, f"{whose} is {', '.join(names)} ({took_ms:.0f} ms)"), found

    def _connections(self, found: list[Address]) -> Check:
        name, port = "TCP", found[0][1][1]
        opened = self._each(found[:_MOST_ADDRESSES])
        told = "; ".join(_told(address, result) for address, result in opened)
        good = [address for address, result in opened if isinstance(result, float)]
        if not good:
            remedy = "see whether it runs, on which port, and whether a firewall lets this device out"
            if self._proxy:
                remedy = f"see whether that proxy runs, and {self._proxy.named}"
            return failed(name, f"nothing answers on port {port}: {told}", remedy)
        bad = [result for _address, result in opened if isinstance(result, str) and result not in _NO_IPV6]
        if bad:
            remedy = "nothing to do for the call, as the others are taken; else see the network, often its IPv6"
            return warning(name, f"port {port}: {told}", remedy)
        return ok(name, f"port {port}: {told}")

    def _each(self, found: list[Address]) -> list[Opened]:
        """All of them at once: a machine with four broken addresses is not to wait four times."""
        results: queue.SimpleQueue[Opened] = queue.SimpleQueue()
        for address in found:
            threading.Thread(target=self._one, args=(address, results), name="doctor", daemon=True).start()
        told = dict(results.get() for _ in found)
        return [(address, told[address]) for address in found]

    def _one(self, address: Address, results: queue.SimpleQueue[Opened]) -> None:
        begun_s = time.monotonic()
        host, port = str(address[1][0]), int(address[1][1])
        try:
            connect(host, port, [address], Cancel(), begun_s + _REACH_S, self._times).close()
        except ChannelError as error:
            results.put((address, _reason(str(error), host, port)))
        else:
            results.put((address, time.monotonic() - begun_s))

    def _tls(self) -> tuple[Check, socket.socket | None]:
        name = "TLS"
        try:
            tls = tls_files(self._config).context() if self._secure else None
            deadline_s = time.monotonic() + _REACH_S
            url = proxy_url(self._config)
            sock = reach(self._host, self._port, tls, url, Cancel(), deadline_s, DEFAULT, Stalls())
        except (ChannelError, BackendError) as error:
            said = advice(error, self._where)
            return failed(name, f"{error}: {said.meaning}", said.remedy), None
        if not isinstance(sock, ssl.SSLSocket):
            return ok(name, "plain HTTP, which stays on this machine"), sock
        return judged_certificate(name, self._host, sock, time.time()), sock

    def _time(self, sock: socket.socket) -> Check:
        # Of a connection that is open already; without the token, and of the root, which creates nothing.
        try:
            named = host_header(self._host, self._port, self._default_port)
            request = Request("HEAD", named, "/", {"Connection": "close"})
            date = exchange(sock, time.monotonic() + _ANSWER_S, request, 0).headers.get("date")
        except (OSError, ExchangeError, ValueError):
            date = None
        finally:
            sock.close()
        return against_server(date, time.time(), self._host)


def _name(address: Address) -> str:
    return str(address[1][0])


def _told(address: Address, result: float | str) -> str:
    return f"{_name(address)} {f'{result * 1000:.0f} ms' if isinstance(result, float) else result}"


def _reason(told: str, host: str, port: int) -> str:
    """Of "can't connect to HOST:PORT: REASON; check the network" only the reason."""
    return told.removeprefix(f"can't connect to {host}:{port}: ").partition(";")[0]
