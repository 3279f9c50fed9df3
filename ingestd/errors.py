"""The errors of ingestd, split by what whoever catches them has to do.

    IngestdError
    ├── ConfigError            a person mends the configuration; carries every fault; exit 78
    ├── StartError             the daemon can't have what it needs to start: tried again; exit 75
    ├── BackendError           no session was created; the supervisor retries by `fault`
    ├── ChannelError           a connection is over or never came to be
    │   ├── RemoteProtocolError   the peer broke RFC 6455: close 1002 and start afresh
    │   ├── CertificateError      the server's certificate is refused: a person's job
    │   ├── UpgradeRefused        the server answered the WebSocket's opening by an HTTP status
    │   ├── ProxyRefused          the proxy will not let us through: a person's job
    │   └── ChannelClosed         closed by the peer, by us, or cut
    │      └── MeetingEnded          the room is over for this device, which is no fault
    ├── MetricsError           figures for Prometheus can't be served: tried again; the call goes on
    ├── NotNow                 what somebody asked for can't be done at present
    ├── WireError              one inbound message was refused; count it, go on
    └── DeviceError            a sound device is absent or was lost; look for it again
        └── UnfitDeviceError      it is there and can't be used: a person mends it; look seldom

Messages name what happened, where, and what to do. None of them ever holds a token or a `ref`.
"""

from __future__ import annotations

import enum
import re
from typing import Final


class IngestdError(Exception):
    """Base of all errors raised by ingestd on purpose."""

    @property
    def key(self) -> str:
        """The same for the same fault, whatever passing details its message has."""
        return re.sub(r"\d+(?= s\b)", "#", str(self))  # how long something took is passing


class ConfigError(IngestdError):
    """The configuration can't be used; `faults` lists everything that is wrong with it, one line each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class StartError(IngestdError):
    """Something the daemon needs from the start can't be had."""


class MetricsError(IngestdError):
    """Figures for Prometheus can't be served at present."""


class BackendFault(enum.Enum):
    """Why no session was created; the value names it in status and journal."""

    UNREACHABLE = "backend-unreachable"
    TRANSIENT = "backend-unavailable"
    RATE_LIMITED = "rate-limited"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not-found"
    REFUSED = "refused"
    TLS = "tls"
    TOKEN = "token"  # noqa: S105 - the name of a fault
    PROXY = "proxy"
    BAD_ANSWER = "bad-answer"


class BackendError(IngestdError):
    """No session was created. `retry_after_s` is what the backend asked for, where it did."""

    def __init__(self, fault: BackendFault, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.fault = fault
        self.retry_after_s = retry_after_s

    @property
    def key(self) -> str:
        """See `IngestdError`; messages of this one may hold a request id."""
        return self.fault.value


class ChannelError(IngestdError):
    """A connection is over or never came to be."""


class RemoteProtocolError(ChannelError):
    """The peer broke RFC 6455; the connection can't be trusted any further."""


class CertificateError(ChannelError):
    """The server's certificate is refused, or the clock is before its start."""


class UpgradeRefused(ChannelError):  # noqa: N818 - what happened
    """The server answered the opening handshake by an HTTP `status` other than 101."""

    def __init__(self, message: str, status: int, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s

    @property
    def key(self) -> str:
        """See `IngestdError`."""
        return f"upgrade refused with {self.status}"


class ProxyRefused(ChannelError):  # noqa: N818 - what happened
    """The proxy answered CONNECT by an HTTP `status` that will not change by itself (401, 403, 405, 407).

    0: it was not asked, as its URL is none of a proxy that can be used.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class ChannelClosed(ChannelError):  # noqa: N818 - an end, not always an error
    """The connection is closed. `code` is the peer's close code (RFC 6455 §7.4), None for a cut without one."""

    def __init__(self, message: str, code: int | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason

    @property
    def ended(self) -> bool:
        """Somebody ended it on purpose: by `meeting-left`, or by a close frame that tells of no fault."""
        return self.code is not None and (self.code in (1000, 1005) or 4000 <= self.code < 5000)

    @property
    def key(self) -> str:
        """See `IngestdError`; a server may give another reason every time."""
        return super().key if self.code is None else f"closed with code {self.code}"


class MeetingEnded(ChannelClosed):
    """The room is over for this device: a `meeting-left`, or a call that was hung up."""

    @property
    def ended(self) -> bool:
        """See `ChannelClosed`."""
        return True


class NotNow(IngestdError):  # noqa: N818 - an answer
    """What somebody asked for can't be done at present; says why, and what can."""


class WireError(IngestdError):
    """One inbound message was refused; `kind` is the counter it goes to (`ingestd.core.wire.WIRE_FAULTS`)."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


class DeviceError(IngestdError):
    """A sound device is absent, busy or was lost."""


class UnfitDeviceError(DeviceError):
    """A sound device is there, but can't be used as it is configured.

    To find that out it is opened in full, which holds up every thread: not to be done twice a second.
    """

    RETRY_S: Final = 30.0
    """How soon another device by the same name, put in its place, is found at the latest."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{message}; it is tried again every {self.RETRY_S:.0f} s")


def key_of(error: Exception) -> str:
    """The key of a fault, foreseen (`IngestdError.key`) or not."""
    return error.key if isinstance(error, IngestdError) else type(error).__name__
