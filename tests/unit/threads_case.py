"""A worker that runs while a test looks, and what it left in the mailbox."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ingestd.threads.mailbox import Mail, Mailbox, WorkerDied
from ingestd.threads.worker import Worker
from tests.unit.peers import GUARD_S


class Post:
    """A mailbox and all that ever came in."""

    def __init__(self) -> None:
        self.box = Mailbox()
        self._mail: list[Mail] = []

    def all(self) -> list[Mail]:
        """Everything so far."""
        self._mail += self.box.take_all()
        return self._mail

    def of(self, kind: type[Mail]) -> list[Mail]:
        """Everything of one kind so far."""
        return [mail for mail in self.all() if isinstance(mail, kind)]


@contextlib.contextmanager
def running(worker: Worker, post: Post) -> Iterator[None]:
    """Runs it; at the end it has to stop by itself, and alive."""
    worker.start()
    try:
        yield
    finally:
        worker.stop()
        assert worker.join(GUARD_S)
    assert post.of(WorkerDied) == []
