"""The vendor page's own Node.js example, on npm's `ws`, finds in the stand-in the service it was written for."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from tests.standin.client import StandIn
from tests.standin.sounds import level, tone

pytest_plugins = ("tests.standin.fixtures",)

_EXAMPLE = Path(__file__).parents[1] / "standin" / "page_example.js"
_MODULES = Path("/usr/share/nodejs")
_ENVIRONMENT = {**os.environ, "NODE_PATH": str(_MODULES)}

pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.skipif(not (_MODULES / "ws").is_dir(), reason="npm's ws (package node-ws) is not installed"),
]


class _Example:
    """One run of the page's example."""

    def __init__(self, directory: Path, name: str, standin: StandIn, pcm: bytes, *, url: str = "") -> None:
        self.session = standin.create_session(name=name) if not url else None
        source = directory / f"{name}-source.pcm"
        source.write_bytes(pcm)
        self.heard_path = directory / f"{name}-heard.pcm"
        arguments = [url or (self.session.ws_url if self.session else ""), str(source), str(self.heard_path)]
        self.process = subprocess.Popen(
            ["node", str(_EXAMPLE), *arguments, "CHAT", f"hello from {name}"],
            env=_ENVIRONMENT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def publish(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def end(self) -> list[str]:
        """Let it stop, and return what it printed."""
        out, _ = self.process.communicate(timeout=20)
        return out.splitlines()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def pair(standin: StandIn, tmp_path: Path) -> Iterator[tuple[_Example, _Example]]:
    """Two of them in one room, each with a tone of its own."""
    joined = sum(info.joined_s is not None for info in standin.connections())
    with (
        _Example(tmp_path, "low", standin, tone(400, 4)) as low,
        _Example(tmp_path, "high", standin, tone(1900, 4)) as high,
    ):
        standin.wait_joined(joined + 2)
        yield low, high


def _heard(example: _Example) -> bytes | None:
    """0.6 s of what it heard, well after the first sound; None until there is that much."""
    pcm = example.heard_path.read_bytes()
    begins = (len(pcm) - len(pcm.lstrip(b"\0")) + 3200) // 2 * 2
    return pcm[begins:][:9600] if len(pcm) >= begins + 9600 else None


def test_each_hears_the_other_and_not_itself(standin: StandIn, pair: tuple[_Example, _Example]) -> None:
    low, high = pair
    for example, own_hz, other_hz in ((low, 400, 1900), (high, 1900, 400)):
        heard = standin.wait_for(lambda example=example: _heard(example))  # type: ignore[misc]
        assert level(heard, other_hz) > 4000
        assert level(heard, own_hz) < 200
    for example in pair:
        assert example.end()[-1].startswith("closed 1000")


def test_what_it_sends_is_recorded_bit_for_bit(standin: StandIn, pair: tuple[_Example, _Example]) -> None:
    for example, frequency in zip(pair, (400, 1900), strict=True):
        assert example.session is not None
        standin.wait_received(example.session.call_id, 50)
        received = standin.received(example.session.call_id)
        assert tone(frequency, 4).startswith(received.pcm)
        assert np.all(received.sizes_bytes == 320)


def test_it_publishes_and_receives_messages(standin: StandIn, pair: tuple[_Example, _Example]) -> None:
    low, high = pair
    alice = standin.add("Alice")
    standin.subscribe(alice, "CHAT")
    low.publish()
    standin.wait_for(lambda: standin.messages(alice))
    high.publish()
    standin.wait_for(lambda: len(standin.messages(alice)) == 2)
    standin.publish(alice, "CHAT", {"to": "all"})
    assert low.end()[:-1] == ["[CHAT] high: hello from high", '[CHAT] Alice: {"to":"all"}']
    assert high.end()[:-1] == ["[CHAT] low: hello from low", '[CHAT] Alice: {"to":"all"}']


def test_its_stop_ends_the_session(standin: StandIn, pair: tuple[_Example, _Example]) -> None:
    low, _ = pair
    assert low.end()[-1] == "closed 1000 "
    assert low.session is not None
    info = standin.connections()[standin.call(low.session.call_id).connections[0]]
    assert info.stopped_s is not None
    standin.wait_for(lambda: len(standin.look().participants) == 1)


def test_it_answers_pings(standin: StandIn, tmp_path: Path) -> None:
    standin.configure(ping_interval_s=0.5)
    with _Example(tmp_path, "device", standin, b""):
        standin.wait_for(lambda: len(standin.connections()) and standin.connection().pongs_received >= 3)


def test_a_used_url_is_refused(standin: StandIn, tmp_path: Path) -> None:
    joined = sum(info.joined_s is not None for info in standin.connections())
    with _Example(tmp_path, "first", standin, b"") as first:
        standin.wait_joined(joined + 1)
        assert first.session is not None
        with _Example(tmp_path, "second", standin, b"", url=first.session.ws_url) as second:
            assert second.process.stdout is not None
            assert second.process.stdout.readline() == "closed 1008 session expired\n"


def test_without_a_start_it_is_closed_with_1008_start_timeout(standin: StandIn) -> None:
    standin.configure(start_timeout_s=0.2)
    script = """
        const WebSocket = require("ws");
        const ws = new WebSocket(process.argv[1]);
        ws.on("close", (code, reason) => console.log(`${code} ${reason}`));
    """
    command = ["node", "-e", script, standin.create_session().ws_url]
    ran = subprocess.run(command, env=_ENVIRONMENT, capture_output=True, text=True, timeout=20)
    assert ran.stdout == "1008 start timeout\n"
