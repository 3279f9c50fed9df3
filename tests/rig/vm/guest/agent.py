"""The agent in the guest: does what lines of JSON on a virtio port ask for, and answers each with one. Guest only.

Standard library alone, Python 3.13. Times are the guest's CLOCK_MONOTONIC, seconds.
"""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import time
import zlib
from pathlib import Path
from typing import Any

PORT = Path("/dev/virtio-ports/agent")


class Agent:
    """The commands; what one returns goes into its answer."""

    def __init__(self) -> None:
        self._control: socket.socket | None = None
        self._said = b""

    def run(self, command: str, timeout_s: float) -> dict[str, Any]:
        """Runs a shell command: its `status` and what it said, `out`."""
        done = subprocess.run(
            ["sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout_s
        )
        return {"status": done.returncode, "out": done.stdout}

    def start(self, command: str) -> dict[str, Any]:
        """Starts a shell command and lets it run."""
        return {"pid": subprocess.Popen(["sh", "-c", command], stdin=subprocess.DEVNULL).pid}

    def tasks(self, pid: int) -> dict[str, Any]:
        """Of each thread of a process, by its id: seconds of processor time, times it slept, and was interrupted."""
        found = {}
        for task in Path(f"/proc/{pid}/task").iterdir():
            lines = (task / "status").read_text().splitlines()
            switches = [int(line.split()[1]) for line in lines if "ctxt_switches" in line]  # voluntary ones first
            found[task.name] = [int((task / "schedstat").read_text().split()[0]) * 1e-9, *switches]
        return {"tasks": found}

    def write(self, path: str, text: str) -> dict[str, Any]:
        """Writes a file; for those in /sys, where the time that it takes counts."""
        Path(path).write_text(text)
        return {}

    def fetch(self, path: str) -> dict[str, Any]:
        """A file, packed."""
        return {"data": base64.b64encode(zlib.compress(Path(path).read_bytes(), 1)).decode()}

    def ask(self, path: str, method: str) -> dict[str, Any]:
        """Calls a method on ingestd's control socket; the connection is kept, and made anew after a restart."""
        try:
            reply = self._call(path, method)
        except ConnectionError:
            self._hang_up()
            reply = self._call(path, method)
        if "result" not in reply:
            raise ValueError(f"ingestd answers {reply}")
        return {"result": reply["result"]}

    def _call(self, path: str, method: str) -> Any:
        try:
            if self._control is None:
                self._control = socket.socket(socket.AF_UNIX)
                self._control.settimeout(10)
                self._control.connect(path)
            self._control.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}).encode() + b"\n")
            reply = self._next()
            while "id" not in reply:  # a notification
                reply = self._next()
        except TimeoutError:
            self._hang_up()  # its answer would be taken for the next one's
            raise
        return reply

    def _hang_up(self) -> None:
        if self._control is not None:
            self._control.close()
        self._control, self._said = None, b""

    def _next(self) -> Any:
        assert self._control is not None
        while b"\n" not in self._said:
            part = self._control.recv(65536)
            if not part:
                raise ConnectionError("ingestd hung up")
            self._said += part
        line, _, self._said = self._said.partition(b"\n")
        return json.loads(line)

    def answer(self, line: bytes) -> dict[str, Any]:
        """Does what one line asks for."""
        asked = json.loads(line)
        began_s = time.monotonic()
        try:
            found = getattr(self, asked.pop("do"))(**asked)
        except (OSError, ValueError, LookupError, TypeError, subprocess.SubprocessError) as error:
            found = {"error": f"{type(error).__name__}: {error}"}
        return {"began_s": began_s, "ended_s": time.monotonic(), **found}


def main() -> None:
    """Answers for ever."""
    agent = Agent()
    with PORT.open("r+b", buffering=0) as port:
        port.write(b'{"ready": true}\n')
        waiting = b""
        while True:
            part = port.read(65536)
            if not part:  # nobody at the other end
                time.sleep(0.05)
                continue
            waiting += part
            while b"\n" in waiting:
                line, _, waiting = waiting.partition(b"\n")
                reply = json.dumps(agent.answer(line)).encode() + b"\n"
                while reply:
                    reply = reply[port.write(reply) :]


if __name__ == "__main__":
    main()
