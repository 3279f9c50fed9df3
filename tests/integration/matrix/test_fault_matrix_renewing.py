"""Every cause × the moments of a renewal: the room hears the first session until the second has taken over."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestd.control.protocol import RpcError
from tests.integration.matrix.lanes import Lanes, side_by_side
from tests.integration.matrix.life import Case, Life, a_life
from tests.integration.matrix.site import QUICK
from tests.integration.matrix.strikes import Kind
from tests.integration.matrix.table import Cell, cells
from tests.standin.client import SessionFault

pytestmark = pytest.mark.usefixtures("own_network")

GAP_S = 1.0
"""What the room may miss while the first session streams: nothing but a machine that was busy otherwise."""
IN_THE_ROOM = ("streaming", "renewing", "renewing (connecting)", "overlapping")
TAKEN_OVER = ("open-stall", "open-silent")
"""The second session has joined, and the room has let the first one go, before it shows that something is wrong."""
SECOND = list(cells("creating", "connecting", "open"))
FIRST = list(cells("streaming"))
HANGS = next(cell for cell in SECOND if cell.name == "creating-hangs")
CLOSED = next(cell for cell in FIRST if cell.name == "streaming-4001")


def _first_goes_on(life: Life, cell: Cell) -> None:
    with life.case(cell) as case:
        cell.strike.do(life.site)
        case.device.call("reconnect")
        if cell.kind is not Kind.HARMLESS:
            case.device.wait(lambda: case.is_named_in(case.since.log), f"“{cell.says}” in the log")
        if cell.strike.lasts:
            status = case.device.status()
            assert status["state"] in IN_THE_ROOM, "the first session goes on"
            assert status["session"]["call_id"] == case.call
            life.site.mend()
        if cell.kind is Kind.PERSON:
            _something_was_done(case)
        case.wait_streaming()
        if cell.name not in TAKEN_OVER:
            assert case.longest_gap_s() < GAP_S, "the room heard the first session until the second took over"
            assert case.latest_s() < GAP_S, "and heard it in time"


def _something_was_done(case: Case) -> None:
    if case.cell.cause in ("token_expired", "token_missing"):
        case.site.write_token(case.site.another_token())
    else:
        case.device.call("reconnect")


def _second_takes_over(life: Life, cell: Cell) -> None:
    with life.case(cell) as case:
        life.site.room.fail_sessions(SessionFault(stall_s=0.5))
        case.device.call("reconnect")
        case.device.wait(case.requested_s, "the second session's request")
        cell.strike.do(life.site)
        case.wait_streaming()
        assert len(case.requested_s()) <= 2, "no storm of sessions"


def _asked_again_and_again(_life: Life, cell: Cell) -> None:
    # A life of its own, in which a program may ask so seldom that a hundred times are too often however slow it is.
    seldom = {**QUICK, "reconnect_every_s": 10.0}
    with (
        tempfile.TemporaryDirectory(prefix="asked-") as folder,
        a_life("asked", Path(folder), seldom) as life,
        life.case(cell) as case,
    ):
        cell.strike.do(life.site)
        for _ in range(100):
            with contextlib.suppress(RpcError):  # too often
                case.device.call("reconnect")
        case.wait_streaming()
        assert len(case.requested_s()) <= 4
        assert case.longest_gap_s() < GAP_S
        assert case.latest_s() < GAP_S


def _lost(life: Life, cell: Cell) -> None:
    with life.case(cell) as case:
        case.strike()
        case.wait_streaming()
        assert case.longest_gap_s() > QUICK["rejoin_s"] - 0.1


@pytest.fixture(scope="module")
def lanes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lanes[Life]]:
    plays = {
        test_the_first_session_goes_on_while_the_second_is_struck.__name__: _first_goes_on,
        test_the_second_session_takes_over_when_the_first_is_struck.__name__: _second_takes_over,
        test_a_hundred_requests_to_renew_make_no_hundred_sessions.__name__: _asked_again_and_again,
        test_a_gap_is_found.__name__: _lost,
    }
    with side_by_side(request, tmp_path_factory, a_life, plays) as lanes:
        yield lanes


@pytest.mark.parametrize("cell", SECOND, ids=[cell.name for cell in SECOND])
def test_the_first_session_goes_on_while_the_second_is_struck(
    lanes: Lanes[Life], request: pytest.FixtureRequest, cell: Cell
) -> None:
    lanes.result(request.node.nodeid)


@pytest.mark.parametrize("cell", FIRST, ids=[cell.name for cell in FIRST])
def test_the_second_session_takes_over_when_the_first_is_struck(
    lanes: Lanes[Life], request: pytest.FixtureRequest, cell: Cell
) -> None:
    lanes.result(request.node.nodeid)


@pytest.mark.parametrize("cell", [HANGS], ids=[HANGS.name])
def test_a_hundred_requests_to_renew_make_no_hundred_sessions(
    lanes: Lanes[Life], request: pytest.FixtureRequest, cell: Cell
) -> None:
    lanes.result(request.node.nodeid)


@pytest.mark.parametrize("cell", [CLOSED], ids=[CLOSED.name])
def test_a_gap_is_found(lanes: Lanes[Life], request: pytest.FixtureRequest, cell: Cell) -> None:
    """The judge's own trial: a session that is lost without a renewal leaves one."""
    lanes.result(request.node.nodeid)
