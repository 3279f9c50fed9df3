"""The library's handshake without the rest of it: what is loaded, what whoever imports the library finds, and others.

Each in a process of its own, as this one has long loaded all that is looked for.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import trustme

from tests.unit.importing import ROOT
from tests.unit.peers import accept_upgrade, header, read_head, server_tls, serving, until_closed

DIAL = """
import sys, time
from ingestd.errors import ChannelError
from ingestd.net.cancel import Cancel
from ingestd.net.dialer import Dialer
from ingestd.net.tls_files import TlsFiles
port, *ca_file = sys.argv[1:]
dialer = Dialer(TlsFiles(*ca_file).context)
for scheme in ("ws", "wss")[: len(sys.argv) - 1]:
    try:
        dialer.open(f"{scheme}://127.0.0.1:{port}/videosdk?ref=vs_secret", Cancel(), time.monotonic() + 20).close()
        print("open", "ssl" in sys.modules)
    except ChannelError as error:
        print(type(error).__name__, error)
"""
LOAD = "from ingestd.net.opening import opening; import sys; found = opening()"


def run(code: str, *arguments: str, path: Path | None = None, options: tuple[str, ...] = ()) -> list[str]:
    """The lines that a fresh interpreter prints; `path` comes before all others."""
    folders = os.pathsep.join(str(folder) for folder in (path, ROOT) if folder is not None)
    command = [sys.executable, *options, "-c", code, *arguments]
    env = {**os.environ, "PYTHONPATH": folders}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=env, cwd=ROOT).stdout.splitlines()


def loaded(code: str) -> set[str]:
    (names,) = run(f"{code}; print(*(name for name, module in sys.modules.items() if module))")
    return set(names.split())


def test_the_handshake_brings_neither_an_application_nor_tls() -> None:
    names = loaded(LOAD)
    assert {"websocket._handshake", "websocket._exceptions"} <= names
    assert not names & {"websocket._app", "websocket._core", "inspect", "ast", "ssl", "_ssl"}


@pytest.mark.parametrize("before", ["", "import ssl;"])
def test_who_imports_the_library_later_has_all_of_it(before: str) -> None:
    looks = """
import websocket
assert websocket.WebSocketTimeoutException is found.timed_out
assert websocket.WebSocketConnectionClosedException is found.closed
assert websocket._handshake is sys.modules["websocket._handshake"]
assert issubclass(websocket.WebSocketApp, object) and websocket.__version__
assert websocket.create_connection.__module__ == "websocket._core"
assert not hasattr(websocket, "nonsense")
from websocket import *
print(WebSocket is websocket.WebSocket, websocket._http.HAVE_SSL)
"""
    assert run(f"{before}{LOAD}{looks}") == [f"True {bool(before)}"]


def test_the_library_that_somebody_has_imported_is_taken_as_it_is() -> None:
    looks = "from websocket._handshake import handshake; print(websocket.WebSocketTimeoutException is found.timed_out)"
    assert run(f"import websocket; {LOAD}; {looks}") == ["True"]


def test_a_call_over_tls_may_come_after_a_plain_one(tmp_path: Path) -> None:
    ca, ca_file = trustme.CA(), tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    tls = server_tls(ca)

    def plain_then_tls(sock: socket.socket) -> None:
        secure = sock.recv(1, socket.MSG_PEEK) == b"\x16"  # a TLS record begins so
        accept_upgrade(tls.wrap_socket(sock, server_side=True) if secure else sock)

    with serving(plain_then_tls) as server:
        assert run(DIAL, str(server.port), str(ca_file)) == ["open False", "open True"]


def test_threads_that_ask_at_once_load_it_once() -> None:
    asks = """
import sys, threading, time
from ingestd.net import opening as module
begun, stand_in = [], module._stand_in
def slowly():
    begun.append(True)
    time.sleep(0.2)
    stand_in()
module._stand_in = slowly
threads = [threading.Thread(target=module.opening) for _ in range(2)]
[one.start() for one in threads]
[one.join() for one in threads]
print(len(begun), "websocket._handshake" in sys.modules, "websocket._core" in sys.modules)
"""
    assert run(asks) == ["1 True False"]


def test_without_the_library_it_is_missed_by_name() -> None:
    tries = "from ingestd.net.opening import opening\ntry: opening()\nexcept ImportError as error: print(error.name)"
    assert run(tries, options=("-S",)) == ["websocket"]


def move_handshake(package: Path) -> None:
    (package / "_handshake.py").rename(package / "_greeting.py")
    for module in package.glob("*.py"):
        module.write_text(module.read_text().replace("._handshake", "._greeting"))


def take_another_argument(package: Path) -> None:
    for module, before, after in (
        ("_handshake.py", r"def handshake\(\s*sock", "def handshake(version, sock"),
        ("_core.py", r"= handshake\(\s*self\.sock", "= handshake(1, self.sock"),
    ):
        changed, places = re.subn(before, after, (package / module).read_text())
        assert places
        (package / module).write_text(changed)


@pytest.fixture(params=[move_handshake, take_another_argument])
def other(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with the library as another version may have it."""
    found = find_spec("websocket")
    assert found is not None
    assert found.submodule_search_locations
    package = tmp_path / "websocket"
    shutil.copytree(found.submodule_search_locations[0], package, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    request.param(package)
    return tmp_path


def refuse(sock: socket.socket) -> None:
    read_head(sock)
    sock.sendall(b"HTTP/1.1 302 Go\r\nLocation: ws://127.0.0.1:9/\r\nContent-Length: 5\r\n\r\nhello")
    until_closed(sock)


def hang_up(sock: socket.socket) -> None:
    read_head(sock)


def test_one_with_its_parts_elsewhere_is_used_whole(other: Path) -> None:
    heads: list[bytes] = []
    with serving(lambda sock: heads.append(accept_upgrade(sock))) as server:
        assert run(DIAL, str(server.port), path=other) == ["open False"]
    (head,) = heads
    assert head.startswith(b"GET /videosdk?ref=vs_secret HTTP/1.1\r\n")
    assert header(head, "Origin") is None
    with serving(refuse) as server:
        (said,) = run(DIAL, str(server.port), path=other)
    assert said == "UpgradeRefused the server refused the WebSocket with HTTP status 302"
    with serving(hang_up) as server:
        (said,) = run(DIAL, str(server.port), path=other)
    assert said == "ChannelClosed the server closed the connection during the WebSocket handshake"
    assert run(f"{LOAD}; print('websocket._core' in sys.modules)", path=other) == ["True"]
