"""What a handler's probe takes for the daemon's word."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path

import pytest

from tests.rig.probe import ask

NEWS = b'{"jsonrpc":"2.0","method":"state","params":{}}\n'
DONE = b'{"jsonrpc":"2.0","id":1,"result":{}}\n'
REFUSED = b'{"jsonrpc":"2.0","id":%b,"error":{"code":-32003,"message":"not served"}}\n'


def answer(path: Path, lines: bytes) -> None:
    """One program that asks there is told this."""
    door = socket.socket(socket.AF_UNIX)
    door.bind(str(path))
    door.listen()

    def serve() -> None:
        with door, door.accept()[0] as client:
            client.makefile().readline()
            client.sendall(lines)

    threading.Thread(target=serve, daemon=True).start()


@pytest.mark.parametrize(
    ("lines", "error"),
    [
        (DONE, None),
        (NEWS + NEWS + DONE, None),
        (REFUSED % b"1", PermissionError),
        (NEWS + REFUSED % b"null", PermissionError),
        (NEWS, ConnectionResetError),
        (b"", ConnectionResetError),
    ],
    ids=["done", "done after news", "refused", "refused after news", "news alone", "nothing"],
)
def test_news_are_no_answer(tmp_path: Path, lines: bytes, error: type[OSError] | None) -> None:
    path = tmp_path / "control.sock"
    answer(path, lines)
    with contextlib.nullcontext() if error is None else pytest.raises(error):
        ask("unmute", str(path))
