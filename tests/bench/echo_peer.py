"""A TLS room that says back every media frame it hears, as a process of its own.

`python -m tests.bench.echo_peer CERT_AND_KEY` prints its port.
"""

from __future__ import annotations

import asyncio
import ssl
import sys

from aiohttp import WSMsgType, web


async def _serve(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT and '"media"' in message.data:
            await socket.send_str(message.data)
    return socket


async def _main() -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1])
    app = web.Application()
    app.router.add_get("/", _serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
