"""Secrets: kept where no log line, traceback or status shows them, and read from files of their own."""

from __future__ import annotations

import stat
from pathlib import Path

from ingestd.config.files import Unreadable, read_small
from ingestd.core.credential import is_credential
from ingestd.errors import ConfigError

MAX_TOKEN_BYTES = 16 * 1024


class Secret:
    """Text that shows itself only to who asks for it with `reveal()`.

    Not a `str` on purpose: what would leak one by accident (`json.dumps`, `join`, `+`) fails instead.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the wire; never for a log."""
        return self._text

    def __str__(self) -> str:
        return "********"

    def __repr__(self) -> str:
        return "Secret('********')"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return self._text == other._text  # tells two configurations apart; nothing a peer could time

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not to be pickled")


def read_token(path: Path, what: str = "token") -> Secret:
    """Reads the secret in a file, anew at each call: somebody renews it while the daemon runs.

    It is one word of printable ASCII, 16 KiB at most; white space around it is dropped. `what` is its name in
    errors, which never show any of it. Raises `ConfigError` with one fault: the file, what to do.
    """
    try:
        content, _ = read_small(path, MAX_TOKEN_BYTES)
    except Unreadable as error:
        raise ConfigError([f"{path}: {_fitting(f'the {what} file {error}', path)}"]) from None
    try:
        return parse_token(content, what)
    except ConfigError as error:
        raise ConfigError([f"{path}: {_fitting(fault, path)}" for fault in error.faults]) from None


def _fitting(fault: str, path: Path) -> str:
    """The fault with a remedy that a credential of systemd's takes, where it is of one: nobody can write there."""
    if not is_credential(path):
        return fault
    what = fault.partition("; ")[0]
    if "does not exist" in what:
        return f"{what}; systemd makes it, and it is there only while the service runs: see `systemctl cat ingestd`"
    if "permission denied" in what:
        return f"{what}; only root and the service itself may read it"
    return f"{what}; encrypt it anew (`ingestctl setup` shows how), then `systemctl restart ingestd`"


def awaits_the_service(path: Path) -> bool:
    """Whether it is a credential of a service that does not run: that it is not there is no fault."""
    return is_credential(path) and not path.parent.exists()


def parse_token(content: bytes, what: str = "token") -> Secret:
    """`read_token` for what a file of it holds, or is to hold. Raises `ConfigError` with one fault."""
    text = content.strip()
    problem = _problem(text, what)
    if problem:
        raise ConfigError([problem])
    return Secret(text.decode("ascii"))


def _problem(text: bytes, what: str) -> str:
    if not text:
        return f"the {what} file is empty; write the {what} into it, on one line"
    if b"\n" in text or b"\r" in text:
        return f"the {what} file has more than one line; leave only the {what} in it"
    if text.lower().startswith(b"bearer "):
        return f"the {what} file begins with 'Bearer'; leave only the {what}, ingestd adds the word itself"
    if not all(0x20 < byte < 0x7F for byte in text):
        return (
            f"the {what} file has a space, a control character or a character outside ASCII in its text; "
            f"write the {what} anew, with no byte order mark"
        )
    return ""


def exposure(path: Path, what: str = "token") -> str | None:
    """A warning where every user of this machine may read or write the file, else None."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return None
    if not mode & (stat.S_IROTH | stat.S_IWOTH):
        return None
    return f"{path}: every user of this machine may read or write the {what}; chmod 640 it, or stricter"
