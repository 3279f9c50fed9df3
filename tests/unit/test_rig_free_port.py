"""Ports that tests start their servers at later: no two get the same one, nor does anybody who asks the kernel."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from tests.rig import free_port as module
from tests.rig.free_port import free_port, share


def worker(number: int, count: int) -> dict[str, str]:
    return {"PYTEST_XDIST_WORKER": f"gw{number}", "PYTEST_XDIST_WORKER_COUNT": str(count)}


@pytest.mark.parametrize("count", [1, 3, 4])
def test_workers_share_the_ports_out(count: int) -> None:
    shares = [share(worker(number, count)) for number in range(count)]
    assert sorted(port for one in shares for port in one) == list(share({}))


def test_the_kernel_gives_out_none_of_them_by_itself() -> None:
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert not set(share({})) & set(range(first, last + 1))


def test_none_is_given_twice_while_there_are_others_nor_one_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as taken:
        port = taken.getsockname()[1]
        mine = share(os.environ)  # another worker may be about to start a server at a port of its own
        first = max(0, mine.index(port) - 15)
        monkeypatch.setattr(module, "share", lambda _environ: mine[first : first + 16])
        monkeypatch.setattr(module, "_given", set())
        others = [free_port() for _ in range(8)]
        assert len(set(others)) == 8
        assert port not in others
