"""A program in a terminal of its own, and what a person sees there: a real pty, read by a terminal emulator (pyte)."""

from __future__ import annotations

import contextlib
import copy
import fcntl
import os
import pty
import shutil
import signal
import struct
import subprocess
import termios
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import pyte

from tests.rig.process import spawn, wait_until

GUARD_S: Final = 30.0
"""What is waited for at most, where nothing else is said."""
_ALTERNATE_SCREEN: Final = 1049
_FAINT: Final = 2
_GREY: Final = 90
_ENDING_S: Final = 2.0
_ErrorKind = type[BaseException] | None


class _Screen(pyte.Screen):
    """With the alternate screen that full-screen programs use, which pyte does not know."""

    def __init__(self, columns: int, lines: int) -> None:
        super().__init__(columns, lines)
        self.alternate = False
        self._kept: tuple[Any, Any] | None = None

    def select_graphic_rendition(self, *attrs: int) -> None:
        # Faint, which pyte does not know, either, as terminals without it show it: grey.
        super().select_graphic_rendition(*(_GREY if code == _FAINT else code for code in attrs))

    def set_mode(self, *modes: int, **kwargs: Any) -> None:
        if kwargs.get("private") and _ALTERNATE_SCREEN in modes and not self.alternate:
            self._kept = copy.deepcopy(self.buffer), copy.copy(self.cursor)
            self.alternate = True
            self.erase_in_display(2)
        super().set_mode(*modes, **kwargs)

    def reset_mode(self, *modes: int, **kwargs: Any) -> None:
        super().reset_mode(*modes, **kwargs)
        if kwargs.get("private") and _ALTERNATE_SCREEN in modes and self._kept is not None:
            self.buffer, self.cursor = self._kept
            self._kept, self.alternate = None, False


class Terminal:
    """Runs a command as the leader of a session whose terminal this is. Use as a context manager; one thread.

    The kernel kills the command when the thread that made this is gone.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        columns: int = 80,
        lines: int = 24,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        typed: str = "",
    ) -> None:
        """`env` adds to this process's environment, but for TERM (xterm-256color) and NO_COLOR (empty: not set).

        `typed` is typed before the command begins.
        """
        if not shutil.which("setsid"):
            raise RuntimeError("setsid(1) is missing: install util-linux")
        self._screen = _Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self._output = bytearray()
        self._master, slave = pty.openpty()
        try:
            self._set_size(columns, lines)
            self.type(typed)
            self.process = spawn(
                ["setsid", "--ctty", "--", "env", "-u", "COLUMNS", "-u", "LINES", *command],
                env={"TERM": "xterm-256color", "NO_COLOR": "", **(env or {})},
                stdin=slave,
                stdout=slave,
                stderr=slave,
                cwd=cwd,
            )
        except BaseException:
            os.close(self._master)
            raise
        finally:
            os.close(slave)
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    @property
    def output(self) -> bytes:
        """Everything written to the terminal, as it came."""
        with self._lock:
            return bytes(self._output)

    def screen(self) -> list[str]:
        """What is seen now, line by line, without the blanks at their ends."""
        with self._lock:
            return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        """The screen as one text, without the empty lines at its end."""
        return "\n".join(self.screen()).rstrip()

    def cells(self) -> list[list[pyte.screens.Char]]:
        """The screen's cells, with colours and the like: lines of columns."""
        with self._lock:
            columns, lines = range(self._screen.columns), range(self._screen.lines)
            return [[self._screen.buffer[line][column] for column in columns] for line in lines]

    @property
    def alternate(self) -> bool:
        """Whether a full-screen program has the screen."""
        with self._lock:
            return self._screen.alternate

    def wait_for(self, text: str, timeout_s: float = GUARD_S) -> list[str]:
        """Waits until a text is on the screen, and returns that; AssertionError with what is there instead."""
        return self.wait(lambda seen: text in "\n".join(seen), repr(text), timeout_s)

    def wait(self, holds: Callable[[list[str]], object], what: str, timeout_s: float = GUARD_S) -> list[str]:
        """The same for anything about the screen's lines; `what` names it."""
        seen: list[str] = []

        def looked() -> bool:
            nonlocal seen
            ended = self.process.poll() is not None and not self._reader.is_alive()  # asked before the last look
            seen = self.screen()
            if holds(seen):
                return True
            if ended:
                raise AssertionError(f"{what} never came; it ended with {self.process.returncode}:\n{self.text}")
            return False

        try:
            wait_until(looked, timeout_s, what)
        except TimeoutError as error:
            raise AssertionError(f"{error}; the screen:\n{self.text}") from None
        return seen

    def type(self, text: str) -> None:
        """Presses keys, as in `"q"`, `"\\x03"` (Ctrl-C) or `"ls\\r"`."""
        os.write(self._master, text.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Pulls at the window's corner."""
        with self._lock:
            self._screen.resize(lines, columns)
        self._set_size(columns, lines)

    def settings(self) -> list[Any]:
        """The line discipline's settings (termios(3)), as tcgetattr gives them."""
        return termios.tcgetattr(self._master)

    def status(self, timeout_s: float = GUARD_S) -> int:
        """Waits for the command's end: its exit status, -N for signal N. All its output is there then."""
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end; the screen:\n{self.text}") from None
        self._reader.join(GUARD_S)  # however late that thread is with what was written last
        return status

    def close(self) -> None:
        """Kills the command and everything else that runs in its session."""
        self.process.kill()
        for pid in _session(self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(_ENDING_S)
        os.close(self._master)

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # nobody has it open any more
                return
            if not data:
                return
            with self._lock:
                self._output += data
                self._stream.feed(data)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: _ErrorKind, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _session(leader: int) -> list[int]:
    """The processes of a session, by number."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):  # it has gone meanwhile
                if int((entry / "stat").read_text().rpartition(")")[2].split()[3]) == leader:
                    found.append(int(entry.name))
    return found
