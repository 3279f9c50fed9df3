"""The configuration's files as they may be shown: of each key only what is known to be no secret, else its name.

People paste secrets where none belong, and a program's arguments hold them by every convention there is. So what is
shown is listed, and only where it is a value of its key's kind. Reads the configuration and the secrets it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ingestd.config.compounds import ListOf, OrNull
from ingestd.config.faults import Faults
from ingestd.config.groups import Group
from ingestd.config.kind import At, Kind
from ingestd.config.layers import DROP_INS
from ingestd.config.load import WRITTEN
from ingestd.config.reader import read_yaml
from ingestd.config.schema import CONFIG
from ingestd.config.secret import read_token
from ingestd.config.tree import Leaf, Mapping, Node, Sequence, is_null
from ingestd.doctor.redact import REMOVED
from ingestd.errors import ConfigError

SHOWN: Final = frozenset(
    {
        "backend.token_file",
        "backend.auth_scheme",
        "backend.ca_file",
        "backend.client_cert.cert_file",
        "backend.client_cert.key_file",
        "session.start",
        "session.room_id",
        "session.participant.id",
        "session.participant.name",
        "session.agent.id",
        "session.region",
        "session.max_age_s",
        "session.hangup_when_alone_s",
        "session.max_call_s",
        "audio.duplex",
        "audio.capture.device",
        "audio.capture.channel",
        "audio.capture.gain_db",
        "audio.capture.mixer.control",
        "audio.capture.mixer.level_percent",
        "audio.playback.device",
        "audio.playback.gain_db",
        "audio.playback.mixer.control",
        "audio.playback.mixer.level_percent",
        "audio.playback.max_delay_ms",
        "messaging.subscribe",
        "messaging.max_bytes",
        "hooks[].topic",
        "hooks[].state",
        "hooks[].timeout_s",
        "hooks[].max_age_s",
        "hooks[].allow_senders",
        "hooks[].hmac_secret_file",
        "hooks[].reply",
        "control.socket",
        "metrics.listen",
        "log.level",
    }
)
"""Whole. A key that is added stays hidden until somebody has thought about it."""
IN_PART: Final = frozenset(
    {
        "backend.url",
        "backend.proxy",
        "hooks[].exec",
        "session.participant.metadata",
        "session.agent.metadata",
    }
)
_SECRET_FILES: Final = frozenset({"backend.token_file", "hooks[].hmac_secret_file"})
_SERVICE_PATHS: Final = ("", "/", "/v2/ingest/sessions")
"""Another path may hold a broker's key."""
_LEAST_CHARS: Final = 6
_WORD: Final = re.compile(r"[a-z-]{,11}")


@dataclass(frozen=True, slots=True)
class Configured:
    """What the files of a configuration come to."""

    shown: dict[str, Any]
    """By the file's name: its faults and its values."""
    secrets: frozenset[str]
    """What is hidden in `shown`, and what the files hold that it names; for `redact.Redactor`."""


def configured(path: Path) -> Configured:
    """Reads the file and its drop-ins, well-formed or not; of one that is no YAML only its faults are shown."""
    shown: dict[str, Any] = {}
    secrets: set[str] = set()
    folder = path.parent / DROP_INS
    drop_ins = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    for order, file in enumerate((path, *drop_ins)):
        faults = Faults()
        tree = read_yaml(file, order, faults, WRITTEN)
        view = _View(secrets)
        values = None if tree is None else view.shown(tree, CONFIG, "")
        shown[str(file)] = {"faults": faults.lines(), "values": values}
    return Configured(shown, frozenset(secrets))


class _View:
    """Shows one file's tree; what it hides goes into `secrets`."""

    def __init__(self, secrets: set[str]) -> None:
        self._secrets = secrets

    def shown(self, node: Node, kind: Kind[Any] | None, name: str) -> Any:
        """`kind` is the key's, None where there is no such key; `name` is its path as `Setting.path` has it."""
        while isinstance(kind, OrNull):
            kind = kind.kind
        if is_null(node):
            return None
        if isinstance(kind, Group) and isinstance(node, Mapping):
            below = f"{name}." if name else ""
            fields = kind.fields
            return {
                key: self.shown(entry.node, fields[key].metadata["kind"] if key in fields else None, below + key)
                for key, entry in node.entries.items()
            }
        if isinstance(kind, ListOf) and isinstance(kind.kind, Group) and isinstance(node, Sequence):
            return [self.shown(item, kind.kind, f"{name}[]") for item in node.items]
        if name in IN_PART:
            return self._in_part(node, name)
        if name in SHOWN and kind is not None and _fits(node, kind):
            if name in _SECRET_FILES and isinstance(node, Leaf):
                self._read(Path(str(node.value)))
            return _plain(node)
        return self._hidden(node)

    def _in_part(self, node: Node, name: str) -> Any:
        if isinstance(node, Mapping):  # metadata
            return {key: self._hidden(entry.node) for key, entry in node.entries.items()}
        if isinstance(node, Sequence) and node.items:
            program, *arguments = node.items
            for argument in arguments:
                self._hidden(argument)
            known = isinstance(program, Leaf) and str(program.value).startswith("/")
            return [_plain(program) if known else self._hidden(program), f"<arguments removed: {len(arguments)}>"]
        if isinstance(node, Leaf) and name.startswith("backend."):
            return self._url(str(node.value))
        return self._hidden(node)

    def _url(self, url: str) -> str:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https"):
            self._hide(url)
            return REMOVED
        rest = parts.path if parts.path in _SERVICE_PATHS else f"/{REMOVED}"
        login = parts.netloc.rpartition("@")[0]
        for part in (login, parts.username, parts.password, parts.query, parts.fragment, parts.path.removeprefix(rest)):
            self._hide(part or "")
        place = f"[{host}]" if ":" in host else host
        return f"{parts.scheme}://{place}{f':{port}' if port else ''}{rest}{f'?{REMOVED}' if parts.query else ''}"

    def _hidden(self, node: Node) -> str:
        for text in _texts(node):
            self._hide(text)
            # Of --user=NAME:SECRET and the like the parts too.
            if not text.startswith("/"):
                for part in re.split(r"[=:@\s]+", text):
                    self._hide(part)
        return REMOVED

    def _hide(self, text: str) -> None:
        """Strikes it out wherever it stands, unless that would take ordinary words out of every text."""
        if len(text) >= _LEAST_CHARS and not _WORD.fullmatch(text) and "ingestd" not in text:
            self._secrets.add(text)

    def _read(self, path: Path) -> None:
        try:
            self._secrets.add(read_token(path).reveal())
        except ConfigError:
            return


def _fits(node: Node, kind: Kind[Any]) -> bool:
    faults = Faults()
    kind.read_or_none(node, At((), faults, (), complete=False))
    return not len(faults)


def _plain(node: Node) -> Any:
    """As JSON."""
    if isinstance(node, Sequence):
        return [_plain(item) for item in node.items]
    return node.value if isinstance(node, Leaf) else REMOVED


def _texts(node: Node) -> Iterator[str]:
    if isinstance(node, Mapping):
        for entry in node.entries.values():
            yield from _texts(entry.node)
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _texts(item)
    elif isinstance(node, Leaf) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, Leaf) and not isinstance(node.value, bool):
        yield node.text
