"""What a program prints: in lines for the journal, or whole for a reply. Bounded, and printable. Pure."""

from __future__ import annotations

from typing import Final

MAX_LOGGED_BYTES: Final = 16_384
"""Of one run, both streams together; what is more is counted."""
MAX_LINE_CHARS: Final = 1000


def shown(text: str, longest: int = 64) -> str:
    """A stranger's text for one line of a log."""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(character if character.isprintable() else "?" for character in cut)


class LogBudget:
    """How much of one run's output may still go to the journal."""

    def __init__(self) -> None:
        self.left_bytes = MAX_LOGGED_BYTES
        self.dropped_bytes = 0

    def take(self, data: bytes) -> bytes:
        """As much of it as may be logged."""
        taken = data[: self.left_bytes]
        self.left_bytes -= len(taken)
        self.dropped_bytes += len(data) - len(taken)
        return taken


class Lines:
    """Cuts a stream of bytes into lines for the journal."""

    def __init__(self, budget: LogBudget) -> None:
        self._budget = budget
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that are complete by now; a long one comes in pieces."""
        *lines, self._rest = (self._rest + self._budget.take(data)).split(b"\n")
        while len(self._rest) > MAX_LINE_CHARS:
            lines.append(self._rest[:MAX_LINE_CHARS])
            self._rest = self._rest[MAX_LINE_CHARS:]
        return [text for line in lines for text in _pieces(line)]

    def end(self) -> list[str]:
        """What stands after the last line feed."""
        rest, self._rest = self._rest, b""
        return _pieces(rest)


class Reply:
    """What a program prints for the room, up to a bound."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._data = bytearray()
        self.too_long = False

    def feed(self, data: bytes) -> None:
        """More of it. One line feed at the end is not counted, as every `echo` adds it."""
        if len(self._data) + len(data) > self._max_bytes + 1:
            self.too_long = True
        else:
            self._data += data

    def text(self) -> str | None:
        """All of it, without a line feed at its end; None where that is no UTF-8, or too long."""
        data = bytes(self._data.removesuffix(b"\n"))
        if self.too_long or len(data) > self._max_bytes:
            self.too_long = True
            return None
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return None


def _pieces(line: bytes) -> list[str]:
    text = line.decode("utf-8", "replace").rstrip()
    return [
        shown(text[start : start + MAX_LINE_CHARS], MAX_LINE_CHARS) for start in range(0, len(text), MAX_LINE_CHARS)
    ]
