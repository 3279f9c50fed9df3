"""What a handler can reach: tried one by one, told as JSON on standard output. Run by Debian's own Python."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

CLONE_NEWUSER = 0x10000000
CONTROL_SOCKET = "/run/ingestd/control.sock"


def _tcp(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), 2.0).close()


def _unix(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(path)


def ask(method: str, path: str = CONTROL_SOCKET) -> None:
    """Asks the daemon behind that control socket to do it. Raises OSError where it did not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(path)
        sock.sendall(json.dumps({"jsonrpc": "2.0", "method": method, "id": 1}).encode() + b"\n")
        for line in sock.makefile():
            answer = json.loads(line)
            if "id" not in answer:  # news, which every client is told
                continue
            if "result" in answer:
                return
            raise PermissionError(answer)
        raise ConnectionResetError(path)


def _write(path: str) -> None:
    Path(path).write_text("written")


def _read(path: str) -> None:
    Path(path).read_bytes()


def _open(path: str) -> None:
    with open(path, "r+b", buffering=0):
        pass


def _become_root() -> None:
    said = subprocess.run(["/usr/local/bin/setuid-id", "-u"], capture_output=True, text=True, check=True).stdout
    if said.strip() != "0":
        raise PermissionError("still the same user")


def _make_setuid() -> None:
    path = Path("/tmp/made-setuid")
    path.write_text("")
    try:
        path.chmod(0o4755)
    finally:
        path.unlink()


def _new_namespace() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER):
        raise OSError(ctypes.get_errno(), "unshare")


def _signal(pid: str) -> None:
    os.kill(int(pid), 0)


def main(port: int, daemon_pid: str) -> None:
    """Tries everything; `port` is one where somebody listens, `daemon_pid` the process of ingestd."""
    attempts: dict[str, Callable[[], None]] = {
        "control socket": lambda: _unix(CONTROL_SOCKET),
        "unmute": lambda: ask("unmute"),
        "configuration": lambda: _read("/etc/ingestd/ingestd.yaml"),
        "temporary file": lambda: _write("/tmp/of-its-own"),
        "network": lambda: _tcp(port),
        "bus": lambda: _unix("/run/dbus/system_bus_socket"),
        "write /etc": lambda: _write("/etc/open-to-all/file"),
        "write /home": lambda: _write("/home/open-to-all/file"),
        "write /var": lambda: _write("/var/open-to-all/file"),
        "token": lambda: _read("/etc/ingestd/token"),
        "another secret": lambda: _read("/etc/ingestd/door-secret"),
        "state of ingestd": lambda: _read("/var/lib/ingestd/last-good.yaml"),
        "state of its service": lambda: _write("/var/lib/ingestd-hooks/of-a-handler"),
        "device": lambda: _open("/dev/gpiochip0"),
        "another device": lambda: _open("/dev/gpiochip1"),
        "setuid program": _become_root,
        "make setuid": _make_setuid,
        "signal ingestd": lambda: _signal(daemon_pid),
        "look into ingestd": lambda: _read(f"/proc/{daemon_pid}/environ"),
        "signal its service": lambda: _signal(str(os.getppid())),
        "look into its service": lambda: _read(f"/proc/{os.getppid()}/environ"),
        "new namespace": _new_namespace,  # the last: whoever is in one is a stranger to all else
    }
    reached = []
    for name, attempt in attempts.items():
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            attempt()
            reached.append(name)
    print(json.dumps(reached), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
