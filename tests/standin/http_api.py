"""What every endpoint of the HTTP API does: who asks, with what body, and how errors are answered."""

from __future__ import annotations

import hmac
import json
import uuid
from typing import Any

from aiohttp import web

from tests.standin import tokens
from tests.standin.faults import SessionFault
from tests.standin.world import API_KEY, World

WORLD = web.AppKey("world", World)
"""Where the applications keep the world."""
NO_FAULT = SessionFault()


class RefusedError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def check_token(world: World, scheme: str, token: str, room_id: str | None) -> None:
    """Raise RefusedError with 401 or 403 unless the token may create sessions (in that room)."""
    wanted = world.settings.auth_scheme
    world.seen_tokens.add(token)
    if scheme == "none" or (wanted != "both" and scheme != wanted):
        raise RefusedError(401, "Token is invalid or expired")
    fixed = world.settings.fixed_token
    if fixed and hmac.compare_digest(token.encode(), fixed.encode()):
        return
    try:
        tokens.judge(token, API_KEY, world.secret, room_id)
    except tokens.TokenRefusedError as exc:
        raise RefusedError(exc.status, str(exc)) from None


def authorization(request: web.Request) -> tuple[str, str]:
    """Scheme (`bearer`, `raw` or `none`) and token of a request."""
    value = request.headers.get("Authorization", "").strip()
    scheme, _, token = value.partition(" ")
    if scheme.lower() == "bearer":
        return ("bearer", token.strip()) if token.strip() else ("none", "")
    return ("raw", value) if value else ("none", "")


async def json_body(request: web.Request) -> Any:
    """The request's JSON; raises RefusedError with 413 or 400."""
    limit = request.app[WORLD].settings.body_limit_bytes
    raw = bytearray()
    while chunk := await request.content.readany():
        raw += chunk
        if len(raw) > limit:
            raise RefusedError(413, "body is too large")
    if request.content_type != "application/json":
        raise RefusedError(400, "Content-Type must be application/json")
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise RefusedError(400, "body is not JSON") from None


def check_text(values: dict[str, Any], key: str, name: str, *, required: bool = False) -> None:
    """Raise RefusedError with 400 unless that field is a text with something in it, or missing."""
    if key not in values:
        if required:
            raise RefusedError(400, f"{name} is required")
    elif not isinstance(values[key], str) or not values[key].strip():
        raise RefusedError(400, f"{name} must be a non-empty string")


def check_object(values: dict[str, Any], key: str, name: str) -> dict[str, Any]:
    """That field, {} where it is missing; raises RefusedError with 400 where it is no object."""
    value = values.get(key, {})
    if not isinstance(value, dict):
        raise RefusedError(400, f"{name} must be an object")
    return value


def error(world: World, exc: RefusedError, fault: SessionFault = NO_FAULT) -> web.Response:
    """The answer to a request that is refused."""
    headers = {**request_id(world), **fault.headers}
    if fault.retry_after:
        headers["Retry-After"] = fault.retry_after
    if fault.body == "html":
        return web.Response(status=exc.status, text="<html><body>no</body></html>", content_type="text/html")
    body = json.dumps({world.settings.error_key: str(exc)})
    if fault.body == "garbage":
        body = "upstream connect error"
    return web.Response(status=exc.status, text=body, content_type="application/json", headers=headers)


def request_id(world: World) -> dict[str, str]:
    """The header with a new request id, if the switches want one."""
    name = world.settings.request_id_header
    return {name: str(uuid.uuid4())} if name else {}
