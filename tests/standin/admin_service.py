"""The control API's part for the service's other side: webhooks, their key, and rooms made by backends."""

from __future__ import annotations

import asyncio

from aiohttp import web

from tests.standin.http_api import WORLD
from tests.standin.records import as_json

_AT_ONCE = 20
"""So many rounds of events before anything else gets its turn."""


def routes() -> list[web.RouteDef]:
    """What `admin` serves of it."""
    return [
        web.get("/webhooks", _webhooks),
        web.post("/webhooks/emit", _emit),
        web.post("/webhooks/sign", _sign),
        web.post("/webhooks/rotate", _rotate),
        web.get("/webhooks/registered", _registered),
        web.delete("/webhooks/registered", _forget_registered),
        web.get("/made-rooms", _made_rooms),
        web.delete("/made-rooms", _forget_rooms),
    ]


def _done() -> web.Response:
    return web.json_response({})


async def _webhooks(request: web.Request) -> web.Response:
    start = int(request.query.get("start", "0"))
    return web.json_response([as_json(record) for record in request.app[WORLD].webhooks.records[start:]])


async def _emit(request: web.Request) -> web.Response:
    world = request.app[WORLD]
    body = await request.json()
    for number in range(body["count"]):
        for event in body["events"]:
            world.webhooks.emit(event, {**body["data"], "number": number})
        if number % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
    return _done()


async def _sign(request: web.Request) -> web.Response:
    keys = request.app[WORLD].webhooks.keys
    return web.json_response({"signature": keys.signature(await request.read())})


async def _rotate(request: web.Request) -> web.Response:
    request.app[WORLD].webhooks.keys.rotate()
    return _done()


async def _registered(request: web.Request) -> web.Response:
    found = request.app[WORLD].webhooks.registered
    return web.json_response([{"url": url, "events": sorted(events)} for url, events in found])


async def _forget_registered(request: web.Request) -> web.Response:
    request.app[WORLD].webhooks.registered.clear()
    return _done()


async def _made_rooms(request: web.Request) -> web.Response:
    book = request.app[WORLD].made_rooms
    return web.json_response({"rooms": book.by_custom_id, "requests": book.requests})


async def _forget_rooms(request: web.Request) -> web.Response:
    request.app[WORLD].made_rooms.forget()
    return _done()
