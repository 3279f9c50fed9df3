"""A client as one would write it from the vendor's page with asyncio and `websockets`: a contender of the bench.

    python asyncio_client.py WS_URL AUDIO.pcm

SIGTERM ends it; it then prints how many media frames it heard.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import signal
import sys
from pathlib import Path

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed


async def send_audio(ws: ClientConnection, frames: list[bytes]) -> None:
    """Stream audio, a frame every 20 ms."""
    for frame in itertools.cycle(frames):
        await ws.send(json.dumps({"event": "media", "payload": base64.b64encode(frame).decode()}))
        await asyncio.sleep(0.02)


async def stop(ws: ClientConnection, sending: asyncio.Task[None]) -> None:
    """End the session."""
    sending.cancel()
    await ws.send(json.dumps({"event": "stop"}))
    await ws.close()


async def main(url: str, audio: Path) -> None:
    """Be in the room until told to stop."""
    pcm = audio.read_bytes()
    frames = [pcm[at : at + 320] for at in range(0, len(pcm), 320)]
    heard = 0
    async with connect(url) as ws:
        await ws.send(json.dumps({"event": "start"}))
        sending = asyncio.create_task(send_audio(ws, frames))
        stopping: list[asyncio.Task[None]] = []
        asyncio.get_running_loop().add_signal_handler(
            signal.SIGTERM, lambda: stopping.append(asyncio.create_task(stop(ws, sending)))
        )
        try:
            async for message in ws:
                event = json.loads(message)
                if event["event"] == "media":
                    base64.b64decode(event["payload"])  # to be played
                    heard += 1
        except ConnectionClosed as closed:
            print(closed, file=sys.stderr)
    print(f"heard {heard}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
