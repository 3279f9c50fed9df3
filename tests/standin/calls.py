"""Ingest sessions: made by a POST, claimed once by a start frame, expired if nobody comes."""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import dataclass
from typing import Any

from tests.standin.records import CallInfo, FrameLog
from tests.standin.settings import Settings


@dataclass
class Call:
    """One ingest session and what is recorded of it."""

    info: CallInfo
    ref: str
    metadata: dict[str, Any]
    expires_s: float
    """Monotonic time after which it can't be claimed (seconds)."""
    received: FrameLog
    sent: FrameLog
    open: bool = False
    """Whether a connection that claimed it is open."""


class CallBook:
    """All sessions since the start."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._by_ref: dict[str, Call] = {}
        self._by_id: dict[str, Call] = {}

    def create(self, body: dict[str, Any], settings: Settings) -> Call:
        """A new session from a valid request body."""
        participant = body.get("participant") or {}
        participant_id = participant.get("id") or str(uuid.uuid4())
        now_s = time.monotonic()
        info = CallInfo(
            index=len(self.calls),
            call_id=str(uuid.uuid4()),
            room_id=body["roomId"],
            participant_id=participant_id,
            participant_name=participant.get("name") or participant_id,
            body=body,
            created_s=now_s,
        )
        call = Call(
            info=info,
            ref="vs_" + secrets.token_hex(10),
            metadata=participant.get("metadata") or {},
            expires_s=now_s + settings.session_ttl_s,
            received=FrameLog(settings.recorded_s),
            sent=FrameLog(settings.recorded_s),
        )
        self.calls.append(call)
        self._by_ref[call.ref] = call
        self._by_id[info.call_id] = call
        self._forget_old(settings.kept_calls)
        return call

    def look_up(self, ref: str | None) -> tuple[Call | None, str]:
        """The session of a ref, and whether the ref is `good`, `unknown`, `expired` or `used`."""
        call = self._by_ref.get(ref or "")
        if call is None:
            return None, "unknown"
        if call.info.claimed_s is not None:
            return call, "used"
        return call, "good" if time.monotonic() <= call.expires_s else "expired"

    def find(self, key: str) -> Call | None:
        """A session by its callId or its index."""
        if key.isdecimal():
            return self.calls[int(key)] if int(key) < len(self.calls) else None
        return self._by_id.get(key)

    def _forget_old(self, kept: int) -> None:
        """Drop the audio of the session that just fell out of the newest `kept`, once it is over."""
        for call in self.calls[: max(0, len(self.calls) - kept)]:
            if not call.open:
                call.received.forget()
                call.sent.forget()
