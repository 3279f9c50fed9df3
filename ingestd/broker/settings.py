"""Every key of the broker's configuration: type, default, bounds and meaning, each declared once."""

# ruff: noqa: RUF009 (`setting` and `group` make dataclass fields, as dataclasses.field does)

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from ingestd.config.compounds import ListOf, OrNull
from ingestd.config.faults import Faults, Refused
from ingestd.config.groups import REQUIRED, Group, group, setting, settings
from ingestd.config.kind import At, Scalar, text_of
from ingestd.config.layers import read_layers
from ingestd.config.scalars import AbsolutePath, Choice, Flag, Number, Text, WholeNumber
from ingestd.config.secret import Secret
from ingestd.config.tree import Leaf
from ingestd.config.web import Address, ListenAddress, ServiceUrl
from ingestd.core.ingest_session import is_loopback

DEFAULT_FILE = Path("/etc/ingestd-broker/broker.yaml")
_HEADER = re.compile("[A-Za-z0-9-]+")
_WRITTEN = "write one from /usr/share/doc/ingestd-broker/examples/broker.yaml"

Network = IPv4Network | IPv6Network
Field = Literal["room_id", "participant.id", "participant.name", "participant.metadata", "agent", "region"]


class NetworkKind(Scalar[Network]):
    """An address or a network."""

    expected = "an address or a network, like 127.0.0.1 or 10.0.0.0/8"

    def of(self, leaf: Leaf) -> Network:
        try:
            return ip_network(text_of(leaf, self.expected))
        except ValueError:
            raise Refused(f"is {leaf}; give {self.expected}") from None


