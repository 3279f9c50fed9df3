"""Fills in ${hostname}, ${machine_id} and ${serial}, so that one configuration serves a whole fleet."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ingestd.config.compounds import Json
from ingestd.config.faults import KeyPath, Refused, quoted
from ingestd.config.schema import Participant

NAMES = ("hostname", "machine_id", "serial")

_PLACEHOLDER = re.compile(r"\$\$\{|\$\{(?:([^}]*)\})?")
_MACHINE_ID = re.compile(r"[0-9a-f]{32}")
_MAX_BYTES = 256
# What boards without a serial number have in its place.
_NO_SERIAL = frozenset(
    (
        "",
        "0",
        "none",
        "not specified",
        "not applicable",
        "default string",
        "system serial number",
        "to be filled by o.e.m.",
    )
)

Note = Callable[[KeyPath, str], None]


@dataclass(frozen=True, slots=True)
class Identity:
    """Where this machine's names come from. Each is read only when a placeholder asks for it."""

    hostname: Callable[[], str] = socket.gethostname
    machine_id: Path = Path("/etc/machine-id")
    """machine-id(5) asks to keep it from strangers: where the room can't be trusted, use another."""
    serials: tuple[Path, ...] = (
        Path("/proc/device-tree/serial-number"),
        Path("/sys/class/dmi/id/product_serial"),
    )
    """Tried in turn. The second is readable by root only on most machines."""

    def value(self, name: str) -> str:
        """The value of one of `NAMES`. Raises `Refused`, saying what was tried."""
        if name == "hostname":
            found = self.hostname()
            if found and found != "(none)" and found.isprintable():
                return found
            raise Refused("has ${hostname}, but this machine has no host name; set one with hostnamectl")
        if name == "machine_id":
            text, problem = _read_word(self.machine_id)
            if _MACHINE_ID.fullmatch(text):
                return text
            raise Refused(
                f"has ${{machine_id}}, but {self.machine_id} {problem or 'holds no machine id'}; "
                "run systemd-machine-id-setup, or write the value out"
            )
        if name == "serial":
            return self._serial()
        from difflib import get_close_matches  # only needed once something is wrong

        near = get_close_matches(name[:64].lower(), NAMES, n=1, cutoff=0.4)
        hint = (
            f"did you mean ${{{near[0]}}}?" if near else f"there are {', '.join(f'${{{n}}}' for n in NAMES)}"
        )
        raise Refused(
            f"has the unknown placeholder {quoted(f'${{{name}}}')}; {hint} (a plain ${{ is written $${{)"
        )

    def _serial(self) -> str:
        tried = []
        for path in self.serials:
            text, problem = _read_word(path)
            if not problem and text.lower() not in _NO_SERIAL:
                return text
            tried.append(f"{path} {problem or 'holds no serial number'}")
        raise Refused(
            f"has ${{serial}}, but this machine tells none: {', '.join(tried)}; "
            "use ${machine_id}, or write the value out"
        )


def expand_participant(participant: Participant, identity: Identity, note: Note) -> Participant:
    """Fills in the placeholders of id, name and every string in metadata; keys of metadata stay as they are.

    What can't be filled in goes to `note`, with its path below the participant.
    """
    filled: dict[str, Json] = {}
    for name in ("id", "name", "metadata"):
        filled[name] = _expand(getattr(participant, name), identity, note, (name,))
    return replace(participant, **filled)  # type: ignore[arg-type] # by name, and each keeps its type


def _expand(value: Json, identity: Identity, note: Note, path: KeyPath) -> Json:
    if isinstance(value, str):
        return _expand_text(value, identity, note, path)
    if isinstance(value, dict):
        return {key: _expand(inner, identity, note, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [_expand(inner, identity, note, (*path, index)) for index, inner in enumerate(value)]
    return value


def _expand_text(text: str, identity: Identity, note: Note, path: KeyPath) -> str:
    def fill(match: re.Match[str]) -> str:
        if match.group() == "$${":
            return "${"
        try:
            if match.group(1) is None:
                raise Refused("has ${ without the } that ends it; add it, or write $${ for a plain ${")
            return identity.value(match.group(1))
        except Refused as refused:
            note(path, str(refused))
            return match.group()

    return _PLACEHOLDER.sub(fill, text)


def _read_word(path: Path) -> tuple[str, str]:
    """The printable text of a small system file and "", or "" and why there is none.

    Files below /sys and /proc have no length, so this reads what is there. Device tree strings end in NUL.
    """
    try:
        with path.open("rb", buffering=0) as file:
            text = file.read(_MAX_BYTES).decode("utf-8", "replace").strip(" \t\r\n\0")
    except OSError as error:
        return "", f"can't be read ({(error.strerror or str(error)).lower()})"
    return (text, "") if text.isprintable() else ("", "holds no text")
