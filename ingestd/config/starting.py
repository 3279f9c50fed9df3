"""What a configuration file begins as where there is none: the reference, which explains every key."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ingestd.config.files import Unreadable, read_small
from ingestd.config.reader import MAX_BYTES

REFERENCES: Final = (
    Path("/usr/share/ingestd/ingestd.yaml"),
    Path(__file__).resolve().parents[2] / "etc" / "ingestd.yaml",
)
"""Where it is looked for: as a package installs it, then in a checkout."""

_BARE: Final = b"# The configuration of ingestd.\n"


def starting_content(references: tuple[Path, ...] = REFERENCES) -> bytes:
    """The first reference that can be read; a line of comment where there is none."""
    for path in references:
        try:
            return read_small(path, MAX_BYTES)[0]
        except Unreadable:
            continue
    return _BARE
