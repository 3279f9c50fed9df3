"""Every fault by its name: what it means, what helps, and the id by which the journal's catalog knows it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from ingestd.core import remedies_for_attempts as attempts
from ingestd.core import remedies_for_ends as ends
from ingestd.core import remedies_for_parts as parts

_NAMESPACE: Final = bytes.fromhex("8d0f2c5e4f0a4f4b9a556f1d5b8c7e21")
"""Never to be changed: journals of years and `systemd/ingestd.catalog` hold what is made of it."""


def message_id(name: str) -> str:
    """MESSAGE_ID of the fault by that name, as sd-id128(3) writes it."""
    # A UUID of version 5 (RFC 9562 §5.5); the library's own module takes 0.7 MiB to make it.
    made = bytearray(hashlib.sha1(_NAMESPACE + name.encode(), usedforsecurity=False).digest()[:16])
    made[6] = made[6] & 0x0F | 0x50
    made[8] = made[8] & 0x3F | 0x80
    return made.hex()


def device_fault(device: str, *, unfit: bool) -> str:
    """Name of the fault of "capture" or "playback", lost or there but not to be used as it is configured."""
    return parts.DEVICES[device][unfit][0]


def every_fault() -> tuple[ends.Text, ...]:
    """Name, meaning and remedy of all there are, once each; `{room}` and the like are not filled in."""
    return tuple({text[0]: text for text in _texts()}.values())


def every_entry() -> tuple[ends.Text, ...]:
    """All that the journal's catalog explains: every fault, and what the log alone tells."""
    return (*every_fault(), *parts.LOGGED)


def fields_of(name: str) -> dict[str, str]:
    """What a line of the journal carries so that the catalog explains it, and a search finds it."""
    return {"FAULT": name, "MESSAGE_ID": message_id(name)}


def session_faults() -> tuple[str, ...]:
    """Names of all that an attempt or a connection may end by, once each."""
    return tuple(dict.fromkeys(name for name, _, _ in _session_texts()))


def _texts() -> Iterator[ends.Text]:
    yield from _session_texts()
    for lost, unfit in parts.DEVICES.values():
        yield from (lost, unfit)
    yield from (parts.METRICS, parts.RELOAD)


def _session_texts() -> Iterator[ends.Text]:
    tables = (attempts.REACHING, attempts.CERTIFICATES, attempts.UPGRADES, attempts.PROXIES, *attempts.BACKEND.values())
    for rules in (*tables, ends.CUT, ends.CLOSE_REASONS, ends.ENDED):
        for name, _, meaning, remedy in rules:
            yield name, meaning, remedy
    for code, (meaning, remedy) in ends.CODES.items():
        yield f"closed-{code}", meaning, remedy
    yield from (ends.OTHER_4000, ends.OTHER_CODE, ends.PROTOCOL, ends.UNFORESEEN)
