"""A plain device for trying the stand-in: one WebSocket, driven by hand from a test."""

from __future__ import annotations

import base64
import contextlib
import json
import struct
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import websocket

T = TypeVar("T")

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


class CutError(Exception):
    """The connection ended without a close frame."""


class _WebSocket(websocket.WebSocket):
    """Gives out a close or a ping also where its answer reaches nobody: the service waits only so long for one."""

    def send_close(self, *arguments: Any, **more: Any) -> None:
        with contextlib.suppress(OSError, websocket.WebSocketException):
            super().send_close(*arguments, **more)

    def pong(self, payload: str | bytes = "") -> None:
        with contextlib.suppress(OSError, websocket.WebSocketException):
            super().pong(payload)


class Probe:
    """Connects at once; what comes in is read only while a method waits for something."""

    def __init__(self, url: str, *, start: bool = True, ca_file: Path | None = None) -> None:
        options = {"ca_certs": str(ca_file)} if ca_file else None
        self.ws = websocket.create_connection(url, sslopt=options, timeout=30, class_=_WebSocket)
        self.heard = bytearray()
        """PCM of the media frames read so far."""
        self.frames: list[dict[str, Any]] = []
        """Every other frame read so far."""
        self.media_sizes: list[int] = []
        """Length of each media frame read (bytes of PCM)."""
        self.control: list[tuple[int, bytes]] = []
        """Pings and pongs read so far."""
        if start:
            self.send("start")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()

    def cut(self) -> None:
        """Close the TCP connection without a close frame."""
        if self.ws.sock is not None:
            self.ws.sock.close()

    def send(self, event: str, **fields: Any) -> None:
        """Send one frame."""
        self.ws.send(json.dumps({"event": event, **fields}))

    def send_media(self, pcm: bytes) -> None:
        """Send PCM as one media frame."""
        self.send("media", payload=base64.b64encode(pcm).decode())

    def stream(self, pcm: bytes, frame_bytes: int = 320) -> None:
        """Send PCM in frames at the pace of real time."""
        began = time.monotonic()
        for at in range(0, len(pcm), frame_bytes):
            time.sleep(max(0.0, began + at / 16000 - time.monotonic()))
            self.send_media(pcm[at : at + frame_bytes])

    def raw(self, data: bytes) -> None:
        """Write bytes past the WebSocket."""
        assert self.ws.sock is not None
        self.ws.sock.sendall(data)

    def wait(self, event: str) -> dict[str, Any]:
        """Read until a frame with that event comes, and return it."""
        return self.read_until(lambda: next((f for f in self.frames if f["event"] == event), None))

    def wait_heard(self, count_bytes: int) -> bytes:
        """Read until that much audio was heard."""
        return self.read_until(lambda: bytes(self.heard) if len(self.heard) >= count_bytes else None)

    def read_until(self, probe: Callable[[], T | None], timeout_s: float = 30.0) -> T:
        """Read until `probe` returns something true, and return that."""
        deadline = time.monotonic() + timeout_s
        while not (found := probe()):
            if time.monotonic() > deadline:
                raise TimeoutError
            opcode, payload = self.read_one()
            if opcode == CLOSE:
                raise CutError(f"closed with {payload!r}")
        return found

    def read_one(self) -> tuple[int, bytes]:
        """Read one message or control frame, and sort it in; raises CutError for the end without a close."""
        try:
            opcode, frame = self.ws.recv_data_frame(True)
        except websocket.WebSocketTimeoutException:
            raise TimeoutError from None
        except (websocket.WebSocketConnectionClosedException, ConnectionError, OSError) as exc:
            raise CutError(str(exc)) from exc
        payload = bytes(frame.data)
        if opcode == TEXT:
            message = json.loads(payload)
            if isinstance(message, dict) and message.get("event") == "media":
                pcm = base64.b64decode(message["payload"])
                self.heard += pcm
                self.media_sizes.append(len(pcm))
            else:
                self.frames.append(message)
        elif opcode in (PING, PONG):
            self.control.append((opcode, payload))
        return opcode, payload

    def wait_closed(self) -> tuple[int | None, str]:
        """Read to the close frame; its code (None for one without) and reason. CutError if none comes."""
        while True:
            opcode, payload = self.read_one()
            if opcode == CLOSE:
                return parse_close(payload)


def parse_close(payload: bytes) -> tuple[int | None, str]:
    """Code and reason of a close frame."""
    if not payload:
        return None, ""
    return int(struct.unpack("!H", payload[:2])[0]), payload[2:].decode()
