"""Draws systemd/ingestd.catalog out of the faults' texts, so that `journalctl -x` says what each means and what helps.

`python -m tests.drawings.catalog` writes it; `--check` only says whether it would. The form is that of
https://systemd.io/CATALOG/.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from pathlib import Path
from typing import Final

from ingestd.core.catalog import every_entry, message_id
from ingestd.core.remedies_for_attempts import OF_A_CREDENTIAL
from ingestd.core.remedies_for_parts import LOGGED, METRICS, RELOAD

CATALOG: Final = Path(__file__).resolve().parents[2] / "systemd/ingestd.catalog"
_COLUMNS: Final = 76
_SUBJECT_CHARS: Final = 90
_GENERAL: Final = {
    "token_file": "the file that backend.token_file names",
    "host": "the backend",
    "origin": "the backend",
    "room": "the room",
    "config": "/etc/ingestd/ingestd.yaml",
}
"""What a catalog, which is the same on every device, says for a device's own names."""
_IN_A_COMMAND: Final = {**_GENERAL, "host": "BACKEND-HOST", "origin": "BACKEND-URL"}
_OF_NO_CALL: Final = {name for name, _, _ in (METRICS, RELOAD, *LOGGED)}
_HEAD: Final = """\
# What each fault of ingestd means and what helps, for `journalctl -x`.
# Drawn from the texts in ingestd/core/remedies*.py by `python -m tests.drawings.catalog`.
"""


def _filled(text: str) -> str:
    # What stands between backquotes is every second part.
    parts = [part.format_map(_IN_A_COMMAND if n % 2 else _GENERAL) for n, part in enumerate(text.split("`"))]
    said = "`".join(parts)
    return said[0].upper() + said[1:]


def _subject(meaning: str) -> str:
    """Its first clause; of one that is too long, what stands before a comma."""
    clause = re.split("[:;]", _filled(meaning))[0].removesuffix(".")
    while len(clause) > _SUBJECT_CHARS and "," in clause:
        clause = clause.rpartition(",")[0]
    return clause


def _entry(name: str, meaning: str, remedy: str) -> str:
    field = "DEVICE" if name.startswith(("capture-", "playback-")) else "EPOCH"
    parts = [
        f"-- {message_id(name)}",
        f"Subject: ingestd: {_subject(meaning)}",
        "Defined-By: ingestd",
        "",
        textwrap.fill(_filled(meaning), _COLUMNS, break_on_hyphens=False),
        "",
        textwrap.fill(f"What to do: {_filled(remedy)}", _COLUMNS, break_on_hyphens=False),
    ]
    if name in OF_A_CREDENTIAL:
        said = f"Where the token is a credential of systemd's: {OF_A_CREDENTIAL[name]}"
        parts += ["", textwrap.fill(said, _COLUMNS, break_on_hyphens=False)]
    if name not in _OF_NO_CALL:
        parts += ["", f"All lines on it: journalctl -u ingestd {field}=@{field}@"]
    return "\n".join(parts) + "\n"


def drawn() -> str:
    """The whole catalog."""
    return "\n".join([_HEAD, *(_entry(*fault) for fault in every_entry())])


def main() -> int:
    """Exit 1 with --check where the catalog is not what the texts say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    if arguments.check:
        return int(not CATALOG.exists() or CATALOG.read_text() != drawn())
    CATALOG.write_text(drawn())
    return 0


if __name__ == "__main__":
    sys.exit(main())
