"""Every key of the configuration: type, default, bounds and meaning, each declared once."""

# ruff: noqa: RUF009 (`setting` and `group` make dataclass fields, as dataclasses.field does)

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ingestd.config.compounds import Command, Json, JsonObject, ListOf, OrNull
from ingestd.config.groups import REQUIRED, Group, group, setting, settings
from ingestd.config.kind import Kind
from ingestd.config.scalars import AbsolutePath, Channel, Choice, Flag, Number, Text, WholeNumber
from ingestd.config.secret import Secret
from ingestd.config.web import Address, ListenAddress, ProxyUrl, ServiceUrl

HookState = Literal["connected", "disconnected", "alone", "device-lost", "device-back", "fault"]
YEAR_S = 31_536_000
LONGEST_SOCKET_PATH = 107
"""Bytes; sockaddr_un holds 108 with the closing NUL (unix(7))."""


def _seconds() -> Kind[float | None]:
    return OrNull(Number(high=YEAR_S, unit="seconds"))


def _state() -> Kind[HookState]:
    return Choice("connected", "disconnected", "alone", "device-lost", "device-back", "fault")


def _topic() -> Text:
    return Text("a topic of 1 to 128 characters", longest=128)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCert:
    """The certificate this device shows to the backend (mutual TLS)."""

    cert_file: Path = setting(REQUIRED, "PEM file with the certificate and its chain.", AbsolutePath())
    key_file: Path = setting(REQUIRED, "PEM file with the private key, without a passphrase.", AbsolutePath())


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Where sessions are created."""

    url: str = setting(
        REQUIRED, "URL that sessions are created at: the service's, or your own broker's.", ServiceUrl()
    )
    token_file: Path = setting(
        Path("/etc/ingestd/token"),
        "File with the token and nothing else; read anew for every session.",
        AbsolutePath("the absolute path of the token's file", private=True),
    )
    auth_scheme: Literal["bearer", "raw"] = setting(
        "bearer",
        "How the token is sent: 'Authorization: Bearer TOKEN', or raw, the token alone.",
        Choice("bearer", "raw"),
    )
    ca_file: Path | None = setting(
        None,
        "PEM file of a CA to trust besides the system's; verification can't be turned off.",
        OrNull(AbsolutePath()),
    )
    client_cert: ClientCert | None = setting(
        None, "Certificate and key of this device, for mutual TLS.", OrNull(Group(ClientCert))
    )
    proxy: Secret | None = setting(
        None, "URL of an HTTP proxy, for session requests and the connection.", OrNull(ProxyUrl())
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """Who the device is in the room. ${hostname}, ${machine_id}, ${serial} are filled in; $${ is plain ${."""

    id: str | None = setting(None, "Participant id; null lets the service choose one.", OrNull(Text()))
    name: str | None = setting("Field Device ${hostname}", "Name shown in the room.", OrNull(Text()))
    metadata: Mapping[str, Json] = setting(
        {"deviceId": "${machine_id}"},
        "Any keys and values. The whole room reads them; machine-id(5) asks to keep that id private.",
        JsonObject(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An AI agent for the service to bring. Keys ingestd doesn't know are passed on to it."""

    id: str = setting(REQUIRED, "The agent's identifier.", Text("text, the agent's identifier"))
    metadata: Mapping[str, Json] = setting({}, "Any keys and values, handed to the agent.", JsonObject())
    others: Mapping[str, Json] = field(default_factory=dict)
    """Further keys as they were written, for the request as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The call."""

    start: Literal["auto", "demand"] = setting(
        "auto", "auto: always in the room; demand: only when a call is asked for.", Choice("auto", "demand")
    )
    room_id: str | None = setting(None, "The room to join; null where the broker knows it.", OrNull(Text()))
    participant: Participant = group(Participant, "Who the device is in the room.")
    agent: Agent | None = setting(
        None,
        "An AI agent to bring along: id, metadata, and keys passed on to the service.",
        OrNull(Group(Agent, others="others")),
    )
    region: str | None = setting(
        None, "Region to pin the session to, like us002; null lets the service choose.", OrNull(Text())
    )
    max_age_s: float | None = setting(
        None,
        "Seconds after which a session is replaced by a new one, without a gap; null for never.",
        _seconds(),
    )
    hangup_when_alone_s: float | None = setting(
        None, "Seconds alone in the room before hanging up; null for never.", _seconds()
    )
    max_call_s: float | None = setting(None, "Seconds a call may last; null for no limit.", _seconds())


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixer:
    """A hardware volume control of the sound card."""

    control: str = setting(REQUIRED, "Its name, as in 'amixer scontrols'.", Text("text, the control's name"))
    level_percent: float | None = setting(
        None,
        "Percent it is set to when the device is opened; null leaves it alone.",
        OrNull(Number(low=0, high=100, unit="percent")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """The microphone."""

    device: str = setting(
        "default", "ALSA device, see 'ingestctl devices'; name the card (plughw:CARD=Name), numbers change.", Text()
    )
    channel: Literal["mix", "left", "right"] | int = setting(
        "mix",
        "What is sent: mix, the mean of all channels; or one, left (1), right (2) or its number from 1.",
        Channel(),
    )
    gain_db: float = setting(0.0, "Gain in software, dB.", Number(low=-60, high=30, unit="dB"))
    mixer: Mixer | None = setting(None, "Hardware control to set and unmute.", OrNull(Group(Mixer)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """The loudspeaker."""

    device: str = setting(
        "default", "ALSA device, see 'ingestctl devices'; name the card (plughw:CARD=Name), numbers change.", Text()
    )
    gain_db: float = setting(0.0, "Gain in software, dB.", Number(low=-60, high=30, unit="dB"))
    mixer: Mixer | None = setting(None, "Hardware control to set and unmute.", OrNull(Group(Mixer)))
    max_delay_ms: int = setting(
        400,
        "Milliseconds of room audio held back at most, to ride out jitter.",
        WholeNumber(low=40, high=400, unit="ms"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """Sound in and out."""

    duplex: Literal["full", "half"] = setting(
        "full", "half: the microphone is turned down while the room speaks.", Choice("full", "half")
    )
    capture: Capture = group(Capture, "The microphone.")
    playback: Playback = group(Playback, "The loudspeaker.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Messaging:
    """Messages of the room."""

    subscribe: tuple[str, ...] = setting(
        ("CHAT",),
        "Topics received from the start.",
        ListOf(_topic(), "a list of topics, like [CHAT]", unique=True),
    )
    max_bytes: int = setting(
        8192,
        "Bytes of UTF-8 in a message, at most; the service takes 8192.",
        WholeNumber(low=1, high=8192, unit="bytes"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A program run for each message of a topic, or at a change of state: has either `topic` or `state`."""

    topic: str | None = setting(
        None, "Run for each message of this topic, which stands on standard input.", OrNull(_topic())
    )
    state: HookState | None = setting(
        None,
        "Run when this happens.",
        OrNull(_state()),
    )
    exec: tuple[str, ...] = setting(
        REQUIRED, "Program, by its absolute path, and arguments; no shell.", Command()
    )
    timeout_s: float = setting(
        10.0, "Seconds it may run before it is ended.", Number(high=86400, unit="seconds")
    )
    max_age_s: float | None = setting(
        60.0, "Seconds after which a message is too old to run it; null for any age.", _seconds()
    )
    allow_senders: tuple[str, ...] | None = setting(
        None,
        "Participant ids that may trigger it; null for everyone in the room, an empty list for nobody.",
        OrNull(ListOf(Text(), "a list of participant ids, like [p_123]", unique=True)),
    )
    hmac_secret_file: Path | None = setting(
        None,
        "File with a secret shared with the sender; messages without its HMAC are refused.",
        OrNull(AbsolutePath("the absolute path of the secret's file", private=True)),
    )
    reply: bool = setting(False, "Publish what the program prints to the same topic.", Flag())


def _check_hook(hook: Hook) -> Iterator[str]:
    if (hook.topic is None) == (hook.state is None):
        both = "has both topic and state" if hook.topic is not None else "has neither topic nor state"
        yield f"{both}; give exactly one of them"
    elif hook.state is not None:
        for name, given in (
            ("allow_senders", hook.allow_senders is not None),
            ("hmac_secret_file", hook.hmac_secret_file is not None),
            ("reply", hook.reply),
        ):
            if given:
                yield f"has {name}, but a state has no sender; remove {name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The socket local programs talk to."""

    socket: Path = setting(
        Path("/run/ingestd/control.sock"),
        "Path of the Unix socket.",
        AbsolutePath(longest=LONGEST_SOCKET_PATH),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Figures for Prometheus."""

    listen: Address | None = setting(
        None,
        "HOST:PORT to serve them at, like 127.0.0.1:9465; null for not at all. Who reaches another address reads them.",
        OrNull(ListenAddress()),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What goes to the journal."""

    level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "The least important lines that are logged.", Choice("debug", "info", "warning", "error")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole configuration."""

    backend: Backend = group(Backend, "Where sessions are created.")
    session: Session = group(Session, "The call.")
    audio: Audio = group(Audio, "Sound in and out.")
    messaging: Messaging = group(Messaging, "Messages of the room.")
    hooks: tuple[Hook, ...] = setting(
        (),
        "Programs run for messages and changes of state, by ingestd-hooks.",
        ListOf(Group(Hook, _check_hook), "a list of hooks"),
    )
    control: Control = group(Control, "The socket local programs talk to.")
    metrics: Metrics = group(Metrics, "Figures for Prometheus.")
    log: Log = group(Log, "What goes to the journal.")


CONFIG: Group[Config] = Group(Config)
SETTINGS = tuple(settings(Config))
"""Every key there is, for references and for "did you mean"."""
