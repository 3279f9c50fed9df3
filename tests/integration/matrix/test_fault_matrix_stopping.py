"""SIGTERM while any cause is on: gone within two seconds, exit status 0, and a fault of a fresh process told once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.matrix.device import Since, WatchedDevice
from tests.integration.matrix.judging import no_secret_told, said_stop, told_once, wait_streaming
from tests.integration.matrix.lanes import Lanes, side_by_side
from tests.integration.matrix.site import Site
from tests.integration.matrix.strikes import Kind
from tests.integration.matrix.table import Cell, cells

pytestmark = pytest.mark.usefixtures("own_network")

GONE_S = 2.0
"""After SIGTERM."""
HANGING = ("name_server_silent", "black_hole", "stall", "hangs", "trickle")
"""They hold the attempt until its time is over; it is stopped in the midst of it."""
INTO_IT_S = 0.2
GOODBYE = ("black_hole", "stall", "trickle", "silent")
"""While these are on, nobody answers `stop`, and half of the two seconds goes by in waiting for that."""
STILL_WORKS = ("nonsense", "silent")
"""While these are on, the service still hears `stop`."""
ATTEMPTS = list(cells("creating", "connecting", "open"))
STREAMS = list(cells("streaming"))


RENEWALS = [cell for cell in ATTEMPTS if cell.cause == "stall" and cell.moment != "open"]


def _stopped_early(site: Site, cell: Cell) -> None:
    with _struck_later(site, cell):
        cell.strike.do(site)
        device = site.device()
        since = Since(device, from_the_start=True)
        if cell.cause in HANGING and cell.moment != "open":
            device.wait(lambda: any(f"{cell.moment}:" in line.text for line in since.lines), cell.moment)
            device.wait_s(INTO_IT_S)
        elif cell.kind is Kind.HARMLESS:
            device.wait(lambda: device.status()["messaging"]["refused"], "the nonsense to be counted")
        else:
            device.wait(lambda: cell.is_named_in(since.log), f"“{cell.says}”")
            if cell.kind is Kind.ENDED:
                assert not any(cell.is_named_in(line) for line in since.warned), "no fault"
            elif cell.kind is not Kind.EXPIRED:
                assert len([line for line in since.warned if cell.is_named_in(line)]) == 1, "told once"
        _gone(site, device, since)


def _stopped_streaming(site: Site, cell: Cell) -> None:
    with _struck_later(site, cell):
        device, since, connection = _streaming(site)
        cell.strike.do(site)
        _gone(site, device, since)
        if cell.cause in STILL_WORKS:
            said_stop(site, connection)


def _stopped_renewing(site: Site, cell: Cell) -> None:
    with _struck_later(site, cell):
        device, since, connection = _streaming(site)
        cell.strike.do(site)
        device.call("reconnect")
        device.wait_s(INTO_IT_S)
        _gone(site, device, since)
        said_stop(site, connection)


@contextmanager
def _struck_later(site: Site, cell: Cell) -> Iterator[None]:
    if cell.strike.needs_names and site.no_names:
        pytest.skip(site.no_names)
    site.write_token(site.another_token())
    try:
        yield
    finally:
        site.end_devices()
        site.mend()
        site.empty_doors()


def _streaming(site: Site) -> tuple[WatchedDevice, Since, int]:
    """A device that streams; the number of its connection."""
    device = site.device()
    since = Since(device, from_the_start=True)
    wait_streaming(device, site, 0)
    site.turn()
    return device, since, site.room.call(site.current_call).connections[-1]


def _gone(site: Site, device: WatchedDevice, since: Since) -> None:
    no_secret_told(since, device, site)
    status, took_s = device.terminate(GONE_S)
    assert status == 0, f"exit status {status} after {took_s:.1f} s:\n{since.log}"
    told_once(since)
    no_secret_told(since, None, site)


@contextmanager
def a_site(_lane: str, directory: Path) -> Iterator[Site]:
    with Site(directory) as site:
        yield site


@pytest.fixture(scope="module")
def lanes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lanes[Site]]:
    plays = {
        test_stopped_while_the_first_attempt_is_struck.__name__: _stopped_early,
        test_stopped_while_the_stream_is_struck.__name__: _stopped_streaming,
        test_stopped_while_a_renewal_hangs.__name__: _stopped_renewing,
    }
    with side_by_side(request, tmp_path_factory, a_site, plays) as lanes:
        yield lanes


@pytest.mark.parametrize("cell", ATTEMPTS, ids=[cell.name for cell in ATTEMPTS])
def test_stopped_while_the_first_attempt_is_struck(
    lanes: Lanes[Site], request: pytest.FixtureRequest, cell: Cell
) -> None:
    lanes.result(request.node.nodeid)


@pytest.mark.parametrize(
    "cell",
    [pytest.param(cell, marks=[pytest.mark.alone] if cell.cause in GOODBYE else []) for cell in STREAMS],
    ids=[cell.name for cell in STREAMS],
)
def test_stopped_while_the_stream_is_struck(lanes: Lanes[Site], request: pytest.FixtureRequest, cell: Cell) -> None:
    lanes.result(request.node.nodeid)


@pytest.mark.parametrize("cell", RENEWALS, ids=[cell.name for cell in RENEWALS])
def test_stopped_while_a_renewal_hangs(lanes: Lanes[Site], request: pytest.FixtureRequest, cell: Cell) -> None:
    lanes.result(request.node.nodeid)
