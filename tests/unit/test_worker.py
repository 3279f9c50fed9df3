"""What all threads have in common."""

from __future__ import annotations

import threading

import pytest

from ingestd.threads.mailbox import Mailbox, WorkerDied
from ingestd.threads.worker import Worker
from tests.unit.exactly import exactly
from tests.unit.peers import GUARD_S


class Waiting(Worker):
    name = "waiting"

    def run_until_stopped(self) -> None:
        self.started = threading.current_thread().name
        self._stopping.wait()


class Failing(Worker):
    name = "failing"

    def __init__(self, mailbox: Mailbox, error: BaseException) -> None:
        super().__init__(mailbox)
        self.error = error

    def run_until_stopped(self) -> None:
        raise self.error


def test_a_worker_runs_under_its_name_until_it_is_stopped() -> None:
    mailbox = Mailbox()
    worker = Waiting(mailbox)
    worker.start()
    assert not worker.join(0.02)
    worker.stop()
    assert worker.join(GUARD_S)
    assert worker.started == "waiting"
    assert mailbox.take_all() == []


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt(), RecursionError()])
def test_no_worker_dies_unseen(error: BaseException) -> None:
    mailbox = Mailbox()
    worker = Failing(mailbox, error)
    worker.start()
    assert worker.join(GUARD_S)
    assert exactly(mailbox.take_all()) == exactly([WorkerDied("failing", error)])


def test_a_worker_that_was_never_started_counts_as_ended() -> None:
    worker = Waiting(Mailbox())
    worker.stop()
    assert worker.join(0)
