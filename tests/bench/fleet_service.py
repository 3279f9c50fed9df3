"""What a simulated fleet asks for sessions: away for a while, then back with a bounded capacity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ingestd.core.ingest_session import read_answer
from ingestd.core.times import DEFAULT
from ingestd.errors import BackendError, BackendFault

_RTTS_TO_REFUSE: Final = 1.0
"""A SYN that is answered by RST."""
_RTTS_TO_ANSWER: Final = 4.0
"""TCP, TLS 1.3, the request, and something for the server."""
_RTTS_TO_STREAM: Final = 2 * _RTTS_TO_ANSWER
"""The session, and then its WebSocket in the same way."""
RETRY_AFTER_S: Final = 5
UNREACHABLE: Final = BackendError(BackendFault.UNREACHABLE, "can't reach the backend")


def refusal(status: int, retry_after_s: int = RETRY_AFTER_S) -> BackendError:
    """What the daemon makes of an answer of 503, or of 429 with Retry-After."""
    headers = {"Retry-After": str(retry_after_s)} if status == 429 else {}
    try:
        read_answer(status, headers, b"")
    except BackendError as error:
        return error
    raise ValueError(f"{status} is no refusal")


@dataclass
class Service:
    """Away from 0 s to `back_s`, else serves `capacity` requests in any second; what is more costs it nothing."""

    back_s: float
    silent: bool
    """While away, requests time out; otherwise they are refused at once."""
    capacity: int | None
    busy: BackendError
    """How it refuses what is more."""
    limiting: bool = False
    """While away, it is there and refuses everything like what is more."""
    accepted_s: list[float] = field(default_factory=list)

    def ask(self, now_s: float, rtt_s: float) -> tuple[float, BackendError | None]:
        """How long a request that begins now takes, and what it fails by; None where the device then streams.

        To be asked in the order of time.
        """
        if 0.0 <= now_s < self.back_s:
            if self.limiting:
                return _RTTS_TO_ANSWER * rtt_s, self.busy
            return (DEFAULT.answer_s if self.silent else _RTTS_TO_REFUSE * rtt_s), UNREACHABLE
        served = self.accepted_s
        if self.capacity is not None and len(served) >= self.capacity and served[-self.capacity] > now_s - 1.0:
            return _RTTS_TO_ANSWER * rtt_s, self.busy
        served.append(now_s)
        return _RTTS_TO_STREAM * rtt_s, None
