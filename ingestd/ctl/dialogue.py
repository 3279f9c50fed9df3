"""Questions to a person at a terminal, with the present value as the answer that Enter gives."""

from __future__ import annotations

import contextlib
import getpass
import signal
import sys
import termios
from collections.abc import Callable

from ingestd.ctl.command import CommandError, end_by_signal, say
from ingestd.ctl.paint import one_line


class Dialogue:
    """One talk, in the main thread.

    Any question may raise CommandError where no more answers come, and KeyboardInterrupt.
    """

    def __init__(self, asking: bool) -> None:
        """Without `asking` nobody is there: what is not given is an error."""
        self.asking = asking

    def ask(
        self,
        question: str,
        default: str | None,
        check: Callable[[str], str | None],
        given: str | None = None,
        shown: str | None = None,
    ) -> str:
        """An answer that `check` has nothing against (it returns what is wrong, and what to do).

        `given` counts without a question where it is good; a bad one is an error where nobody can be asked. The
        default is shown as `shown`, where that is given.
        """
        answer = given
        in_brackets = "" if default is None else f" [{one_line(shown or default)}]"
        while True:
            if answer is None:
                answer = self._answer(f"{question}{in_brackets}: ").strip() or default or ""
            problem = check(answer)
            if problem is None:
                return answer
            self.complain(f"{question}: {problem}")
            answer = None

    def secret(self, question: str) -> str:
        """What is typed and not shown; may be empty."""
        before = signal.signal(signal.SIGTERM, end_by_signal)  # or the terminal would go on showing nothing
        try:
            return self._answer(f"{question}: ", getpass.getpass)
        finally:
            signal.signal(signal.SIGTERM, before)

    def confirm(self, question: str, default: bool) -> bool:
        """Yes or no; the default where nobody can be asked."""
        while self.asking:
            answer = self._answer(f"{question} [{'Y/n' if default else 'y/N'}] ").strip().lower()
            if answer in ("y", "yes", "n", "no"):
                return answer in ("y", "yes")
            if not answer:
                break
            say("  Please answer y or n.")
        return default

    def complain(self, problem: str) -> None:
        """Something is wrong and can be asked again; an error where nobody can be asked. Raises CommandError."""
        if not self.asking:
            raise CommandError(problem)
        say("\n".join(f"  ! {one_line(line)}" for line in problem.splitlines()))

    def _answer(self, question: str, read: Callable[[str], str] = input) -> str:
        if not self.asking:
            raise CommandError(f"{question.rstrip(': ')}: is not given, and there is no terminal to ask at")
        while True:
            _forget_what_is_typed()
            try:
                return read(question)
            except EOFError:
                say("")
                raise CommandError("there are no more answers") from None
            except UnicodeDecodeError:
                say("  ! That was no text in this terminal's encoding; type it anew.")


def _forget_what_is_typed() -> None:
    """Keys that were pressed while nothing was asked are no answer."""
    if sys.stdin.isatty():
        with contextlib.suppress(termios.error):  # the terminal is gone; the question finds that out
            termios.tcflush(sys.stdin, termios.TCIFLUSH)
