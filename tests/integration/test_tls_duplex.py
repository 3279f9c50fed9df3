"""TLS with both directions busy: one OpenSSL connection, two threads, a network that reorders nothing but time."""

from __future__ import annotations

import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import trustme

from ingestd.core import wire
from ingestd.core.ingest_session import IngestSession
from ingestd.errors import ChannelClosed, ChannelError
from ingestd.net.cancel import Cancel
from ingestd.net.channel import Channel
from ingestd.net.dialer import Dialer
from ingestd.net.opener import ChannelOpener
from tests.rig.figures import Figures
from tests.rig.memory_ports import numbered_frame
from tests.rig.process import end, spawn
from tests.rig.proxy import FaultProxy

FRAMES = 60
AT_ONCE = 6
GIVE_UP_S = 60.0


@pytest.fixture
def flooded(tmp_path: Path) -> Iterator[tuple[int, ssl.SSLContext]]:
    """Port of a flood server, and a context that trusts it."""
    authority = trustme.CA()
    chain = tmp_path / "server.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(chain))
    client = ssl.create_default_context()
    authority.configure_trust(client)
    process = spawn(
        [sys.executable, "-m", "tests.rig.flood_server", str(chain), str(FRAMES)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline()), client
    finally:
        end(process)


def _send(channel: Channel, failures: list[str]) -> None:
    try:
        number = 1
        deadline = time.monotonic() + GIVE_UP_S
        while number <= FRAMES:
            if channel.send_media(numbered_frame(number)):
                number += 1
            elif time.monotonic() > deadline:
                raise ChannelClosed("the gate never opened")
            else:
                time.sleep(0.0005)
            channel.send_others(time.monotonic())
        channel.post(wire.STOP)
        while channel.posts_sent == 0 and time.monotonic() < deadline:
            channel.send_others(time.monotonic())
            time.sleep(0.0005)
    except ChannelError as error:
        failures.append(f"sending: {error}")


def _receive(channel: Channel, failures: list[str]) -> None:
    heard = 0
    deadline = time.monotonic() + GIVE_UP_S
    try:
        while time.monotonic() < deadline:
            events = channel.receive()
            if not events:
                time.sleep(0.0005)
            for event in events:
                if isinstance(event, wire.Media):
                    heard += 1
                    if event.pcm != numbered_frame(heard):
                        failures.append(f"frame {heard} came in wrong")
                        return
                elif isinstance(event, wire.MeetingLeft):
                    if (heard, event.message) != (FRAMES, f"{FRAMES} 0"):
                        failures.append(f"heard {heard}; the server heard and found wrong: {event.message}")
                    return
        failures.append("the server never said goodbye")
    except ChannelError as error:
        failures.append(f"receiving after {heard} frames: {error}")


def _one_call(opener: ChannelOpener, port: int) -> list[str]:
    session = IngestSession(f"wss://127.0.0.1:{port}/", None, GIVE_UP_S)
    failures: list[str] = []
    try:
        channel = opener.open(session, 1, Cancel(), time.monotonic() + GIVE_UP_S)
    except ChannelError as error:
        return [f"opening: {error}"]
    threads = [threading.Thread(target=work, args=(channel, failures)) for work in (_send, _receive)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    channel.leave()
    return failures


@pytest.mark.undisturbed
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("connections", [100, pytest.param(1000, marks=pytest.mark.full)])
def test_no_connection_fails_with_both_directions_busy(
    flooded: tuple[int, ssl.SSLContext], figures: Figures, connections: int
) -> None:
    port, context = flooded
    with FaultProxy(port) as proxy, ThreadPoolExecutor(AT_ONCE) as pool:
        proxy.jitter(0, 4, max_piece=700, seed=11)
        opener = ChannelOpener(Dialer(lambda: context), tuple)
        calls = [pool.submit(_one_call, opener, proxy.port) for _ in range(connections)]
        failed = [failures for call in calls if (failures := call.result())]
    assert figures.add(f"tls_duplex_failed_of_{connections}", len(failed), max=0), failed[:10]
