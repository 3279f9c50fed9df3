"""The checks for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from ingestd.core.check import Check, Verdict
from ingestd.net.stream import printable

_DASH: Final = "\N{EN DASH}"
_MARKS: Final = {Verdict.OK: "✓", Verdict.WARNING: "!", Verdict.FAILED: "✗", Verdict.SKIPPED: _DASH}
_PLAIN_MARKS: Final = {Verdict.OK: "+", Verdict.WARNING: "!", Verdict.FAILED: "x", Verdict.SKIPPED: "-"}
_COLOURS: Final = {Verdict.OK: "32", Verdict.WARNING: "33", Verdict.FAILED: "31", Verdict.SKIPPED: "2"}


def lines(check: Check, *, colour: bool, encoding: str) -> str:
    """One line, and where something is to be done a second one that says so."""
    mark = (_MARKS if _can("".join(_MARKS.values()), encoding) else _PLAIN_MARKS)[check.verdict]
    arrow = "→" if _can("→", encoding) else "->"
    if colour:
        mark = f"\x1b[{_COLOURS[check.verdict]}m{mark}\x1b[0m"
    said = f"{mark} {_one_line(check.name)}: {_one_line(check.what)}"
    if check.remedy:
        said += f"\n    {arrow} {_one_line(check.remedy)}"
    return said.encode(encoding, "replace").decode(encoding)


def summary(checks: Iterable[Check], *, encoding: str) -> str:
    """The last line."""
    counts = Counter(check.verdict for check in checks)
    said = f"{counts[Verdict.FAILED]} failed" if counts[Verdict.FAILED] else "nothing failed"
    warnings = f"{counts[Verdict.WARNING]} warning{'s' * (counts[Verdict.WARNING] != 1)}"
    rest = f"{warnings}, {counts[Verdict.OK]} ok, {counts[Verdict.SKIPPED]} skipped"
    return f"{said} {_DASH if _can(_DASH, encoding) else '-'} {rest}"


def is_well(checks: Iterable[Check]) -> bool:
    """Nothing failed; warnings are allowed."""
    return all(check.verdict is not Verdict.FAILED for check in checks)


def as_json(checks: Iterable[Check]) -> dict[str, Any]:
    """What `--json` prints; the keys are an interface."""
    found = list(checks)
    return {"checks": [check.as_json() for check in found], "ok": is_well(found)}


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def _can(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
