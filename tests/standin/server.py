"""The two listeners of a stand-in, from start to stop."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from aiohttp import web

from tests.standin.admin import admin_app
from tests.standin.http_api import WORLD
from tests.standin.rooms import make_room
from tests.standin.sessions import create_session
from tests.standin.upgrade import upgrade
from tests.standin.webhook_api import public_key, register_webhook
from tests.standin.world import World


@dataclass(frozen=True)
class Address:
    """Where to listen; port 0 takes a free one."""

    host: str
    port: int


class Server:
    """The service's listener and the control API's."""

    def __init__(self, world: World, tls: ssl.SSLContext | None) -> None:
        self._world = world
        self._tls = tls
        self._runners: list[web.AppRunner] = []
        self.port = 0
        """Port of the service; 0 until it listens."""
        self.admin_port = 0
        """Port of the control API; 0 until it listens."""

    async def start(self, service: Address, admin: Address) -> None:
        """Listen at both addresses and start the clock."""
        app = web.Application()
        app[WORLD] = self._world
        app.router.add_post("/v2/ingest/sessions", create_session)
        app.router.add_post("/v2/rooms", make_room)
        app.router.add_get("/v2/public/rsa-public-key", public_key)
        app.router.add_post("/v2/sip/webhooks", register_webhook)
        app.router.add_get("/videosdk", upgrade)
        self.port = await self._listen(app, service, self._tls)
        self.admin_port = await self._listen(admin_app(self._world), admin, None)
        scheme = "https" if self._tls else "http"
        named = f"[{service.host}]" if ":" in service.host else service.host
        self._world.base_url = f"{scheme}://{'127.0.0.1' if named == '0.0.0.0' else named}:{self.port}"
        self._world.webhooks.prepare()
        self._world.ticker.start()

    async def stop(self) -> None:
        """Close every connection with 1001 and both listeners."""
        self._world.ticker.stop()
        for connection in list(self._world.open.values()):
            connection.close(1001, "the server is going away")
            connection.transport.close()
        await self._world.webhooks.stop()
        for runner in self._runners:
            await runner.cleanup()

    async def _listen(self, app: web.Application, at: Address, tls: ssl.SSLContext | None) -> int:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, at.host, at.port, ssl_context=tls).start()
        return int(runner.addresses[0][1])
