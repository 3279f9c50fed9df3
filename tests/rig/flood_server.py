"""A TLS room that talks as fast as it is let and checks every frame it hears, as a process of its own.

`python -m tests.rig.flood_server CERT_AND_KEY FRAMES` prints its port. Each connection sends FRAMES numbered media
frames while reading the client's; after the client's `stop` it sends one last text, {"wrong": N, "heard": N}.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import ssl
import sys

from aiohttp import WSMsgType, web

from tests.rig.memory_ports import numbered_frame


async def _talk(socket: web.WebSocketResponse, frames: int) -> None:
    rng = random.Random(frames)
    for number in range(1, frames + 1):
        payload = base64.b64encode(numbered_frame(number)).decode()
        await socket.send_str(json.dumps({"event": "media", "payload": payload}))
        if rng.random() < 0.1:
            await asyncio.sleep(rng.random() * 0.005)


async def _serve(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    talking = asyncio.create_task(_talk(socket, request.app[_FRAMES]))
    heard = wrong = 0
    async for message in socket:
        frame = json.loads(message.data) if message.type is WSMsgType.TEXT else {}
        if frame.get("event") == "media":
            heard += 1
            wrong += base64.b64decode(frame["payload"]) != numbered_frame(heard)
        elif frame.get("event") == "stop":
            await talking
            await socket.send_str(json.dumps({"event": "meeting-left", "message": f"{heard} {wrong}"}))
            break
    await socket.close()
    return socket


_FRAMES = web.AppKey("frames", int)


async def _main() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1])
    app = web.Application()
    app[_FRAMES] = int(sys.argv[2])
    app.router.add_get("/", _serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    assert runner.addresses
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
