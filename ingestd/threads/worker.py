"""What every thread of the daemon has in common: a name, a way to be stopped, and no silent death."""

from __future__ import annotations

import abc
import threading
import time

from ingestd.threads.mailbox import Mailbox, WorkerDied


class Worker(abc.ABC):
    """A named thread around `run_until_stopped`. Started by the composition root; attempts by the supervisor."""

    name = "worker"

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._stopping = threading.Event()
        self._is_stopping = False  # the same, for what looks each time round: no call
        self.progress_s = time.monotonic()
        """When the thread last went round its loop (CLOCK_MONOTONIC). Any thread."""
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Asks the thread to end; it does within a tenth of a second. Any thread."""
        self._is_stopping = True
        self._stopping.set()

    def join(self, timeout_s: float) -> bool:
        """Waits for the end; False where the thread is still alive after `timeout_s`. Never started is ended."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @abc.abstractmethod
    def run_until_stopped(self) -> None:
        """The thread's work; returns soon after `stop`."""

    def _run(self) -> None:
        try:
            self.run_until_stopped()
        except BaseException as error:  # noqa: BLE001 - a thread must not die unseen: the supervisor decides
            self._mailbox.post(WorkerDied(self.name, error))
