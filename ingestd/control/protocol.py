"""The control socket's protocol: JSON-RPC 2.0, one object a line. Pure; https://www.jsonrpc.org/specification."""

from __future__ import annotations

import json
import math
from typing import Any, Final, NamedTuple, NoReturn

MAX_LINE_BYTES: Final = 65536
MAX_ID_CHARS: Final = 128
_MOST_ID: Final = 2**63 - 1

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
UNAVAILABLE: Final = -32000
"""Ours: the request is sound, but can't be met now."""
FORBIDDEN: Final = -32001
"""Ours: whoever asks is not served at all."""


class RpcError(Exception):
    """What a method answers instead of a result; `code` is one of this module's.

    `request_id` is that of a request that could not be read as a whole.
    """

    def __init__(self, code: int, message: str, request_id: str | int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.request_id = request_id


class Request(NamedTuple):
    """One call. A notification is carried out and not answered; an `id` of None is answered with just that."""

    method: str
    params: dict[str, Any]
    id: str | int | None
    is_notification: bool = False


def parse_request(line: bytes) -> Request:
    """The request in one line. Raises RpcError."""
    try:
        value = _DECODER.decode(line.decode("utf-8"))
    except RecursionError:
        raise RpcError(PARSE_ERROR, "a line that is not JSON: it is nested too deeply") from None
    except ValueError as error:
        raise RpcError(PARSE_ERROR, f"a line that is not JSON: {_said(error)}") from None
    if isinstance(value, list):
        raise RpcError(INVALID_REQUEST, "batches are not served; send one request a line")
    fields: dict[str, Any] = value if isinstance(value, dict) else {}
    request_id = fields.get("id")
    if not _is_id(request_id):
        hint = f"id is to be a string of at most {MAX_ID_CHARS} characters, or a whole number below 2^63"
        raise RpcError(INVALID_REQUEST, hint)
    method = fields.get("method")
    if fields.get("jsonrpc") != "2.0" or not isinstance(method, str):
        hint = 'not a JSON-RPC 2.0 request: {"jsonrpc": "2.0", "method": …, "id": …}'
        raise RpcError(INVALID_REQUEST, hint, request_id)
    params = fields.get("params", {})
    if not isinstance(params, dict):
        raise RpcError(INVALID_PARAMS, "params is to be an object: they go by name, not by position", request_id)
    return Request(method, params, request_id, is_notification="id" not in fields)


def _is_id(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_ID_CHARS
    return value is None or (type(value) is int and abs(value) <= _MOST_ID)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key is there twice")
    return value


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number is too large")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number there")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_constant)


def _said(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos + 1}"
    if isinstance(error, UnicodeDecodeError):
        return f"no UTF-8 at byte {error.start + 1}"
    return "a number is too large" if "digits" in str(error) else str(error)


def encode_request(method: str, params: dict[str, Any], request_id: int) -> bytes:
    """A request as a line."""
    return _line({"jsonrpc": "2.0", "method": method, "params": params, "id": request_id})


def encode_result(request_id: str | int | None, result: Any) -> bytes:
    """The answer to a request that succeeded."""
    return _line({"jsonrpc": "2.0", "result": result, "id": request_id})


def encode_error(request_id: str | int | None, error: RpcError) -> bytes:
    """The answer to a request that failed."""
    return _line({"jsonrpc": "2.0", "error": {"code": error.code, "message": str(error)}, "id": request_id})


def encode_notification(method: str, params: dict[str, Any]) -> bytes:
    """Something that happened."""
    return _line({"jsonrpc": "2.0", "method": method, "params": params})


def _line(value: dict[str, Any]) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace") + b"\n"
