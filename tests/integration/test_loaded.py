"""What a call has loaded: of TLS, hashes and the WebSocket library no more than it uses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rig.memory_device import device_config
from tests.rig.process import end, spawn
from tests.standin.client import StandIn

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from tests.bench.peers.looped_device import main
code = main()
print(*(name for name, module in sys.modules.items() if module), flush=True)
import hashlib, ssl, websocket
print(websocket.WebSocketApp.__name__, ssl.create_default_context().check_hostname, hashlib.sha256().name)
sys.exit(code)
"""


@pytest.mark.parametrize("tls", [False, True])
def test_a_call_loads_what_it_uses(tls: bool, tmp_path: Path) -> None:
    (tmp_path / "audio.pcm").write_bytes(bytes(3200))
    (tmp_path / "state").mkdir()
    with StandIn(tls=tls) as room:
        config = device_config(room.base_url, room.token, room.ca_file, tmp_path)
        config["control"] = {"socket": str(tmp_path / "control.sock")}
        (tmp_path / "ingestd.yaml").write_text(json.dumps(config))
        arguments = (tmp_path / "audio.pcm", "-", "--config", tmp_path / "ingestd.yaml")
        process = spawn(
            [sys.executable, "-c", PROGRAM, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "STATE_DIRECTORY": str(tmp_path / "state")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            room.wait_joined()
            process.terminate()
            out, log = process.communicate(timeout=20)
        finally:
            end(process)
    assert process.returncode == 0, log
    modules, afterwards = out.decode().splitlines()
    loaded = set(modules.split())
    assert {"ingestd.net.opening", "websocket._handshake", "hashlib", "_sha1", "_blake2"} <= loaded
    assert not loaded & {"_hashlib", "websocket._app", "inspect", "ast", "dis", "dataclasses", "uuid", "argparse"}
    assert loaded & {"ssl", "_ssl"} == ({"ssl", "_ssl"} if tls else set())
    assert afterwards == "WebSocketApp True sha256"
