"""Scripted faults: what goes wrong for the next sessions and connections, or for those that are open."""

from __future__ import annotations

import base64
import dataclasses
from collections import deque
from dataclasses import dataclass
from typing import Any, Literal

from tests.standin.garbage import KINDS

SocketAction = Literal[
    "refuse",
    "stall",
    "raw_upgrade",
    "close",
    "close_without_code",
    "drop",
    "abort",
    "cut_mid_frame",
    "stop_reading",
    "mute",
    "hold_then_burst",
    "send_raw",
    "garbage",
    "end_meeting",
]
"""What a SocketFault does; see `SocketFault.action`."""

When = Literal["upgrade", "open", "start", "join", "now"]
"""The moment a SocketFault counts from."""

Body = Literal["", "garbage", "huge", "empty", "truncated", "not_an_object", "html"]
"""What the answer to a POST contains instead of a session."""


_UPGRADE_ONLY = frozenset({"refuse", "stall", "raw_upgrade"})
_AT_UPGRADE = _UPGRADE_ONLY | {"abort"}


@dataclass(frozen=True)
class SessionFault:
    """What happens to one POST /v2/ingest/sessions."""

    status: int | None = None
    """HTTP status to answer with; None answers as usual."""
    message: str = ""
    """Error text for `status`."""
    retry_after: str = ""
    """Retry-After header: seconds or an HTTP date; empty for none."""
    stall_s: float = 0.0
    """Seconds to wait before answering."""
    body: Body = ""
    """An unusable body: not JSON, 8 MiB, none, shorter than announced, a JSON list, an HTML page."""
    leaves_out: tuple[str, ...] = ()
    """Fields missing from a good answer: `message`, `data`, or one of data's own (`wsUrl`, …)."""
    replaces: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Fields of a good answer's data to replace, such as `{"wsUrl": 7}`."""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    """Further headers, such as a Location."""
    abort: bool = False
    """Reset the TCP connection instead of answering."""
    make_session: bool = False
    """With an error: make a session all the same, which nobody will claim."""

    @property
    def label(self) -> str:
        """A short name for records."""
        parts = [
            str(self.status or ""),
            self.body,
            "abort" if self.abort else "",
            "edited" if self.edits else "",
        ]
        parts.append("stall" if self.stall_s else "")
        return " ".join(part for part in parts if part)

    @property
    def edits(self) -> bool:
        """Whether a good answer is changed."""
        return bool(self.leaves_out or self.replaces)


@dataclass(frozen=True)
class SocketFault:
    """What happens to one WebSocket connection."""

    action: SocketAction
    """
    refuse: answer the upgrade with `status` · stall: keep the upgrade waiting `for_s` ·
    raw_upgrade: answer it with the bytes `data` and hang up ·
    close: close with `code` and `reason` · close_without_code: an empty close frame ·
    drop: hang up without one ·
    abort: reset the TCP connection · cut_mid_frame: half a media frame, then reset ·
    stop_reading: leave the socket unread for `for_s` · mute: send nothing for `for_s`, what was due is lost ·
    hold_then_burst: send nothing for `for_s`, then all of it at once ·
    send_raw: write the bytes `data` · garbage: write a malformed message of `kind` (`garbage.KINDS`) ·
    end_meeting: meeting-left with `reason`
    """
    at: When = "now"
    """From which moment on: `upgrade` for refuse, stall, raw_upgrade and abort; `now` for `inject` only."""
    after_ms: float = 0.0
    """Milliseconds after that moment."""
    for_s: float = 0.0
    """How long it lasts (seconds)."""
    code: int = 1011
    """Close code."""
    reason: str = ""
    """Close reason, or the meeting-left message."""
    status: int = 503
    """HTTP status of a refused upgrade."""
    retry_after: str = ""
    """Retry-After header of a refused upgrade; empty for none."""
    data: bytes = b""
    """Bytes to write."""
    kind: str = ""
    """Kind of garbage."""
    receive_buffer_bytes: int = 0
    """With stop_reading: shrink the socket's receive buffer (bytes), so that the client soon can't write."""

    def __post_init__(self) -> None:
        """Refuse what could never happen."""
        at_upgrade = self.at == "upgrade"
        if (self.action in _UPGRADE_ONLY and not at_upgrade) or (at_upgrade and self.action not in _AT_UPGRADE):
            raise ValueError(f"{self.action} can't happen at {self.at}")
        if self.action == "garbage" and self.kind not in KINDS:
            raise ValueError(f"no garbage of kind {self.kind!r}")


def to_json(fault: SessionFault | SocketFault) -> dict[str, Any]:
    """A fault as JSON-ready values; bytes become base64."""
    values = dataclasses.asdict(fault)
    if isinstance(fault, SocketFault):
        values["data"] = base64.b64encode(fault.data).decode()
    return values


def session_fault(values: dict[str, Any]) -> SessionFault:
    """The reverse of `to_json`."""
    return SessionFault(**{**values, "leaves_out": tuple(values.get("leaves_out", ()))})


def socket_fault(values: dict[str, Any]) -> SocketFault:
    """The reverse of `to_json`."""
    return SocketFault(**{**values, "data": base64.b64decode(values.get("data", ""))})


class FaultBook:
    """Faults that wait for the next sessions and connections."""

    def __init__(self) -> None:
        self._sessions: deque[SessionFault] = deque()
        self._sockets: deque[tuple[SocketFault, ...]] = deque()

    def fail_sessions(self, fault: SessionFault, times: int) -> None:
        """Let the next `times` POSTs meet `fault`, after those already waiting."""
        self._sessions.extend([fault] * times)

    def script_sockets(self, faults: tuple[SocketFault, ...], times: int) -> None:
        """Let each of the next `times` connections meet all of `faults`; an empty tuple lets one pass."""
        self._sockets.extend([faults] * times)

    def for_session(self) -> SessionFault | None:
        """The fault of the POST that just came, or None."""
        return self._sessions.popleft() if self._sessions else None

    def for_socket(self) -> tuple[SocketFault, ...]:
        """The faults of the connection that just came."""
        return self._sockets.popleft() if self._sockets else ()

    @property
    def waiting(self) -> dict[str, int]:
        """How many faults still wait."""
        return {"sessions": len(self._sessions), "sockets": len(self._sockets)}

    def clear(self) -> None:
        """Forget what still waits."""
        self._sessions.clear()
        self._sockets.clear()
