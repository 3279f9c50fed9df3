"""The stand-in as tests see it: a process of its own, started, commanded and ended here."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.standin.control import Control, Heard, Room, Session
from tests.standin.faults import SessionFault, SocketFault
from tests.standin.records import CallInfo, ConnectionInfo, KeptFrames, SessionRequest
from tests.standin.settings import Settings
from tests.standin.topics import TopicMessage
from tests.standin.webhooks import WebhookRecord

__all__ = [
    "CallInfo",
    "ConnectionInfo",
    "Heard",
    "KeptFrames",
    "Room",
    "Session",
    "SessionFault",
    "SessionRequest",
    "SocketFault",
    "StandIn",
    "TopicMessage",
    "WebhookRecord",
]

_REPO = Path(__file__).resolve().parents[2]


class StandIn(Control):
    """A stand-in process; use it as a context manager, from one thread at a time.

    `switches` are fields of `settings.Settings`. The process ends with the context, and on its own if the
    process that started it dies.
    """

    port: int
    """The service's port."""
    pid: int
    """The process."""

    def __init__(
        self,
        *,
        tls: bool = False,
        tls_names: Sequence[str] = (),
        tls_expired: bool = False,
        directory: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        admin_host: str = "127.0.0.1",
        command_prefix: Sequence[str] = (),
        **switches: Any,
    ) -> None:
        """Prepare.

        `directory` is where ca.pem and the token go, one of its own if None; `command_prefix` runs the process
        under another command (`ip netns exec …`).
        """
        super().__init__()
        Settings().changed(switches)
        self._command = [*command_prefix, sys.executable, "-m", "tests.standin", "--json", "--until-eof"]
        self._command += ["--host", host, "--port", str(port), "--admin-host", admin_host]
        self._command += ["--settings", json.dumps(switches)]
        self._command += ["--tls"] if tls else []
        self._command += ["--tls-expired"] if tls_expired else []
        self._command += ["--dir", str(directory)] if directory is not None else []
        for name in tls_names:
            self._command += ["--tls-name", name]
        self._process: subprocess.Popen[str] | None = None

    @property
    def process(self) -> subprocess.Popen[str]:
        """The running process."""
        assert self._process is not None, "the stand-in is not running"
        return self._process

    # --- the process

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process and wait until it listens."""
        self._process = subprocess.Popen(
            self._command, cwd=_REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError("the stand-in did not start; its standard error says why")
        ready = json.loads(line)
        self.base_url = ready["base_url"]
        self.admin_url = ready["admin_url"]
        self.port = ready["port"]
        self.ca_file = Path(ready["ca_file"]) if ready["ca_file"] else None
        self.token = ready["token"]
        self.token_file = Path(ready["token_file"])
        self.api_key = ready["api_key"]
        self.api_secret = ready["api_secret"]
        self.room = ready["room"]
        self.pid = ready["pid"]

    def stop(self) -> int:
        """End the process (closing connections with 1001) and return its exit status."""
        self._http.close()
        process = self._process
        if process is None:
            return 0
        self._process = None
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        return process.returncode

    def kill(self) -> None:
        """End the process as a crash would: no close frames, the sockets are cut."""
        self.process.kill()
        self.process.wait()
