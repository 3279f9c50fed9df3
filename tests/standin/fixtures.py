"""pytest fixtures over the stand-in; a test module takes them with `pytest_plugins = ("tests.standin.fixtures",)`."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.standin.client import SocketFault, StandIn


@pytest.fixture(scope="session")
def standin_process() -> Iterator[StandIn]:
    """One stand-in for the whole run; take `standin` instead."""
    with StandIn() as process:
        yield process


@pytest.fixture
def standin(standin_process: StandIn) -> Iterator[StandIn]:
    """A stand-in with its default switches, no fault waiting, nobody registered, and an empty room of this test's."""
    standin_process.reset()
    standin_process.forget_webhooks()
    standin_process.room = f"room-{uuid.uuid4()}"
    yield standin_process
    standin_process.reset()
    standin_process.end_room()
    standin_process.inject(SocketFault("drop"))
