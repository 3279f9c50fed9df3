"""What calls this device is to make: everything of the configuration that the supervisor goes by."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ingestd.core.ingest_session import IngestSession
from ingestd.threads.attempt import Attempt


class CallPlan(NamedTuple):
    """Replaced whole when the configuration is read anew."""

    new_attempt: Callable[[int, IngestSession | None], Attempt]
    """Of an epoch, with a session of its own, or with one that somebody else created."""
    demand: bool = False
    """Calls are made when asked for; else the device is always in the room."""
    break_first: bool = False
    """A session ends before the next one begins: an agent must not be attached twice."""
