"""Every cause × the moments of a renewal: the room hears the first session until the second has taken over."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.integration.matrix.life import Case, Life
from tests.integration.matrix.site import Site
from tests.integration.matrix.strikes import Kind
from tests.integration.matrix.table import Cell, cells
from tests.standin.client import SessionFault

GAP_S = 1.0
"""What the room may miss while the first session streams: nothing but a machine that was busy otherwise."""
SECOND = list(cells("creating", "connecting", "open"))
FIRST = list(cells("streaming"))
AGAIN_S = 3.0
"""What is tried again by itself is there within this; else a person asks once more."""


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with Site(tmp_path_factory.mktemp("matrix")) as site:
        life = Life(site)
        yield life
        life.end()


@pytest.mark.parametrize("cell", SECOND, ids=[cell.name for cell in SECOND])
def test_the_first_session_goes_on_while_the_second_is_struck(life: Life, cell: Cell) -> None:
    with life.case(cell) as case:
        cell.strike.do(life.site)
        case.device.call("reconnect")
        if cell.kind is not Kind.HARMLESS:
            case.device.wait(lambda: case.is_named_in(case.since.log), f"“{cell.says}” in the log")
        if cell.strike.lasts:
            status = case.device.status()
            assert status["state"] == "streaming", "the first session goes on"
            assert status["session"]["call_id"] == case.call
            life.site.mend()
        _until_renewed(case)
        assert case.longest_gap_s() < GAP_S, "the room heard the first session until the second took over"


def _until_renewed(case: Case) -> None:
    def renewed() -> bool:
        return bool(case.device.status()["session"]["epoch"] > case.epoch)

    try:
        case.device.wait(renewed, "the renewal by itself", timeout_s=AGAIN_S)
    except AssertionError:
        case.device.call("reconnect")
    case.wait_streaming()


@pytest.mark.parametrize("cell", FIRST, ids=[cell.name for cell in FIRST])
def test_the_second_session_takes_over_when_the_first_is_struck(life: Life, cell: Cell) -> None:
    with life.case(cell) as case:
        life.site.room.fail_sessions(SessionFault(stall_s=0.5))
        case.device.call("reconnect")
        case.device.wait(case.requested_s, "the second session's request")
        cell.strike.do(life.site)
        case.wait_streaming()
        assert len(case.requested_s()) <= 2, "no storm of sessions"


def test_a_hundred_requests_to_renew_make_no_hundred_sessions(life: Life) -> None:
    cell = next(cell for cell in SECOND if cell.name == "creating-hangs")
    with life.case(cell) as case:
        for _ in range(100):
            case.device.call("reconnect")
        case.wait_streaming()
        assert len(case.requested_s()) <= 3
        assert case.longest_gap_s() < GAP_S


def test_gaps_are_found(life: Life) -> None:
    """The judge's own trial: a session lost without a renewal leaves one."""
    cell = next(cell for cell in FIRST if cell.name == "streaming-4001")
    with life.case(cell) as case:
        case.strike()
        case.wait_streaming()
        assert case.longest_gap_s() > 0.3
        assert np.isfinite(case.longest_gap_s())
