"""A PostgreSQL server of its own for tests and benches: real, on real files, synced as it is in the field.

It ends with the thread that started it, however that ends. Its programs are Debian's, the newest there are.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest
from sqlalchemy import create_engine, text

from tests.rig.free_port import free_port
from tests.rig.process import state_of, wait_until

USER: Final = "broker"
_USERS: Final = ("postgres", "nobody")
_READY_S: Final = 30
_OWNER: Final = "rig"


def programs() -> Path | None:
    """The directory of the newest server's programs, None where there is none."""
    found = [one for one in Path("/usr/lib/postgresql").glob("*/bin") if (one / "postgres").exists()]
    return max(found, key=lambda one: int(one.parent.name), default=None)


def why_not() -> str | None:
    """Why no server can be started here, None where one can."""
    if programs() is None:
        return "needs PostgreSQL's server (Debian's package postgresql)"
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        return "needs setpriv (Debian's package util-linux): PostgreSQL does not run as root"
    return None


needs_postgres: Final = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")


class Postgres:
    """One server with its own cluster: on 127.0.0.1 at a free port, with a password, and on a Unix socket.

    A context manager; skips the test, with its reason, where there is no server. One thread.
    """

    def __init__(self, directory: Path | None = None, *, durable: bool = True) -> None:
        """Nothing runs before `start`. The cluster is in `directory` where the server's user can get there.

        `durable`: what is committed outlives a crash; without, databases are made several times as fast, for tests that
        crash nothing.
        """
        if reason := why_not():
            pytest.skip(reason)
        self.password = secrets.token_hex(8)
        """Of the user that every URL is for."""
        self.port = free_port()
        self._programs = programs() or Path()
        parent = directory if directory is not None and _all_may_enter(directory) else None
        self._folder = Path(tempfile.mkdtemp(prefix="pg-", dir=parent))
        self._log = self._folder / "log"
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            name = next(one for one in _USERS if _exists(one))
            shutil.chown(self._folder, name)
            self._as_user = ["setpriv", f"--reuid={name}", "--clear-groups"]
        self._server: subprocess.Popen[bytes] | None = None
        self._made = 0
        self._durable = "on" if durable else "off"

    @property
    def url(self) -> str:
        """A database of its own at each look: `database`."""
        return self.database()

    @property
    def pid(self) -> int:
        """The server's first process."""
        assert self._server is not None
        return self._server.pid

    def database(self) -> str:
        """Makes an empty database and returns its URL, the password in it."""
        self._made += 1
        name = f"db{self._made}"
        self.run(f"CREATE DATABASE {name} OWNER {USER}")
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{name}"

    def run(self, statement: str, database: str = "postgres") -> None:
        """Runs one statement as the server's owner, outside a transaction."""
        engine = create_engine(f"postgresql+psycopg2://{_OWNER}@/{database}?host={self._folder}&port={self.port}")
        try:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text(statement))
        finally:
            engine.dispose()

    def start(self) -> None:
        """Starts it, on the files it had, and returns once it takes connections."""
        cluster = self._folder / "cluster"
        first = not cluster.exists()
        if first:
            self._initialise(cluster)
        # QUIT, as KILL would leave its shared memory behind.
        guard = ["setpriv", "--pdeathsig", "QUIT", "--"] if shutil.which("setpriv") else []
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self._folder,
            "max_connections": 300,
            "fsync": self._durable,
            "synchronous_commit": self._durable,
            "full_page_writes": self._durable,
        }
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [
                    *self._as_user,
                    *guard,
                    str(self._programs / "postgres"),
                    *("-D", str(cluster)),
                    *(word for key, value in options.items() for word in ("-c", f"{key}={value}")),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
            )
        self._wait()
        if first:
            self.run(f"CREATE ROLE {USER} LOGIN PASSWORD '{self.password}'")

    def stop(self) -> None:
        """Ends it in order, whoever is connected."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Ends all of it at once, as a power cut would; what was not synced may be lost."""
        if self._server is not None:
            first = self._server.pid
            self._server.send_signal(signal.SIGSTOP)  # or it would make others, and clear up after those that die
            wait_until(lambda: state_of(first) in "TZ", _READY_S, "the server to stand still", every=0.001)
            children = _children(first)
            for child in children:
                with contextlib.suppress(ProcessLookupError):  # one that was just ending
                    os.kill(child, signal.SIGKILL)
            # One that still lives keeps the shared memory, and with it the next server out.
            wait_until(lambda: all(state_of(one) in "Z" for one in children), _READY_S, "their end", every=0.001)
        self._end(signal.SIGKILL)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _initialise(self, cluster: Path) -> None:
        done = subprocess.run(
            [
                *self._as_user,
                str(self._programs / "initdb"),
                *("-D", str(cluster), "-U", _OWNER, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"),
                *("--auth-local=trust", "--auth-host=scram-sha-256", "--no-instructions"),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()

    def _wait(self) -> None:
        deadline = time.monotonic() + _READY_S
        while True:
            assert self._server is not None
            assert self._server.poll() is None, self._log.read_text()
            ready = [str(self._programs / "pg_isready"), "-q", "-h", str(self._folder), "-p", str(self.port)]
            if subprocess.run(ready, check=False).returncode == 0:
                return
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.05)

    def _end(self, number: signal.Signals) -> None:
        if self._server is None:
            return
        if self._server.poll() is None:
            self._server.send_signal(number)
        self._server.wait(_READY_S)
        self._server = None


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _all_may_enter(directory: Path) -> bool:
    return all(one.stat().st_mode & stat.S_IXOTH for one in (directory, *directory.resolve().parents))
