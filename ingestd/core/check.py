"""What a look at one thing found: well or not, in words, and what to do. Pure; any thread."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple


class Verdict(enum.Enum):
    """How it stands. The values are an interface."""

    OK = "ok"
    WARNING = "warning"
    """There is a call all the same, but somebody should see to it."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """It was not looked at; `what` says why."""


class Check(NamedTuple):
    """One line for a person: `name` is a word or two, `what` and `remedy` a sentence each, without any secret."""

    name: str
    verdict: Verdict
    what: str
    remedy: str = ""
    """Empty where there is nothing to do."""

    def as_json(self) -> dict[str, str]:
        """The keys are an interface."""
        return {"name": self.name, "status": self.verdict.value, "what": self.what, "remedy": self.remedy}


def from_json(fields: Any) -> Check:
    """What `as_json` made. Raises ValueError for anything else."""
    try:
        name, what, remedy = (str(fields[key]) for key in ("name", "what", "remedy"))
        return Check(name, Verdict(fields["status"]), what, remedy)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no result of a check: {type(error).__name__}") from None


def ok(name: str, what: str) -> Check:
    """All is well."""
    return Check(name, Verdict.OK, what)


def warning(name: str, what: str, remedy: str) -> Check:
    """See `Verdict.WARNING`."""
    return Check(name, Verdict.WARNING, what, remedy)


def failed(name: str, what: str, remedy: str) -> Check:
    """Something that has to be mended."""
    return Check(name, Verdict.FAILED, what, remedy)


def skipped(name: str, why: str, remedy: str = "") -> Check:
    """See `Verdict.SKIPPED`; `remedy` is how it can be looked at all the same."""
    return Check(name, Verdict.SKIPPED, why, remedy)
