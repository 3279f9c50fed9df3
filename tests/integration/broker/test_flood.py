"""Who floods the broker, or is slow with it, takes little from the others."""

from __future__ import annotations

import contextlib
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.rig.broker import BrokerProcess
from tests.rig.figures import Figures
from tests.rig.http_flood import HttpFlood
from tests.rig.raw_http import RawClient, request
from tests.standin.client import StandIn

pytest_plugins = ("tests.standin.fixtures",)

OTHERS = 20
EACH = 10
"""Sessions that each of them asks for: what a device gets at once."""
EVERY_S = 0.2
FLOOD_CONNECTIONS = 8
TIMES_SLOWER = 30.0
SLOW_CLIENTS = 40
SERVED_WITHIN_S = 1.0
"""With so many slow clients: a request that they kept from a thread would take longer."""


def asked_with(key: str) -> bytes:
    return request("/v1/sessions", {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}, b"{}")


@pytest.fixture(scope="module")
def broker(standin_process: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    with BrokerProcess(tmp_path_factory.mktemp("broker"), standin_process) as process:
        yield process


class Served:
    """How devices were served: each with a connection of its own for each of its sessions, as devices do it."""

    def __init__(self, port: int, keys: list[str], each: int = EACH) -> None:
        self.statuses: Counter[int] = Counter()
        self.took_s: list[float] = []
        begin_s = time.monotonic() + 0.1
        threads = [
            threading.Thread(target=self._ask, args=(port, asked_with(key), begin_s + EVERY_S * n / len(keys), each))
            for n, key in enumerate(keys)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    @property
    def p95_s(self) -> float:
        return statistics.quantiles(self.took_s, n=20)[-1]

    def _ask(self, port: int, asked: bytes, begin_s: float, each: int) -> None:
        for number in range(each):
            time.sleep(max(0.0, begin_s + number * EVERY_S - time.monotonic()))
            sent_s = time.monotonic()
            with RawClient(port) as client:
                self.statuses[client.ask(asked).status] += 1
            self.took_s.append(time.monotonic() - sent_s)


def test_others_are_served_in_a_flood(broker: BrokerProcess, figures: Figures) -> None:
    keys = broker.add_devices(f"device-{number}" for number in range(2 * OTHERS))
    flooder = broker.add_device("flooder")
    quiet = Served(broker.port, keys[:OTHERS])
    requests = {"device": asked_with(flooder), "stranger": asked_with("igd_" + "0" * 16 + "_" + "0" * 64)}
    with HttpFlood(broker.port, requests, FLOOD_CONNECTIONS) as flood:
        begun_s = time.monotonic()
        flooded = Served(broker.port, keys[OTHERS:])
        lasted_s = time.monotonic() - begun_s
    of_device, of_stranger = flood.statuses["device"], flood.statuses["stranger"]
    assert quiet.statuses == flooded.statuses == Counter({200: OTHERS * EACH})
    assert set(of_device) == {200, 429}
    assert set(of_stranger) == {401}
    assert flood.retry_after["device"]
    assert all(1 <= int(wait) <= 60 for wait in flood.retry_after["device"])
    figures.add("broker_flood_requests_per_s", (of_device.total() + of_stranger.total()) / lasted_s, min=100)
    figures.add("broker_others_p95_ms", quiet.p95_s * 1000)
    figures.add("broker_others_p95_in_flood_ms", flooded.p95_s * 1000)
    assert figures.add("broker_others_times_slower_in_flood", flooded.p95_s / quiet.p95_s, max=TIMES_SLOWER)
    assert of_device[200] < 2 * EACH


def dribbled(sock: socket.socket, start: bytes) -> Callable[[], None]:
    """Sends `start`, then a byte whenever it is called."""
    sock.sendall(start)
    return lambda: sock.sendall(b"x")


def silent(sock: socket.socket) -> Callable[[], None]:
    return lambda: None


def half_a_line(sock: socket.socket) -> Callable[[], None]:
    return dribbled(sock, b"POST /v1/sess")


def half_a_header(sock: socket.socket) -> Callable[[], None]:
    return dribbled(sock, b"POST /v1/sessions HTTP/1.1\r\nHost: broker\r\nX-Long: ")


def half_a_body(sock: socket.socket) -> Callable[[], None]:
    return dribbled(sock, request("/v1/webhooks/videosdk", {"Content-Length": "200000"}))


def half_a_chunk(sock: socket.socket) -> Callable[[], None]:
    head = b"POST /v1/webhooks/videosdk HTTP/1.1\r\nHost: broker\r\nTransfer-Encoding: chunked\r\n\r\n"
    return dribbled(sock, head + b"ffff\r\n")


def deaf(sock: socket.socket) -> Callable[[], None]:
    """Asks for more than any buffer takes, and reads none of it."""
    sock.setblocking(False)

    def ask() -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                sock.send(request("/v1/openapi.json", method="GET") * 50)

    return ask


@pytest.mark.parametrize("slow", [silent, half_a_line, half_a_header, half_a_body, half_a_chunk, deaf])
def test_others_are_served_beside_slow_clients(
    broker: BrokerProcess, figures: Figures, slow: Callable[[socket.socket], Callable[[], None]]
) -> None:
    keys = broker.add_devices(f"{slow.__name__}-{number}" for number in range(OTHERS))
    with contextlib.ExitStack() as stack:
        goings_on = []
        for _ in range(SLOW_CLIENTS):
            sock = stack.enter_context(socket.socket())
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", broker.port))
            goings_on.append(slow(sock))
        over = threading.Event()

        def go_on() -> None:
            while not over.wait(0.02):
                for one in goings_on:
                    with contextlib.suppress(OSError):  # that it was cut off is right
                        one()

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            time.sleep(3.0 if slow is deaf else 0.5)  # by then it is as bad as it gets
            served = Served(broker.port, keys, each=3)
        finally:
            over.set()
            thread.join()
    assert served.statuses == Counter({200: OTHERS * 3})
    assert figures.add(f"broker_others_longest_beside_{slow.__name__}_s", max(served.took_s), max=SERVED_WITHIN_S)
