"""A client as one would write it from the vendor's page with websocket-client: a thread to receive, a sleep to send.

    python threads_client.py WS_URL AUDIO.pcm

A contender of the bench. SIGTERM ends it; it then prints how many media frames it heard.
"""

from __future__ import annotations

import base64
import itertools
import json
import signal
import sys
import threading
import time
from pathlib import Path

from websocket import WebSocket, create_connection


class Receiver(threading.Thread):
    """Receives room audio until the connection is closed."""

    def __init__(self, ws: WebSocket) -> None:
        super().__init__()
        self._ws = ws
        self.heard = 0

    def run(self) -> None:
        """The thread."""
        while message := self._ws.recv():
            event = json.loads(message)
            if event["event"] == "media":
                base64.b64decode(event["payload"])  # to be played
                self.heard += 1


def main(url: str, audio: Path) -> None:
    """Be in the room until told to stop."""
    pcm = audio.read_bytes()
    frames = [pcm[at : at + 320] for at in range(0, len(pcm), 320)]
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    ws = create_connection(url)
    ws.send(json.dumps({"event": "start"}))
    receiver = Receiver(ws)
    receiver.start()
    for frame in itertools.cycle(frames):
        if stopped.is_set():
            break
        ws.send(json.dumps({"event": "media", "payload": base64.b64encode(frame).decode()}))
        time.sleep(0.02)
    ws.send(json.dumps({"event": "stop"}))
    ws.send_close()
    receiver.join()
    print(f"heard {receiver.heard}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
