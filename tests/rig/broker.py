"""The session broker as a process of its own, for tests and benches: configured, started, commanded and ended here."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
import trustme

from ingestd.broker.devices import NewDevice, Registry
from ingestd.broker.storage import Storage
from tests.rig.free_port import free_port
from tests.rig.process import end, spawn, wait_until
from tests.standin.client import StandIn

_REPO = Path(__file__).resolve().parents[2]
_READY_S = 30.0
_COMMAND_S = 60.0


class BrokerProcess:
    """`ingestd-broker serve` with a configuration of its own; use it as a context manager, from one thread at a time.

    It mints the stand-in's tokens. It ends with the context, and on its own if the process that started it dies.
    """

    def __init__(
        self,
        directory: Path,
        standin: StandIn | str,
        *,
        tls: bool = False,
        database: str | None = None,
        port: int | None = None,
        ca: trustme.CA | None = None,
        env: dict[str, str] | None = None,
        **settings: dict[str, Any],
    ) -> None:
        """Writes the configuration to `directory`; nothing runs yet.

        `standin` may be the URL of another service, whose token is then to be in `videosdk.token_file`. `database` is
        its URL, a SQLite file in `directory` if None; `ca` signs the certificate that `tls` asks for, one of its own
        if None. `settings` are groups of the configuration: `listen={"workers": 2}`.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.config = directory / "broker.yaml"
        self.log_path = directory / "broker.log"
        self.port = port or free_port()
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self.database = database or f"sqlite:///{(directory / 'broker.db').resolve()}"
        self.operator_key = secrets.token_hex(16)
        self.ca_file: Path | None = None
        """The CA to trust (PEM), with tls."""
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None
        groups: dict[str, dict[str, Any]] = {
            "listen": {"address": f"127.0.0.1:{self.port}"},
            "videosdk": self._videosdk(standin),
            "storage": {"url": self.database},
            "operators": {"key_file": self._secret("operator-key", self.operator_key)},
        }
        if tls:
            groups["listen"]["tls"] = self._certificate(ca or trustme.CA())
        for name, values in settings.items():
            groups[name] = groups.get(name, {}) | values
        self.config.write_text(json.dumps(groups))

    # --- the process

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, *, healthy: bool = True) -> None:
        """Starts it and waits until it is healthy, or until it listens at least. Raises RuntimeError with its log."""
        with self.log_path.open("ab") as log:
            self._process = spawn(self._command("serve"), env=self._env, stderr=log, cwd=_REPO)
        ready = self._healthy if healthy else self._listens
        try:
            wait_until(ready, _READY_S, "the broker", every=0.02)
        except (TimeoutError, RuntimeError) as error:
            self.kill()
            raise RuntimeError(f"the broker did not start: {error}\n{self.log[-3000:]}") from None

    def stop(self) -> int:
        """Ends it by SIGTERM, if it runs; its exit status."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        return end(process, timeout=20.0)

    def ended(self) -> int:
        """Waits for the end of one that was told to by a signal; its exit status. A second SIGTERM could kill it."""
        assert self._process is not None, "the broker is not running"
        status = self._process.wait(20.0)
        self._process = None
        return status

    def kill(self) -> None:
        """Ends all its processes at once by SIGKILL, as a crash of the machine would; `start` begins anew."""
        if self._process is None:
            return
        for pid in (self._process.pid, *self.workers):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    @property
    def pid(self) -> int:
        """The process that was started; its workers are its children."""
        assert self._process is not None, "the broker is not running"
        return self._process.pid

    @property
    def workers(self) -> list[int]:
        """The processes that answer requests."""
        with contextlib.suppress(FileNotFoundError):
            return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]
        return []

    @property
    def log(self) -> str:
        """What it logged so far, over all starts."""
        return self.log_path.read_text(errors="replace")

    # --- what an operator does

    def command(self, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs `ingestd-broker ARGUMENTS` with this configuration; `options` are subprocess.run's."""
        given = {"cwd": _REPO, "capture_output": True, "text": True, "timeout": _COMMAND_S, **options}
        return subprocess.run(self._command(*map(str, arguments)), **given)

    def add_device(self, name: str, **fields: Any) -> str:
        """Registers a device, `fields` being those of NewDevice; its key. It goes to room `device-room` by default."""
        return self.add_devices([name], **fields)[0]

    def add_devices(self, names: Iterable[str], **fields: Any) -> list[str]:
        """The same for many that are alike, faster than one by one."""
        with self.open_storage() as storage:
            registry = Registry(storage, time.time)
            return [registry.add(NewDevice(name=name, **{"room_id": "device-room", **fields})) for name in names]

    @contextlib.contextmanager
    def open_storage(self) -> Iterator[Storage]:
        """Its database, opened from here; closed after."""
        storage = Storage(self.database, connections=4)
        try:
            yield storage
        finally:
            storage.engine.dispose()

    def post_session(self, key: str, body: Any = None, **options: Any) -> requests.Response:
        """One POST /v1/sessions as a device sends it; `options` are requests' own."""
        headers = {"Authorization": f"Bearer {key}", **options.pop("headers", {})}
        return self._ask("POST", "/v1/sessions", headers=headers, **{"json": body or {}, **options})

    def get(self, path: str, **options: Any) -> requests.Response:
        """GET with the operator's key; `options` are requests' own."""
        headers = {"Authorization": f"Bearer {self.operator_key}", **options.pop("headers", {})}
        return self._ask("GET", path, headers=headers, **options)

    @property
    def verify(self) -> str | bool:
        """What requests is to trust."""
        return str(self.ca_file) if self.ca_file else True

    @property
    def webhook_url(self) -> str:
        """Where the service posts its events."""
        return f"{self.url}/v1/webhooks/videosdk"

    # --- within

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "ingestd.broker", "--config", str(self.config), *arguments]

    def _videosdk(self, standin: StandIn | str) -> dict[str, Any]:
        if isinstance(standin, str):
            return {"url": standin}
        return {
            "url": standin.base_url,
            "api_key": standin.api_key,
            "api_secret_file": self._secret("api-secret", standin.api_secret),
            "ca_file": str(standin.ca_file) if standin.ca_file else None,
        }

    def _secret(self, name: str, text: str) -> str:
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text)
        return str(path)

    def _certificate(self, ca: trustme.CA) -> dict[str, str]:
        certificate = ca.issue_cert("localhost", "127.0.0.1")
        files = {"cert_file": self.directory / "cert.pem", "key_file": self.directory / "key.pem"}
        for number, blob in enumerate(certificate.cert_chain_pems):
            blob.write_to_path(str(files["cert_file"]), append=number > 0)
        certificate.private_key_pem.write_to_path(str(files["key_file"]))
        self.ca_file = self.directory / "ca.pem"
        ca.cert_pem.write_to_path(str(self.ca_file))
        return {name: str(path) for name, path in files.items()}

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response:
        with requests.Session() as http:
            http.trust_env = False
            return http.request(method, self.url + path, **{"verify": self.verify, "timeout": 30, **options})

    def _ended(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError(f"it ended with {self._process.returncode}")

    def _healthy(self) -> bool:
        self._ended()
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            return self._ask("GET", "/healthz", timeout=5).status_code == 200
        return False

    def _listens(self) -> bool:
        self._ended()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5):
            return True
        return False
