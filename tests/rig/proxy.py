"""A TCP proxy that misbehaves when told to; the link between a device and its service."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from tests.rig.process import end, spawn, wait_until

Direction = Literal["up", "down", "both"]
"""`up`: from the client to the upstream; `down`: back."""


@dataclass(frozen=True)
class ProxyStats:
    """What went through."""

    accepted: int
    """Connections since the start."""
    active: int
    """Connections open now."""
    up: int
    """Bytes passed on to the upstream."""
    down: int
    """Bytes passed on to clients."""
    port: int
    """Where it listens."""


class FaultProxy:
    """Listens on loopback and passes everything on to one upstream, in a process of its own.

    A disturbance holds for present and later connections until `restore` or the next one; those of one
    direction replace each other. Calls return once the proxy has done it, from any thread.
    """

    def __init__(
        self,
        upstream_port: int,
        upstream_host: str = "127.0.0.1",
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        rcvbuf: int | None = None,
    ) -> None:
        """Starts it. `rcvbuf` (bytes) bounds what its kernel takes from a peer while it reads nothing."""
        options = {"upstream": [upstream_host, upstream_port], "listen": [host, port], "rcvbuf": rcvbuf}
        self._lock = threading.Lock()
        self._process = spawn(
            [sys.executable, "-m", "tests.rig.proxy_worker", json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None,
            cwd=Path(__file__).parents[2],
        )
        self.host = host
        self.port = int(self._answer()["port"])
        """Where it listens."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends it, and every connection through it."""
        end(self._process)

    def restore(self) -> None:
        """Passes everything again at once. What a black hole held back is then sent anew by its peers."""
        self._tell("restore")

    def jitter(
        self,
        min_ms: float,
        max_ms: float,
        *,
        max_piece: int | None = None,
        seed: int = 0,
        direction: Direction = "both",
    ) -> None:
        """Delays each piece at random, in order; `max_piece` also breaks it up into 1 to that many bytes."""
        delays = {"delay_min_s": min_ms / 1000, "delay_max_s": max_ms / 1000}
        self._shape(direction, seed, max_piece=max_piece, **delays)

    def delay(self, ms: float, direction: Direction = "both") -> None:
        """Delays everything by the same time."""
        self.jitter(ms, ms, direction=direction)

    def stall(self, direction: Direction = "both") -> None:
        """Reads and sends nothing, as a peer that hangs: its kernel acknowledges until its buffers fill."""
        self._shape(direction, stalled=True)

    def trickle(self, bytes_per_s: float, direction: Direction = "both") -> None:
        """Lets through one byte after another."""
        self._shape(direction, bytes_per_s=bytes_per_s, burst=1)

    def throttle(self, kbit_per_s: float, direction: Direction = "both", *, queue_bytes: int = 16384) -> None:
        """Bounds the throughput; `queue_bytes` wait in the proxy before it stops reading."""
        rate = kbit_per_s * 125
        self._shape(direction, bytes_per_s=rate, burst=max(1, round(rate / 200)), queue_limit=queue_bytes)

    def cut_mid_frame(self, after_bytes: int, direction: Direction = "down") -> None:
        """Lets through exactly that many more bytes, then resets the connection they went to; once."""
        self._shape(direction, cut_after=after_bytes)

    def black_hole(self) -> None:
        """A dead link: no packet is acknowledged, no connection answered, nothing refused."""
        self._tell("black_hole")

    def cut(self, seconds: float) -> None:
        """A black hole that ends after that time with RST to all who were in it. Returns at once."""
        self._tell("cut", seconds=seconds)

    def reset(self) -> None:
        """Sends RST to everyone connected; new connections pass."""
        self._tell("reset")

    def refuse(self) -> None:
        """Refuses new connections; those open live on (`reset` ends them)."""
        self._tell("refuse")

    def stats(self) -> ProxyStats:
        """What went through so far."""
        answer = self._tell("stats")
        return ProxyStats(**{name: int(value) for name, value in answer.items() if name != "ok"})

    def wait_for_connections(self, accepted: int, timeout: float = 30.0) -> None:
        """Waits until that many have been accepted since the start."""
        wait_until(lambda: self.stats().accepted >= accepted, timeout, f"{accepted} connections")

    def _shape(self, direction: Direction, seed: int = 0, **changes: Any) -> None:
        self._tell("shape", direction=direction, seed=seed, **changes)

    def _tell(self, op: str, **arguments: Any) -> dict[str, Any]:
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps({"op": op, **arguments}).encode() + b"\n")
            self._process.stdin.flush()
            return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the proxy has ended, status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer
