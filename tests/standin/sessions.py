"""The HTTP API: creating ingest sessions, registering webhooks, the public key."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
import uuid
from typing import Any

from aiohttp import web

from tests.standin import taken, tokens
from tests.standin.calls import Call
from tests.standin.faults import SessionFault
from tests.standin.records import SessionRequest
from tests.standin.world import API_KEY, World

WORLD = web.AppKey("world", World)
"""Where the applications keep the world."""

_HUGE_BYTES = 8 << 20
_SECRET_HEADERS = {"authorization", "cookie"}


class RefusedError(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def create_session(request: web.Request) -> web.StreamResponse:
    """POST /v2/ingest/sessions."""
    world = request.app[WORLD]
    scheme, token = _authorization(request)
    headers = {k.lower(): v for k, v in request.headers.items() if k.lower() not in _SECRET_HEADERS}
    record = SessionRequest(time.monotonic(), 0, scheme, headers, None, None, "", "")
    world.requests.append(record)
    fault = world.faults.for_session() or SessionFault()
    record.fault = fault.label
    try:
        record.body = await _json_body(request)
        if fault.stall_s:
            await asyncio.sleep(fault.stall_s)
        if fault.status is not None:
            if fault.make_session:
                record.call_id = _make(world, record.body).info.call_id
            raise RefusedError(fault.status, fault.message or f"scripted {fault.status}")
        if fault.abort:
            return taken.reset(request)
        check_token(world, scheme, token, None)
        check_body(record.body)
        check_token(world, scheme, token, record.body["roomId"])
        _check_room(world, record.body["roomId"])
        call = _make(world, record.body)
        record.call_id = call.info.call_id
        record.status = 200
        return _answer(request, world, call, fault)
    except RefusedError as exc:
        record.status, record.message = exc.status, str(exc)
        world.on_log(f"session refused with {exc.status}: {exc}")
        return _error(world, exc, fault)


async def public_key(request: web.Request) -> web.Response:
    """GET /v2/public/rsa-public-key."""
    return web.json_response({"publicKey": request.app[WORLD].webhooks.public_pem()})


async def register_webhook(request: web.Request) -> web.Response:
    """POST /v2/sip/webhooks: `url` and the `events` it wants, all of them if none is named."""
    world = request.app[WORLD]
    try:
        check_token(world, *_authorization(request), None)
        body = await _json_body(request)
        if not isinstance(body, dict) or not isinstance(body.get("url"), str):
            raise RefusedError(400, "url is required")
        events = body.get("events", [])
        if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
            raise RefusedError(400, "events must be a list of strings")
        world.webhooks.registered.append((body["url"], frozenset(events)))
        world.webhooks.prepare()
        return web.json_response({"message": "Webhook registered", "data": body})
    except RefusedError as exc:
        return _error(world, exc, SessionFault())


def check_token(world: World, scheme: str, token: str, room_id: str | None) -> None:
    """Raise RefusedError with 401 or 403 unless the token may create sessions (in that room)."""
    wanted = world.settings.auth_scheme
    if scheme == "none" or (wanted != "both" and scheme != wanted):
        raise RefusedError(401, "Token is invalid or expired")
    fixed = world.settings.fixed_token
    if fixed and hmac.compare_digest(token.encode(), fixed.encode()):
        return
    try:
        tokens.judge(token, API_KEY, world.secret, room_id)
    except tokens.TokenRefusedError as exc:
        raise RefusedError(exc.status, str(exc)) from None


def check_body(body: Any) -> None:
    """Raise RefusedError with 400 unless every field has the page's type."""
    if not isinstance(body, dict):
        raise RefusedError(400, "body must be a JSON object")
    _check_text(body, "roomId", "roomId", required=True)
    _check_text(body, "region", "region")
    participant = _check_object(body, "participant", "participant")
    _check_text(participant, "id", "participant.id")
    _check_text(participant, "name", "participant.name")
    _check_object(participant, "metadata", "participant.metadata")
    agent = _check_object(body, "agent", "agent")
    _check_text(agent, "id", "agent.id", required="agent" in body)
    _check_object(agent, "metadata", "agent.metadata")


def _check_text(values: dict[str, Any], key: str, name: str, *, required: bool = False) -> None:
    if key not in values:
        if required:
            raise RefusedError(400, f"{name} is required")
    elif not isinstance(values[key], str) or not values[key].strip():
        raise RefusedError(400, f"{name} must be a non-empty string")


def _check_object(values: dict[str, Any], key: str, name: str) -> dict[str, Any]:
    value = values.get(key, {})
    if not isinstance(value, dict):
        raise RefusedError(400, f"{name} must be an object")
    return value


def _check_room(world: World, room_id: str) -> None:
    known = world.settings.known_rooms
    if known and room_id not in known:
        raise RefusedError(world.settings.unknown_room_status, "Room not found")


def _make(world: World, body: Any) -> Call:
    check_body(body)
    call = world.calls.create(body, world.settings)
    world.on_log(f"{call.info.participant_name}: session created for room {call.info.room_id}")
    return call


def _authorization(request: web.Request) -> tuple[str, str]:
    """Scheme (`bearer`, `raw` or `none`) and token of a request."""
    value = request.headers.get("Authorization", "").strip()
    scheme, _, token = value.partition(" ")
    if scheme.lower() == "bearer":
        return ("bearer", token.strip()) if token.strip() else ("none", "")
    return ("raw", value) if value else ("none", "")


async def _json_body(request: web.Request) -> Any:
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


def _answer(request: web.Request, world: World, call: Call, fault: SessionFault) -> web.StreamResponse:
    """The page's answer, or what the fault makes of it."""
    expires = world.settings.session_ttl_s
    data: dict[str, Any] = {
        "wsUrl": f"{world.ws_base()}/videosdk?ref={call.ref}",
        "callId": call.info.call_id,
        "expiresIn": int(expires) if expires == int(expires) else expires,
    }
    data.update(fault.replaces)
    answer: dict[str, Any] = {"message": "Ingest session created", "data": data}
    for field in (*world.settings.answer_leaves_out, *fault.leaves_out):
        data.pop(field, None)
        answer.pop(field, None)
    text = json.dumps(answer)
    headers = {**_request_id(world), **fault.headers}
    match fault.body:
        case "garbage":
            text = "\x00\x01 not JSON {"
        case "huge":
            text = json.dumps({**answer, "padding": "x" * _HUGE_BYTES})
        case "empty":
            text = ""
        case "not_an_object":
            text = "[1, 2, 3]"
        case "html":
            return web.Response(text="<html><body>Log in to the guest network</body></html>",
                                content_type="text/html", headers=headers)  # fmt: skip
        case "truncated":
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
            return taken.raw(request, (head + text[: len(text) // 2]).encode())
    return web.Response(text=text, content_type="application/json", headers=headers)


def _error(world: World, exc: RefusedError, fault: SessionFault) -> web.Response:
    headers = {**_request_id(world), **fault.headers}
    if fault.retry_after:
        headers["Retry-After"] = fault.retry_after
    if fault.body == "html":
        return web.Response(status=exc.status, text="<html><body>no</body></html>", content_type="text/html")
    body = json.dumps({world.settings.error_key: str(exc)})
    if fault.body == "garbage":
        body = "upstream connect error"
    return web.Response(status=exc.status, text=body, content_type="application/json", headers=headers)


def _request_id(world: World) -> dict[str, str]:
    name = world.settings.request_id_header
    return {name: str(uuid.uuid4())} if name else {}
