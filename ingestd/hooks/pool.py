"""Which programs run now, and which wait: bounded, and in order for each sender."""

from __future__ import annotations

import selectors
from collections import Counter
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Final

from ingestd.config.schema import Hook
from ingestd.hooks.output import Reply
from ingestd.hooks.run import Run
from ingestd.hooks.strays import Strays

AT_ONCE: Final = 4
"""Of each handler."""
WAITING: Final = 64
"""Of each handler."""


@dataclass(frozen=True, slots=True)
class Job:
    """A run that is wanted."""

    hook: Hook
    given: bytes
    """The standard input."""
    sender: str | None
    """What one sender asks of a handler is done in order, one run after the other; None is a sender too."""
    max_reply_bytes: int

    @property
    def lane(self) -> tuple[Hook, str | None]:
        """Of two jobs of one lane the second waits for the first."""
        return self.hook, self.sender


class Pool:
    """One thread, that of `selector`. Times are CLOCK_MONOTONIC seconds."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        log: Callable[[Hook, str], None],
        over: Callable[[Run], None],
        failed: Callable[[Hook, OSError], None],
        strays: Strays | None,
    ) -> None:
        """`log` takes the lines that programs print, `over` each run that is done, `failed` what could not start.

        `strays` None: this process has other children, and what leaves a run's group is left alone.
        """
        self._selector = selector
        self._log = log
        self._over = over
        self._failed = failed
        self._strays = strays
        self._running: dict[Run, Job] = {}
        self._waiting: list[Job] = []

    def __len__(self) -> int:
        """How many run now, strays among them."""
        return len(self._running) + (len(self._strays) if self._strays is not None else 0)

    def room(self, hook: Hook) -> int:
        """How many more jobs of that handler may wait."""
        return WAITING - sum(job.hook == hook for job in self._waiting)

    def add(self, job: Job) -> None:
        """It runs as soon as it may: `step`."""
        self._waiting.append(job)

    def keep(self, hooks: Container[Hook]) -> int:
        """The handlers there are now; how many jobs of others waited and are forgotten. What runs goes on."""
        before = len(self._waiting)
        self._waiting = [job for job in self._waiting if job.hook in hooks]
        return before - len(self._waiting)

    def step(self, now: float) -> None:
        """Ends what has to end, and starts what may start."""
        for run in [run for run in self._running if run.step(now)]:
            del self._running[run]
            self._over(run)
            if self._strays is not None:
                self._strays.look(now)
        self._start(now)
        if self._strays is not None:
            self._strays.step(now, {run.pid: run.mark for run in self._running})

    def _start(self, now: float) -> None:
        at_once = Counter(job.hook for job in self._running.values())
        lanes = {job.lane for job in self._running.values()}
        waiting = []
        for job in self._waiting:
            if at_once[job.hook] >= AT_ONCE or job.lane in lanes:
                waiting.append(job)
            elif self._run(job, now):
                at_once[job.hook] += 1
                lanes.add(job.lane)
        self._waiting = waiting

    def _run(self, job: Job, now: float) -> bool:
        hook = job.hook
        reply = Reply(job.max_reply_bytes) if hook.reply else None
        try:
            run = Run(hook, job.given, reply, lambda line: self._log(hook, line), self._selector, now)
        except OSError as error:
            self._failed(hook, error)
            return False
        self._running[run] = job
        return True

    def due_s(self) -> float | None:
        """When `step` is to be called at the latest, where nothing comes before."""
        strays_s = self._strays.due_s if self._strays is not None else None
        return min((*(run.due_s for run in self._running), *([strays_s] if strays_s is not None else [])), default=None)

    def stop(self, now: float, grace_s: float) -> int:
        """Ends all that runs, by force after `grace_s`; how many jobs waited and are forgotten."""
        for run in self._running:
            run.end(now, grace_s)
        if self._strays is not None:
            self._strays.hurry()
        return self.keep(())
