"""One run of a program: started without a shell, read, and ended with all that it started, in time or by force."""

from __future__ import annotations

import itertools
import os
import selectors
import signal
import subprocess
from collections.abc import Callable
from functools import partial
from typing import IO, Final

from ingestd.config.schema import Hook
from ingestd.hooks.output import Lines, LogBudget, Reply
from ingestd.hooks.strays import GRACE_S, MARK

ENVIRONMENT: Final = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
"""All that a program finds in its environment, but for the mark of its run."""

_READ_BYTES: Final = 65536
_LAST_READS: Final = 16  # a process that left the group may write for ever
_LOOK_S: Final = 0.1
_NUMBERS: Final = itertools.count(1)


class Run:
    """One thread, that of `selector`: it calls what is registered there. Times are CLOCK_MONOTONIC seconds.

    The program has a session and process group of its own. What is left of the group when the program itself has
    ended is ended too: SIGTERM, and SIGKILL after GRACE_S. What left the group is found by `mark`: `Strays`.
    """

    def __init__(
        self,
        hook: Hook,
        given: bytes,
        reply: Reply | None,
        log: Callable[[str], None],
        selector: selectors.BaseSelector,
        now: float,
    ) -> None:
        """Starts it with `given` on standard input. Raises OSError.

        `reply` takes standard output; `log` each line of the rest.
        """
        self.hook = hook
        self.reply = reply
        self.timed_out = False
        self.budget = LogBudget()
        self.mark = str(next(_NUMBERS))
        self._log = log
        self._selector = selector
        self._term_s: float | None = now + hook.timeout_s
        self._kill_s: float | None = None
        self._look_s: float | None = None
        self._killed = False
        with open(os.memfd_create("message"), "w+b", buffering=0) as standard_input:
            standard_input.write(given)
            standard_input.seek(0)
            # A file of its own in memory: however slowly the program reads, nobody waits for it.
            self._process = subprocess.Popen(  # noqa: S603 (the configuration's own words, and no shell reads them)
                hook.exec,
                stdin=standard_input,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**ENVIRONMENT, MARK: self.mark},
                cwd="/",
                start_new_session=True,
            )
        self._pidfd = self._watched()
        self._open: dict[IO[bytes], Callable[[bytes], None]] = {}
        for pipe in filter(None, (self._process.stdout, self._process.stderr)):
            os.set_blocking(pipe.fileno(), False)
            replies = reply is not None and pipe is self._process.stdout
            self._open[pipe] = reply.feed if reply is not None and replies else self._logged(Lines(self.budget))
            selector.register(pipe, selectors.EVENT_READ, partial(self._read, pipe))
        selector.register(self._pidfd, selectors.EVENT_READ, self._ended)

    def _watched(self) -> int:
        """What can be polled for the program's end."""
        try:
            return os.pidfd_open(self._process.pid)
        except OSError:  # out of descriptors
            self._signal(signal.SIGKILL)
            with self._process:
                raise

    @property
    def pid(self) -> int:
        """The program's, and its session's."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """As `subprocess` has it: negative for a signal; None while it runs."""
        return self._process.returncode

    @property
    def due_s(self) -> float:
        """When `step` is to be called at the latest."""
        return min(due_s for due_s in (self._term_s, self._kill_s, self._look_s) if due_s is not None)

    def step(self, now: float) -> bool:
        """Ends what has run too long. True once all is over; then it is not to be called any more."""
        if self.status is not None:
            if self._gone(now):
                self._close()
                return True
            self._look_s = now + _LOOK_S
        if self._term_s is not None and now >= self._term_s and self.status is None:
            self.timed_out = True
            self.end(now, GRACE_S)
        if self._kill_s is not None and now >= self._kill_s:
            self._kill_s = now + GRACE_S
            self._killed = True
            self._signal(signal.SIGKILL)
        return False

    def end(self, now: float, grace_s: float) -> None:
        """Asks the whole group to end, and makes it after `grace_s`."""
        self._term_s = None
        self._kill_s = min(now + grace_s, self._kill_s or now + grace_s)
        self._signal(signal.SIGTERM)

    def _gone(self, now: float) -> bool:
        """True where nothing is left of the group of a program that has ended."""
        if self._kill_s is None:
            if not self._signal(signal.SIGTERM):
                return True
            self._term_s, self._kill_s = None, now + GRACE_S
            return False
        # Its number is not given to another group as long as one process is in it.
        return self._killed or not self._signal(0)

    def _signal(self, number: int) -> bool:
        """False where there is no such group, or none of it that we may end."""
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _ended(self) -> None:
        self._selector.unregister(self._pidfd)
        self._process.wait()  # does not wait: it has ended

    def _logged(self, lines: Lines) -> Callable[[bytes], None]:
        def take(data: bytes) -> None:
            for line in lines.feed(data) if data else lines.end():
                self._log(line)

        return take

    def _read(self, pipe: IO[bytes]) -> bool:
        """Takes what there is; False where there is nothing more now."""
        try:
            data = os.read(pipe.fileno(), _READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        self._open[pipe](data)
        if not data:
            self._shut(pipe)
        return bool(data)

    def _shut(self, pipe: IO[bytes]) -> None:
        del self._open[pipe]
        self._selector.unregister(pipe)
        pipe.close()

    def _close(self) -> None:
        for pipe in list(self._open):
            for _ in range(_LAST_READS):
                if not self._read(pipe):
                    break
            if pipe in self._open:  # some process that left the group still holds it
                self._open[pipe](b"")
                self._shut(pipe)
        os.close(self._pidfd)
