"""The whole terminal for one program, and given back as it was, whichever way the program ends. Main thread."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Sequence
from types import FrameType, TracebackType
from typing import Any, Final, Self

from ingestd.ctl.command import CommandError, OutputGoneError, end_by_signal

# xterm's: alternate screen, no cursor, no wrapping at the right edge (so that a line stays one line); all cleared.
_ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
_LEAVE: Final = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l"
_Handler = Callable[[int, FrameType | None], Any] | int | None


class FullScreen:
    """A context manager. Ctrl-C is a KeyboardInterrupt, SIGTERM and SIGHUP a SystemExit; Ctrl-Z and `fg` work.

    Raises CommandError where there is no such terminal, and OutputGoneError once it is gone.
    """

    def __init__(self) -> None:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise CommandError("this is a live screen, and needs a terminal; for programs: ingestctl --json status")
        if (os.environ.get("TERM") or "dumb") == "dumb":
            raise CommandError("the terminal can't place its cursor (TERM is dumb or not set): use ingestctl status")
        self._in = sys.stdin.fileno()
        self._out = sys.stdout.fileno()
        self._encoding = sys.stdout.encoding or "ascii"
        self._drawn: list[str] = []
        self._drawn_on: os.terminal_size | None = None

    def __enter__(self) -> Self:
        self._usual = termios.tcgetattr(self._in)
        self._handlers: dict[int, _Handler] = {
            signal.SIGTERM: signal.signal(signal.SIGTERM, end_by_signal),
            signal.SIGHUP: signal.signal(signal.SIGHUP, end_by_signal),
            signal.SIGTSTP: signal.signal(signal.SIGTSTP, self._suspend),
            signal.SIGCONT: signal.signal(signal.SIGCONT, self._resume),
        }
        try:
            self._take()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OutputGoneError, OSError, termios.error):  # a closed window needs nothing back
            self._give_back()
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def size(self) -> os.terminal_size:
        """Columns and lines now."""
        try:
            size = os.get_terminal_size(self._out)
        except OSError as error:
            raise OutputGoneError from error
        return os.terminal_size((size.columns or 80, size.lines or 24))  # a serial line does not know its own

    def draw(self, lines: Sequence[str], size: os.terminal_size) -> None:
        """Shows these lines, made for that size; only what has changed is written, as a serial line is slow."""
        if self._drawn_on != size:
            self._drawn, self._drawn_on = [], size
            self._write("\x1b[2J")
        changed = [
            f"\x1b[{number};1H{line}\x1b[K"
            for number, line in enumerate(lines, 1)
            if number > len(self._drawn) or self._drawn[number - 1] != line
        ]
        self._drawn = list(lines)
        if changed:
            self._write("".join(changed))

    def key(self, timeout_s: float) -> str:
        """The key pressed next, empty where none was in that time. Arrows and their like are none."""
        if not select.select([self._in], [], [], max(0.0, timeout_s))[0]:
            return ""
        try:
            typed = os.read(self._in, 64).decode("utf-8", "replace")
        except OSError as error:
            raise OutputGoneError from error
        if not typed:
            raise OutputGoneError
        return "" if typed.startswith("\x1b") else typed[0]

    def _take(self) -> None:
        try:
            tty.setcbreak(self._in, termios.TCSANOW)
        except termios.error as error:
            raise OutputGoneError from error
        self._drawn_on = None
        self._write(_ENTER)

    def _give_back(self) -> None:
        try:
            self._write(_LEAVE)
        finally:
            termios.tcsetattr(self._in, termios.TCSADRAIN, self._usual)

    def _suspend(self, _number: int, _frame: FrameType | None) -> None:
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # stops here, until SIGCONT
        signal.signal(signal.SIGTSTP, self._suspend)
        self._take()

    def _resume(self, _number: int, _frame: FrameType | None) -> None:
        self._take()  # after a SIGSTOP, too, of which nobody heard

    def _write(self, text: str) -> None:
        data = text.encode(self._encoding, "replace")
        try:
            while data:
                data = data[os.write(self._out, data) :]
        except OSError as error:
            raise OutputGoneError from error
