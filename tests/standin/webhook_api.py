"""What receivers of webhooks ask for: registering, and the public key."""

from __future__ import annotations

from aiohttp import web

from tests.standin.http_api import WORLD, RefusedError, authorization, check_token, error, json_body


async def public_key(request: web.Request) -> web.Response:
    """GET /v2/public/rsa-public-key."""
    world = request.app[WORLD]
    world.webhooks.key_requests += 1
    if world.settings.public_key_status != 200:
        return error(world, RefusedError(world.settings.public_key_status, "no key at present"))
    return web.json_response({"publicKey": world.webhooks.keys.public_pem()})


async def register_webhook(request: web.Request) -> web.Response:
    """POST /v2/sip/webhooks: `url` and the `events` it wants, all of them if none is named."""
    world = request.app[WORLD]
    try:
        check_token(world, *authorization(request), None)
        body = await json_body(request)
        if not isinstance(body, dict) or not isinstance(body.get("url"), str):
            raise RefusedError(400, "url is required")
        events = body.get("events", [])
        if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
            raise RefusedError(400, "events must be a list of strings")
        world.webhooks.registered.append((body["url"], frozenset(events)))
        world.webhooks.prepare()
        return web.json_response({"message": "Webhook registered", "data": body})
    except RefusedError as exc:
        return error(world, exc)
