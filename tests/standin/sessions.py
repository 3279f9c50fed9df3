"""POST /v2/ingest/sessions: creating ingest sessions."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from aiohttp import web

from tests.standin import taken
from tests.standin.calls import Call
from tests.standin.faults import SessionFault
from tests.standin.http_api import (
    WORLD,
    RefusedError,
    authorization,
    check_object,
    check_text,
    check_token,
    error,
    json_body,
    request_id,
)
from tests.standin.records import SessionRequest
from tests.standin.world import World

_HUGE_BYTES = 8 << 20
_SECRET_HEADERS = {"authorization", "cookie"}


async def create_session(request: web.Request) -> web.StreamResponse:
    """POST /v2/ingest/sessions."""
    world = request.app[WORLD]
    scheme, token = authorization(request)
    headers = {k.lower(): v for k, v in request.headers.items() if k.lower() not in _SECRET_HEADERS}
    record = SessionRequest(time.monotonic(), 0, scheme, headers, None, None, "", "")
    world.requests.append(record)
    fault = world.faults.for_session() or SessionFault()
    record.fault = fault.label
    try:
        record.body = await json_body(request)
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
        return error(world, exc, fault)


def check_body(body: Any) -> None:
    """Raise RefusedError with 400 unless every field has the page's type."""
    if not isinstance(body, dict):
        raise RefusedError(400, "body must be a JSON object")
    check_text(body, "roomId", "roomId", required=True)
    check_text(body, "region", "region")
    participant = check_object(body, "participant", "participant")
    check_text(participant, "id", "participant.id")
    check_text(participant, "name", "participant.name")
    check_object(participant, "metadata", "participant.metadata")
    agent = check_object(body, "agent", "agent")
    check_text(agent, "id", "agent.id", required="agent" in body)
    check_object(agent, "metadata", "agent.metadata")


def _check_room(world: World, room_id: str) -> None:
    known = world.settings.known_rooms
    if known and room_id not in known and room_id not in world.made_rooms.ids:
        raise RefusedError(world.settings.unknown_room_status, "Room not found")


def _make(world: World, body: Any) -> Call:
    check_body(body)
    call = world.calls.create(body, world.settings)
    world.on_log(f"{call.info.participant_name}: session created for room {call.info.room_id}")
    return call


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
    headers = {**request_id(world), **fault.headers}
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
