"""The kinds of values that name something on the network."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from ingestd.config.faults import Refused
from ingestd.config.kind import Scalar, text_of
from ingestd.config.secret import Secret
from ingestd.config.tree import Leaf
from ingestd.core.ingest_session import is_loopback

_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?")


class Address(NamedTuple):
    """Where to listen: fits `socket.bind`."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class ServiceUrl(Scalar[str]):
    """An https:// URL, or an http:// one to this machine. Faults don't show it: queries hold keys."""

    expected = "an https:// URL (http:// only to this machine: localhost, 127.0.0.0/8, [::1])"

    def of(self, leaf: Leaf) -> str:
        url = text_of(leaf, self.expected, private=True)
        parts = _split(url, self.expected)
        if "@" in parts.netloc:
            raise Refused(
                "has a user or password in it; take that out, the token has a file of its own"
            )
        if "#" in url:
            raise Refused("has a # part, which is never sent; remove it")
        if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise Refused("would send the token in the clear: http:// is only for this machine; use https://")
        return url


class ProxyUrl(Scalar[Secret]):
    """The URL of an HTTP proxy. It may hold a password, so it is kept as a secret."""

    expected = "the URL of a proxy, like http://proxy.example:3128"

    def of(self, leaf: Leaf) -> Secret:
        url = text_of(leaf, self.expected, private=True)
        parts = _split(url, self.expected)
        if parts.scheme != "http":
            raise Refused("is a proxy that is spoken to over TLS, which ingestd can't; give one by http://")
        if parts.path not in ("", "/") or "?" in url or "#" in url:
            raise Refused(f"has something after the host; give {self.expected}")
        return Secret(url)


class ListenAddress(Scalar[Address]):
    """HOST:PORT to listen on."""

    expected = "HOST:PORT, like 127.0.0.1:9465 or '[::1]:9465'"

    def of(self, leaf: Leaf) -> Address:
        text = text_of(leaf, self.expected)
        host, colon, port = text.rpartition(":")
        if not colon or not host:
            raise Refused(f"is {leaf}, without a {'host' if colon else 'port'}; give {self.expected}")
        if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65535):
            raise Refused(f"is {leaf}; its port must be a number from 1 to 65535: give {self.expected}")
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        if (":" in bare and (bare == host or not _is_ipv6(bare))) or (
            ":" not in bare and not _HOST_NAME.fullmatch(bare)
        ):
            raise Refused(f"is {leaf}, with a host that can't be; give {self.expected}")
        return Address(bare, int(port))


def _is_ipv6(text: str) -> bool:
    try:
        return ip_address(text).version == 6
    except ValueError:
        return False


def _split(url: str, expected: str) -> SplitResult:
    """The parts of an absolute http or https URL. Raises `Refused`, without showing the URL."""
    if any(character <= " " or character == "\x7f" or character == "\\" for character in url):
        raise Refused("has a space, a backslash or a control character in it; remove that")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused(f"has a host or port that can't be; give {expected}") from None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise Refused(f"does not begin with https:// or http://; give {expected}")
    if not parts.hostname or port == 0:
        raise Refused(f"has no host, or port 0; give {expected}")
    return parts
