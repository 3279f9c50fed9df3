"""The backend's side of the contract: the request that creates an ingest session, and its answer. Pure.

The vendor's page fixes the request; of the answer only `data.wsUrl` is needed, the rest may be missing.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from ingestd.core.retry_after import retry_after_s
from ingestd.errors import BackendError, BackendFault

DEFAULT_EXPIRES_IN_S: Final = 90.0
MAX_ANSWER_BYTES: Final = 65536
_MAX_TEXT_CHARS: Final = 300
_MESSAGE_KEYS: Final = ("message", "error", "msg", "statusMessage")
_CODE_KEYS: Final = ("code", "errorCode")
_REQUEST_ID_HEADERS: Final = ("x-request-id", "request-id", "x-amzn-requestid")

_FAULT_OF_STATUS: Final = {
    400: BackendFault.REFUSED,
    401: BackendFault.UNAUTHORIZED,
    402: BackendFault.NOT_FOUND,
    403: BackendFault.FORBIDDEN,
    404: BackendFault.NOT_FOUND,
    429: BackendFault.RATE_LIMITED,
}


class IngestSession(NamedTuple):
    """A session that nobody has claimed yet. `ws_url` is a secret: it is never shown, logged or reused."""

    ws_url: str
    call_id: str | None
    expires_in_s: float

    def __repr__(self) -> str:
        return f"IngestSession(ws_url=<secret>, call_id={self.call_id!r}, expires_in_s={self.expires_in_s})"


def request_body(
    *,
    room_id: str | None,
    participant: Mapping[str, Any],
    agent: Mapping[str, Any] | None,
    region: str | None,
) -> dict[str, Any]:
    """The JSON body of the page's POST. What is None is left out, for the service to choose."""
    body: dict[str, Any] = {}
    if room_id is not None:
        body["roomId"] = room_id
    given = {key: value for key, value in participant.items() if value is not None}
    if given:
        body["participant"] = given
    if agent is not None:
        body["agent"] = {key: value for key, value in agent.items() if value is not None}
    if region is not None:
        body["region"] = region
    return body


def read_answer(status: int, headers: Mapping[str, str], body: bytes) -> IngestSession:
    """The session in a backend's answer. Raises BackendError, which says what the backend said, without secrets."""
    if len(body) > MAX_ANSWER_BYTES:
        raise BackendError(
            BackendFault.BAD_ANSWER, f"the backend answered more than {MAX_ANSWER_BYTES} bytes; check backend.url"
        )
    answer = _json_object(body)
    if not 200 <= status < 300:
        raise _refusal(status, headers, answer)
    data = answer.get("data")
    fields = data if isinstance(data, dict) else answer
    ws_url = fields.get("wsUrl")
    if not isinstance(ws_url, str):
        raise BackendError(
            BackendFault.BAD_ANSWER, f"the backend answered {status} without data.wsUrl; check backend.url"
        )
    check_ws_url(ws_url)
    call_id = fields.get("callId")
    expires = fields.get("expiresIn")
    usable = isinstance(expires, (int, float)) and not isinstance(expires, bool) and 0 < expires < 86400
    return IngestSession(
        ws_url=ws_url,
        call_id=_short(call_id) if isinstance(call_id, str) else None,
        expires_in_s=float(expires) if usable and expires is not None else DEFAULT_EXPIRES_IN_S,
    )


def check_ws_url(url: str) -> None:
    """Raises BackendError unless `url` is wss://, or ws:// to this very machine. The URL is not in the message."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port  # a port that is no number raises here
    except ValueError:
        host = None
    if not host or not url.isascii() or not url.isprintable() or " " in url:
        raise BackendError(
            BackendFault.BAD_ANSWER, "the session's wsUrl is no URL; check backend.url, or what the call was given"
        )
    if parts.scheme == "wss" or (parts.scheme == "ws" and is_loopback(host)):
        return
    raise BackendError(
        BackendFault.BAD_ANSWER,
        f"the session's wsUrl is {parts.scheme}:// to {host}; only wss:// is used beyond this machine",
    )


def is_loopback(host: str) -> bool:
    """True for localhost and the loopback addresses: the only places that plain text may go."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _refusal(status: int, headers: Mapping[str, str], answer: dict[str, Any]) -> BackendError:
    fault = _FAULT_OF_STATUS.get(status)
    if fault is None:
        passes = status >= 500 or 100 < status < 200 or status in (408, 409)  # 103: the answer was still to come
        fault = BackendFault.TRANSIENT if passes else BackendFault.REFUSED
    parts = [f"the backend answered {status}"]
    lowered = {key.lower(): value for key, value in headers.items()}
    said = next((answer[key] for key in _MESSAGE_KEYS if isinstance(answer.get(key), str)), None)
    code = next((answer[key] for key in _CODE_KEYS if isinstance(answer.get(key), (str, int))), None)
    request_id = next((lowered[key] for key in _REQUEST_ID_HEADERS if key in lowered), None)
    if said:
        parts.append(f"“{_short(said)}”")
    if code is not None:
        parts.append(f"code {_short(str(code))}")
    if request_id:
        parts.append(f"request id {_short(request_id)}")
    wait_s = retry_after_s(lowered.get("retry-after"), lowered.get("date"))
    return BackendError(fault, ", ".join(parts), retry_after_s=wait_s)


def _short(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text[:_MAX_TEXT_CHARS])