class DatabaseUrl(Scalar[Secret]):
    """A database's URL. It may hold a password, so it is kept as a secret, and faults don't show it."""

    expected = "sqlite:////PATH or postgresql://USER@HOST/NAME"

    def of(self, leaf: Leaf) -> Secret:
        url = text_of(leaf, self.expected, private=True)
        if not url.startswith(("sqlite:////", "postgresql://")):
            raise Refused(f"is no URL of a database that is known; give {self.expected}")
        try:
            database = make_url(url).database or ""
        except (ArgumentError, ValueError):
            database = ""
        if not database or database.endswith("/"):
            raise Refused(f"is a URL that names no database; give {self.expected}")
        return Secret(url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """What the broker shows to devices."""

    cert_file: Path = setting(REQUIRED, "PEM file with the certificate and its chain.", AbsolutePath())
    key_file: Path = setting(REQUIRED, "PEM file with the private key, without a passphrase.", AbsolutePath())


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where requests come in."""

    address: Address = setting(
        Address("127.0.0.1", 8080), "HOST:PORT to listen on; beyond this machine with tls only.", ListenAddress()
    )
    tls: Tls | None = setting(None, "Certificate and key; null behind a proxy on this machine.", OrNull(Group(Tls)))
    workers: int = setting(1, "Processes.", WholeNumber(low=1, high=64, unit="processes"))
    threads: int = setting(32, "Requests a process serves at a time.", WholeNumber(low=4, high=256, unit="threads"))


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoSdk:
    """The service, and who the broker is there."""

    url: str = setting("https://api.videosdk.live", "Where the service's API begins, without /v2.", ServiceUrl())
    api_key: str | None = setting(None, "The account's API key, to mint tokens with.", OrNull(Text(longest=256)))
    api_secret_file: Path = setting(
        Path("/etc/ingestd-broker/api-secret"),
        "File with the account's API secret and nothing else.",
        AbsolutePath("the absolute path of the secret's file", private=True),
    )
    token_file: Path | None = setting(
        None,
        "File with a token to use instead of minted ones; read anew for every session.",
        OrNull(AbsolutePath("the absolute path of the token's file", private=True)),
    )
    auth_scheme: Literal["bearer", "raw"] = setting(
        "bearer",
        "How the token is sent: 'Authorization: Bearer TOKEN', or raw, the token alone.",
        Choice("bearer", "raw"),
    )
    token_lives_s: int = setting(
        600, "Seconds that a minted token is good for.", WholeNumber(low=120, high=86_400, unit="seconds")
    )
    timeout_s: float = setting(
        8.0, "Seconds that the service has for an answer; devices wait for 10.", Number(high=60, unit="seconds")
    )
    ca_file: Path | None = setting(
        None,
        "PEM file of the CA to trust instead of the system's; verification can't be turned off.",
        OrNull(AbsolutePath()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageSettings:
    """Where devices, sessions and events are kept."""

    url: Secret = setting(
        Secret("sqlite:////var/lib/ingestd-broker/broker.db"),
        "The database: sqlite:////PATH, or postgresql://USER@HOST/NAME for more than one broker.",
        DatabaseUrl(),
    )
    password_file: Path | None = setting(
        None,
        "File with PostgreSQL's password and nothing else.",
        OrNull(AbsolutePath("the absolute path of the password's file", private=True)),
    )
    keep_days: int = setting(90, "Days that sessions and events are kept.", WholeNumber(low=1, high=3650, unit="days"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Devices:
    """What devices may do."""

    may_set: tuple[Field, ...] = setting(
        ("participant.name", "participant.metadata"),
        "What a device's own request sets; of all else only the registry's value counts.",
        ListOf(
            Choice("room_id", "participant.id", "participant.name", "participant.metadata", "agent", "region"),
            "a list of room_id, participant.id, participant.name, participant.metadata, agent, region",
            unique=True,
        ),
    )
    sessions_per_minute: int = setting(
        12, "Sessions that one device gets at an even rate.", WholeNumber(low=1, high=600, unit="sessions")
    )
    burst: int = setting(
        10, "Sessions that it gets at once before that.", WholeNumber(low=1, high=600, unit="sessions")
    )
    make_rooms: bool = setting(False, "Have the service make the room of a device with a custom_room_id.", Flag())
    at_once: int = setting(
        20,
        "Sessions that a process asks the service for at a time, at most two thirds of listen.threads; who waits too "
        "long for a place is told to come again.",
        WholeNumber(low=1, high=250, unit="sessions"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy in front that has verified client certificates."""

    trusted: tuple[Network, ...] = setting(
        (),
        "Addresses and networks whose certificate_header is believed.",
        ListOf(NetworkKind(), "a list of networks", unique=True),
    )
    certificate_header: str | None = setting(
        None,
        "Header with the verified certificate's name, which the proxy always sets or removes.",
        OrNull(Text(longest=64)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Operators:
    """People and their monitoring."""

    key_file: Path | None = setting(
        Path("/etc/ingestd-broker/operator-key"),
        "File with the key for /v1/devices and /metrics; null to have neither.",
        OrNull(AbsolutePath("the absolute path of the key's file", private=True)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What goes to standard error, and so to the journal."""

    level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "The least that is told.", Choice("debug", "info", "warning", "error")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The whole configuration."""

    listen: Listen = group(Listen, "Where requests come in.")
    videosdk: VideoSdk = group(VideoSdk, "The service, and who the broker is there.")
    storage: StorageSettings = group(StorageSettings, "Where devices, sessions and events are kept.")
    devices: Devices = group(Devices, "What devices may do.")
    proxy: Proxy = group(Proxy, "A proxy in front that has verified client certificates.")
    operators: Operators = group(Operators, "People and their monitoring.")
    log: Log = group(Log, "What is told.")


def _problems(settings: Settings) -> Iterator[str]:
    videosdk, proxy = settings.videosdk, settings.proxy
    if videosdk.api_key is None and videosdk.token_file is None:
        yield "needs videosdk.api_key, with the secret in videosdk.api_secret_file; or videosdk.token_file"
    if videosdk.api_key is not None and videosdk.token_file is not None:
        yield "has both videosdk.api_key and videosdk.token_file; leave only one of them"
    if videosdk.url.rstrip("/").endswith("/v2"):
        yield "has /v2 at the end of videosdk.url; leave that out, the broker adds it"
    if settings.listen.tls is None and not is_loopback(settings.listen.address.host):
        yield "listens beyond this machine in the clear; give listen.tls, or listen on 127.0.0.1 behind a proxy"
    if proxy.certificate_header is not None and not proxy.trusted:
        yield "has proxy.certificate_header, which nobody is believed; name the proxy's address in proxy.trusted"
    if proxy.certificate_header is not None and not _HEADER.fullmatch(proxy.certificate_header):
        yield "has a proxy.certificate_header that is no name of a header; give letters, digits and '-'"


SETTINGS = tuple(settings(Settings))
_KNOWN = tuple(one.path for one in SETTINGS)
_GROUPS = frozenset(one.path for one in SETTINGS if one.group)


def read_settings(path: Path = DEFAULT_FILE) -> Settings:
    """Reads the file at `path` and those in conf.d beside it. Opens no file that they name.

    Raises ConfigError with every fault, with file and line.
    """
    faults = Faults()
    tree, complete = read_layers(path, faults, _GROUPS, _WRITTEN)
    read = Group(Settings, check=_problems).read(tree, At((), faults, _KNOWN, complete))
    faults.raise_if_any()
    return read
