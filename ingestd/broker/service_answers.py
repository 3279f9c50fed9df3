"""How the service's answers are read: an object in JSON, or a refusal in words of any of several kinds. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ingestd.broker.errors import ServiceError
from ingestd.core.retry_after import retry_after_s

_DEFAULT_EXPIRES_IN_S: Final = 90.0
_LONGEST_EXPIRES_IN_S: Final = 86_400.0
_LONGEST_ID_CHARS: Final = 128
_LONGEST_SAID_CHARS: Final = 200
_LONGEST_CODE_CHARS: Final = 64
_MESSAGE_KEYS: Final = ("message", "error", "msg", "statusMessage")
_CODE_KEYS: Final = ("code", "errorCode")
_REQUEST_ID_HEADERS: Final = ("x-request-id", "request-id", "x-amzn-requestid")


class Answer(NamedTuple):
    """What came back; `headers` take their names in any case."""

    status: int
    headers: Mapping[str, str]
    fields: dict[str, Any]


def read_object(content: bytes) -> dict[str, Any]:
    """The object in an answer's body; an empty one where there is none."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def refusal(answer: Answer, token: str | None) -> ServiceError:
    """What an answer that is no 2xx says. `token` is what it may quote, and is taken out."""
    fields = answer.fields
    said = next((fields[key] for key in _MESSAGE_KEYS if isinstance(fields.get(key), str)), "")
    code = next((fields[key] for key in _CODE_KEYS if isinstance(fields.get(key), str | int)), None)
    request_id = next((answer.headers[name] for name in _REQUEST_ID_HEADERS if name in answer.headers), None)

    def shown(text: str, longest_chars: int) -> str:
        # A refusal may quote what it refuses.
        text = text if token is None else text.replace(token, "<token>")
        return "".join(char if char.isprintable() else " " for char in text[:longest_chars]).strip()

    what = f"the service answered {answer.status}"
    if 300 <= answer.status < 400:
        what += ", a redirect, which is never followed; check videosdk.url"
    return ServiceError(
        answer.status,
        f"{what}: {shown(said, _LONGEST_SAID_CHARS)}" if said else what,
        retry_after_s=retry_after_s(answer.headers.get("Retry-After"), answer.headers.get("Date")),
        code=None if code is None else shown(str(code), _LONGEST_CODE_CHARS) or None,
        request_id=None if request_id is None else shown(request_id, _LONGEST_ID_CHARS) or None,
    )


def odd(answer: Answer, how: str) -> ServiceError:
    """For an answer that is good, but for what it lacks."""
    return ServiceError(answer.status, f"the service answered {answer.status} {how}; check videosdk.url")


def lifetime_s(value: Any) -> float:
    """How long an unclaimed session lives, by `expiresIn`; the page's 90 s where that says nothing usable."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < _LONGEST_EXPIRES_IN_S:
        return float(value)
    return _DEFAULT_EXPIRES_IN_S


def an_id(value: Any) -> str | None:
    """An id as it may be kept and shown; None for what is none."""
    usable = isinstance(value, str) and 0 < len(value) <= _LONGEST_ID_CHARS and value.isprintable()
    return value if usable else None
