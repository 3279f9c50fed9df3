"""GET /videosdk: from an HTTP request to a WebSocket connection."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import time

from aiohttp import web

from tests.standin import taken
from tests.standin.connection import Connection
from tests.standin.faults import SocketFault
from tests.standin.http_api import WORLD
from tests.standin.records import ConnectionInfo

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_LOOK_S = 0.05


class _Socket(Connection):
    """A connection that took over aiohttp's transport and lets aiohttp know when it is gone."""

    def __init__(self, *args: object, http: asyncio.BaseProtocol) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._http = http

    def connection_lost(self, exc: Exception | None) -> None:
        """The TCP connection is gone."""
        super().connection_lost(exc)
        self._http.connection_lost(exc)


async def upgrade(request: web.Request) -> web.StreamResponse:
    """Answer the upgrade and stay until the connection is gone."""
    world = request.app[WORLD]
    ref = request.query.get("ref")
    call, ref_state = world.calls.look_up(ref)
    headers = {name.lower(): value for name, value in request.headers.items()}
    call_id = call.info.call_id if call else None
    info = ConnectionInfo(len(world.connections), call_id, ref_state, headers, time.monotonic())
    world.connections.append(info)
    if call is not None:
        call.info.connections.append(info.index)
    script = world.faults.for_socket()
    refusal = await _faulted(request, info, script)
    if refusal is None:
        refusal = _refusal(request, ref_state)
    transport = request.transport
    if transport is None:
        info.closed_by, info.how, info.closed_s = "client", "eof", time.monotonic()
        return taken.Taken()
    if refusal is not None:
        info.closed_by, info.how, info.closed_s = "server", "refused", time.monotonic()
        return refusal
    transport.write(_handshake(request))
    connection = _Socket(world, ref, info, script, http=transport.get_protocol())
    transport.set_protocol(connection)
    connection.opened(transport)
    await connection.done
    return taken.Taken()


async def _faulted(
    request: web.Request, info: ConnectionInfo, script: tuple[SocketFault, ...]
) -> web.StreamResponse | None:
    """Carry out the faults of the upgrade; the answer they make of it, or None."""
    for fault in script:
        if fault.at != "upgrade":
            continue
        info.counts[f"fault_{fault.action}"] += 1
        await asyncio.sleep(fault.after_ms / 1e3)
        match fault.action:
            case "stall":
                await _stall(request, fault.for_s)
            case "refuse":
                headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
                return web.Response(status=fault.status, text=fault.reason, headers=headers)
            case "raw_upgrade":
                return taken.raw(request, fault.data)
            case "abort":
                return taken.reset(request)
            case _:
                raise AssertionError(f"{fault.action} can't happen at the upgrade")
    return None


async def _stall(request: web.Request, for_s: float) -> None:
    """Let that time pass, or end with the client."""
    until_s = time.monotonic() + for_s
    while request.transport is not None and (left_s := until_s - time.monotonic()) > 0:
        await asyncio.sleep(min(left_s, _LOOK_S))


def _refusal(request: web.Request, ref_state: str) -> web.Response | None:
    """Why this is no upgrade of ours, or None."""
    settings = request.app[WORLD].settings
    if request.headers.get("Upgrade", "").lower() != "websocket":
        return web.Response(status=426, text="a WebSocket upgrade is wanted", headers={"Upgrade": "websocket"})
    if "upgrade" not in request.headers.get("Connection", "").lower():
        return web.Response(status=400, text="Connection: Upgrade is missing")
    if request.headers.get("Sec-WebSocket-Version") != "13":
        headers = {"Sec-WebSocket-Version": "13"}
        return web.Response(status=426, text="version 13 is wanted", headers=headers)
    try:
        key = base64.b64decode(request.headers.get("Sec-WebSocket-Key", ""), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 16:
        return web.Response(status=400, text="Sec-WebSocket-Key is malformed")
    if ref_state != "good" and settings.bad_ref == "http":
        return web.json_response({settings.error_key: settings.bad_ref_reason}, status=settings.bad_ref_status)
    return None


def _handshake(request: web.Request) -> bytes:
    """The 101 answer."""
    key = request.headers["Sec-WebSocket-Key"].encode()
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\n\r\n"
    ).encode()
