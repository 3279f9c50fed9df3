"""POST /v2/rooms: rooms that a backend makes before it sends anyone there."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web

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


async def make_room(request: web.Request) -> web.Response:
    """A room, the same one for the same `customRoomId`."""
    world = request.app[WORLD]
    record: dict[str, Any] = {"at_s": time.monotonic(), "status": 200, "body": None}
    world.made_rooms.requests.append(record)
    try:
        record["body"] = body = await json_body(request)
        if world.settings.rooms_status != 200:
            raise RefusedError(world.settings.rooms_status, "rooms can't be made")
        check_token(world, *authorization(request), None)
        if not isinstance(body, dict):
            raise RefusedError(400, "body must be a JSON object")
        check_text(body, "customRoomId", "customRoomId")
        check_object(body, "webhook", "webhook")
        check_object(body, "autoCloseConfig", "autoCloseConfig")
    except RefusedError as exc:
        record["status"] = exc.status
        return error(world, exc)
    custom_id = body.get("customRoomId")
    room_id = world.made_rooms.make(custom_id)
    world.on_log(f"room {room_id} made" + (f" for {custom_id}" if custom_id else ""))
    answer = {"roomId": room_id, "customRoomId": custom_id, "disabled": False}
    return web.json_response(answer, headers=request_id(world))
