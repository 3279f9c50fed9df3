"""The control socket's protocol: JSON-RPC 2.0, one object a line. Pure; https://www.jsonrpc.org/specification."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

MAX_LINE_BYTES: Final = 65536

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
UNAVAILABLE: Final = -32000
"""Ours: the request is sound, but can't be met now."""


class RpcError(Exception):
    """What a method answers instead of a result; `code` is one of this module's.

    `request_id` is that of a request that could not be read as a whole.
    """

    def __init__(self, code: int, message: str, request_id: str | int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.request_id = request_id


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `id` None: a notification, which is not answered."""

    method: str
    params: dict[str, Any]
    id: str | int | None


def parse_request(line: bytes) -> Request:
    """The request in one line. Raises RpcError."""
    try:
        value = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        raise RpcError(PARSE_ERROR, "a line that is not JSON") from None
    fields: dict[str, Any] = value if isinstance(value, dict) else {}
    request_id = fields.get("id")
    if request_id is not None and (isinstance(request_id, bool) or not isinstance(request_id, (str, int))):
        raise RpcError(INVALID_REQUEST, "id is to be a string or a whole number")
    method = fields.get("method")
    if fields.get("jsonrpc") != "2.0" or not isinstance(method, str):
        hint = 'not a JSON-RPC 2.0 request: {"jsonrpc": "2.0", "method": …, "id": …}'
        raise RpcError(INVALID_REQUEST, hint, request_id)
    params = fields.get("params", {})
    if not isinstance(params, dict):
        raise RpcError(INVALID_PARAMS, "params is to be an object", request_id)
    return Request(method, params, request_id)


def encode_request(method: str, params: dict[str, Any], request_id: int) -> bytes:
    """A request as a line."""
    return _line({"jsonrpc": "2.0", "method": method, "params": params, "id": request_id})


def encode_result(request_id: str | int, result: Any) -> bytes:
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
