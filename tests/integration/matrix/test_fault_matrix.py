"""Every cause × every moment of a session that a device makes after a loss: it streams again, or waits and says why.

One device lives through all of a moment.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.matrix.lanes import Lanes, side_by_side
from tests.integration.matrix.life import Case, Life, a_life
from tests.integration.matrix.site import QUICK
from tests.integration.matrix.strikes import Kind
from tests.integration.matrix.table import MOMENTS, TABLE, Cell, cells

pytestmark = pytest.mark.usefixtures("own_network")

BY_ITSELF = [cell for cell in cells(*MOMENTS) if cell.kind is not Kind.PERSON]


def _streams_again(life: Life, cell: Cell) -> None:
    with life.case(cell) as case:
        refused = case.device.status()["messaging"]["refused"]
        case.strike()
        if cell.kind is Kind.HARMLESS:
            _goes_on(case, refused)
            return
        if cell.kind is not Kind.EXPIRED:
            case.wait_named()
        if cell.strike.lasts:
            case.wait_named()
            life.site.mend()
        case.wait_streaming()
        _judge_waits(case)


@pytest.fixture(scope="module")
def lanes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lanes[Life]]:
    plays = {test_streams_again_by_itself.__name__: _streams_again}
    with side_by_side(request, tmp_path_factory, a_life, plays) as lanes:
        yield lanes


@pytest.mark.parametrize("cell", BY_ITSELF, ids=[cell.name for cell in BY_ITSELF])
def test_streams_again_by_itself(lanes: Lanes[Life], request: pytest.FixtureRequest, cell: Cell) -> None:
    lanes.result(request.node.nodeid)


def test_every_pair_is_a_strike_or_has_its_reason() -> None:
    for cause, row in TABLE.items():
        for moment in MOMENTS:
            entry = getattr(row, moment)
            assert not isinstance(entry, str) or len(entry) > 5, f"{cause} while {moment}"
        assert any(cell.cause == cause for cell in cells(*MOMENTS)), f"{cause} never strikes"


def _goes_on(case: Case, refused: dict[str, int]) -> None:
    if case.cell.moment != "streaming":
        case.wait_streaming()
    case.device.wait(lambda: case.device.status()["messaging"]["refused"] != refused, "the nonsense to be counted")
    status = case.device.status()
    assert status["state"] == "streaming"
    assert status["session"]["epoch"] == case.epoch + (case.cell.moment != "streaming")


def _judge_waits(case: Case) -> None:
    cell = case.cell
    requested_s = case.requested_s()
    if cell.strike.requests is not None:
        assert len(requested_s) == cell.strike.requests, "as many sessions as the policy takes, no more"
    if cell.kind is Kind.ENDED:
        assert not any(case.is_named_in(line) for line in case.since.warned), "no fault"
        # Not from its end, which the service notes only after it has said so.
        alive_s = max(case.began_s, case.site.room.connections()[-2].connected_s)
        assert requested_s[-1] - alive_s >= QUICK["rejoin_s"] - 0.05
        return
    if cell.kind is Kind.ASKED:
        assert requested_s[-1] - requested_s[-2] >= 1.0, "Retry-After"
    case.fault(over=True)
    assert case.is_named_in(case.since.log)
