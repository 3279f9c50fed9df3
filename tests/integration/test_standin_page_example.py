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

from tests.standin import frames
from tests.standin.client import SocketFault, StandIn
from tests.standin.sounds import contains, tone

pytest_plugins = ("tests.standin.fixtures",)

_EXAMPLE = Path(__file__).parents[1] / "standin" / "page_example.js"
_MODULES = Path("/usr/share/nodejs")
_LOW, _HIGH = tone(400, 30), tone(1900, 30)
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
    before = len(standin.connections())
    standin.configure(cap_ms=0)
    with (
        _Example(tmp_path, "low", standin, _LOW) as low,
        _Example(tmp_path, "high", standin, _HIGH) as high,
    ):
        # What they send after their start, first of all the subscription, may come in later than that.
        standin.wait_for(lambda: sum(bool(info.topic_texts) for info in standin.connections(before)) == 2)
        yield low, high


def _heard(example: _Example) -> bytes | None:
    """What it heard without the silence, 0.6 s at least: it may send late, but then what is next; None until then."""
    pcm = example.heard_path.read_bytes()
    whole = [pcm[at : at + 320] for at in range(0, len(pcm) // 320 * 320, 320)]
    heard = b"".join(frame for frame in whole if any(frame))
    return heard if len(heard) >= 9600 else None


def test_each_hears_the_other_and_not_itself(standin: StandIn, pair: tuple[_Example, _Example]) -> None:
    low, high = pair
    for example, other in ((low, _HIGH), (high, _LOW)):
        heard = standin.wait_for(lambda example=example: _heard(example))  # type: ignore[misc]
        assert contains(other, heard)
    for example in pair:
        assert example.end()[-1].startswith("closed 1000")


def test_what_it_sends_is_recorded_bit_for_bit(standin: StandIn, pair: tuple[_Example, _Example]) -> None:
    for example, said in zip(pair, (_LOW, _HIGH), strict=True):
        assert example.session is not None
        standin.wait_received(example.session.call_id, 50)
        received = standin.received(example.session.call_id)
        assert said.startswith(received.pcm)
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
    joined = sum(info.joined_s is not None for info in standin.connections())
    with _Example(tmp_path, "device", standin, b""):
        index = standin.wait_joined(joined + 1).index
        for answered in range(3):  # by hand: one that answers a moment late is cut by the service's own
            standin.inject(SocketFault("send_raw", data=frames.encode(frames.PING, b"")))
            standin.wait_for(lambda answered=answered: standin.connections(index)[0].pongs_received > answered)  # type: ignore[misc]


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
