"""The control API: a listener of its own on the loopback, for tests, demo and benches."""

from __future__ import annotations

import asyncio
import io
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import asdict

import numpy as np
from aiohttp import web

from tests.standin import admin_service, faults, inject, topics
from tests.standin.calls import Call
from tests.standin.http_api import WORLD
from tests.standin.jitter import FRAME_BYTES
from tests.standin.people import LocalParticipant
from tests.standin.records import CallInfo, FrameLog, as_json
from tests.standin.room import Room
from tests.standin.world import World

_LARGEST_BODY_BYTES = 512 << 20

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def admin_app(world: World) -> web.Application:
    """The application of the control API."""
    app = web.Application(client_max_size=_LARGEST_BODY_BYTES, middlewares=[_errors])
    app[WORLD] = world
    app.add_routes(
        [
            web.get("/state", _state),
            web.get("/settings", _get_settings),
            web.patch("/settings", _patch_settings),
            web.delete("/settings", _reset_settings),
            web.post("/tokens", _mint),
            web.get("/tokens", _seen_tokens),
            web.get("/requests", _requests),
            web.get("/calls", _calls),
            web.get("/calls/{key}", _call),
            web.get("/calls/{key}/received", _received),
            web.get("/calls/{key}/sent", _sent),
            web.get("/connections", _connections),
            *admin_service.routes(),
            web.post("/faults/sessions", _fail_sessions),
            web.post("/faults/sockets", _script_sockets),
            web.post("/faults/now", _inject),
            web.delete("/faults", _clear_faults),
            web.get("/rooms", _room),
            web.post("/rooms/end", _end_room),
            web.post("/people", _add),
            web.get("/people/{id}", _person_info),
            web.delete("/people/{id}", _remove),
            web.post("/people/{id}/say", _say),
            web.post("/people/{id}/hush", _hush),
            web.get("/people/{id}/heard", _heard),
            web.post("/people/{id}/publish", _publish),
            web.post("/people/{id}/flood", _flood),
            web.post("/people/{id}/subscribe", _subscribe),
            web.post("/people/{id}/unsubscribe", _unsubscribe),
        ]
    )
    return app


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a caller did wrong into an answer that says so."""
    try:
        return await handler(request)
    except (KeyError, ValueError, TypeError, topics.TopicRefusedError) as exc:
        status = 404 if isinstance(exc, KeyError) else 400
        return web.json_response({"error": f"{type(exc).__name__}: {exc}"}, status=status)


def _done() -> web.Response:
    return web.json_response({})


def _start(request: web.Request) -> int:
    return int(request.query.get("start", "0"))


# --- state and switches


async def _state(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    return web.json_response(
        {
            "now_s": time.monotonic(),
            "tick": world.ticker.ticks,
            "worst_late_ms": world.ticker.worst_late_ms,
            "made_up_ticks": world.ticker.made_up,
            "requests": len(world.requests),
            "calls": len(world.calls.calls),
            "connections": len(world.connections),
            "open_connections": sorted(world.open),
            "waiting_faults": world.faults.waiting,
            "key_requests": world.webhooks.key_requests,
        }
    )


async def _get_settings(request: web.Request) -> web.Response:
    return web.json_response(asdict(request.app[WORLD].settings))


async def _patch_settings(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    world.settings = world.settings.changed(await request.json())
    world.webhooks.prepare()
    return web.json_response(asdict(world.settings))


async def _reset_settings(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    world.settings = world.first_settings
    return web.json_response(asdict(world.settings))


async def _mint(request: web.Request) -> web.Response:
    return web.json_response({"token": request.app[WORLD].mint_token(**await request.json())})


async def _seen_tokens(request: web.Request) -> web.Response:
    return web.json_response(sorted(request.app[WORLD].seen_tokens - {""}))


# --- records


async def _requests(request: web.Request) -> web.Response:
    return web.json_response([as_json(r) for r in request.app[WORLD].requests[_start(request) :]])


def _info(world: World, call: Call) -> CallInfo:
    """The figures of a call as they are now."""
    info = call.info
    info.received_frames, info.received_bytes = call.received.frames, call.received.bytes
    info.sent_frames, info.sent_bytes = call.sent.frames, call.sent.bytes
    for index in info.connections:
        connection = world.open.get(index)
        if connection is not None and connection.participant is not None:
            connection.participant.note_figures()
    return info


def _find(request: web.Request) -> Call:
    call = request.app[WORLD].calls.find(request.match_info["key"])
    if call is None:
        raise KeyError(f"no call {request.match_info['key']}")
    return call


async def _calls(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    return web.json_response([as_json(_info(world, call)) for call in world.calls.calls[_start(request) :]])


async def _call(request: web.Request) -> web.Response:
    return web.json_response(as_json(_info(request.app[WORLD], _find(request))))


async def _packed(log: FrameLog, start: int) -> web.Response:
    kept = log.kept(start)
    return web.Response(body=await asyncio.to_thread(kept.packed))


async def _received(request: web.Request) -> web.Response:
    return await _packed(_find(request).received, _start(request))


async def _sent(request: web.Request) -> web.Response:
    return await _packed(_find(request).sent, _start(request))


async def _connections(request: web.Request) -> web.Response:
    return web.json_response([as_json(info) for info in request.app[WORLD].connections[_start(request) :]])


# --- faults


async def _fail_sessions(request: web.Request) -> web.Response:
    body = await request.json()
    request.app[WORLD].faults.fail_sessions(faults.session_fault(body["fault"]), body["times"])
    return _done()


async def _script_sockets(request: web.Request) -> web.Response:
    body = await request.json()
    script = tuple(faults.socket_fault(fault) for fault in body["faults"])
    request.app[WORLD].faults.script_sockets(script, body["times"])
    return _done()


async def _inject(request: web.Request) -> web.Response:
    """Let a fault happen on open connections: all of them, or those of one call."""
    world = request.app[WORLD]
    body = await request.json()
    fault = faults.socket_fault(body["fault"])
    call = world.calls.find(body["call"]) if body["call"] is not None else None
    wanted = [c for c in list(world.open.values()) if body["call"] is None or (call and c.call is call)]
    hit = [c for c in wanted if not inject.is_lost(c.transport)]
    for connection in hit:
        connection.inject(fault)
    return web.json_response({"connections": [connection.info.index for connection in hit]})


async def _clear_faults(request: web.Request) -> web.Response:
    request.app[WORLD].faults.clear()
    return _done()


# --- rooms and people


async def _room(request: web.Request) -> web.Response:
    room = request.app[WORLD].room(request.query["room"])
    history = [as_json(m) for m in room.history.of(request.query.get("topic", ""))]
    people = [participant.description() for participant in room.participants]
    return web.json_response({"session_id": room.session_id, "participants": people, "history": history})


async def _end_room(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    body = await request.json()
    world.room(body["room"]).end(body["message"], world.settings)
    return _done()


def _person(request: web.Request) -> tuple[Room, LocalParticipant]:
    return request.app[WORLD].people[request.match_info["id"]]


async def _add(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    body = await request.json()
    person = LocalParticipant(
        body["id"] or str(uuid.uuid4()),
        body["name"],
        body["metadata"],
        publishing=body["publishing"],
        recorded_s=world.settings.recorded_s if body["recording"] else 0,
    )
    room = world.room(body["room"])
    room.join(person, world.settings)
    world.people[person.id] = (room, person)
    world.on_log(f"{person.name}: joined room {room.id}")
    return web.json_response({"id": person.id})


async def _person_info(request: web.Request) -> web.Response:
    _room_of, person = _person(request)
    return web.json_response(
        {
            "gone": person.gone,
            "speaking": person.speaking,
            "notices": person.notices,
            "messages": [as_json(message) for message in person.messages],
        }
    )


async def _remove(request: web.Request) -> web.Response:
    room, person = _person(request)
    room.leave(person, request.app[WORLD].settings)
    person.gone = person.gone or "removed"
    return _done()


async def _say(request: web.Request) -> web.Response:
    ticker = request.app[WORLD].ticker
    _room_of, person = _person(request)
    pcm = await request.read()
    if not pcm or len(pcm) % 2:
        raise ValueError("PCM is whole 16-bit samples, one at least")
    first = ticker.ticks + 1
    if "at" in request.query:
        first = max(first, ticker.tick_at(float(request.query["at"])))
    began = person.say(pcm, first, request.query.get("loop") == "1")
    return web.json_response({"began_s": ticker.time_of(began)})


async def _hush(request: web.Request) -> web.Response:
    _person(request)[1].hush()
    return _done()


async def _heard(request: web.Request) -> web.Response:
    """What a person has heard from tick number `start` of the recording on."""
    ticker = request.app[WORLD].ticker
    _room_of, person = _person(request)
    start = _start(request)
    first = (person.first_tick if person.first_tick is not None else ticker.ticks + 1) + start
    out = io.BytesIO()
    np.savez(
        out,
        first_s=np.float64(ticker.time_of(first)),
        missed_ticks=np.int64(person.missed_ticks),
        pcm=np.frombuffer(bytes(person.heard[start * FRAME_BYTES :]), dtype=np.uint8),
    )
    return web.Response(body=out.getvalue())


async def _publish(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    room, person = _person(request)
    body = await request.json()
    topic = topics.checked_topic(body["topic"], world.settings)
    message = room.publish(person, topic, topics.serialised(body["data"], world.settings))
    return web.json_response(as_json(message))


async def _flood(request: web.Request) -> web.Response:
    room, person = _person(request)
    request.app[WORLD].floods.begin(room, person, **await request.json())
    return _done()


async def _subscribe(request: web.Request) -> web.Response:
    settings = request.app[WORLD].settings
    room, person = _person(request)
    room.subscribe(person, topics.checked_topic((await request.json())["topic"], settings), settings)
    return _done()


async def _unsubscribe(request: web.Request) -> web.Response:
    _person(request)[1].topics.discard((await request.json())["topic"])
    return _done()
