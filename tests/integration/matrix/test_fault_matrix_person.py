"""What only a person can mend: the device waits, names the remedy, and streams at once when something was done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

import pytest

from tests.integration.matrix.lanes import Lanes, side_by_side
from tests.integration.matrix.life import Case, Life, a_life
from tests.integration.matrix.site import QUICK
from tests.integration.matrix.strikes import Kind
from tests.integration.matrix.table import MOMENTS, Cell, cells

pytestmark = pytest.mark.usefixtures("own_network")

Heal = Literal["token", "reconnect"]
CELLS = [cell for cell in cells(*MOMENTS) if cell.kind is Kind.PERSON]
HEALED: list[tuple[Cell, Heal]] = [(cell, "token") for cell in CELLS]
HEALED += [(cell, "reconnect") for cell in CELLS if not cell.cause.startswith("token_")]
"""A token that is missing or past its end is mended by a token only."""
MENDED_THERE = [cell for cell, heal in HEALED if heal == "reconnect"]
LONG_S = 30.0
"""No case waits that long: what streams sooner was not waited for."""


PATIENT = {**QUICK, "person_least_s": 0.3, "person_most_s": 0.6}
"""Its slow retries are quick ones."""


def _waits(life: Life, cell: Cell, heal: Heal) -> None:
    with life.case(cell) as case:
        case.strike()
        case.wait_named()
        status = case.device.status()
        assert status["state"] == "waiting"
        assert case.is_named_in(status["reason"])
        assert status["next_attempt_in_s"] > LONG_S, "slowly"
        _tells_the_remedy(case, status)
        life.site.mend()
        if heal == "token":
            life.site.write_token(life.site.another_token())
        else:
            case.device.call("reconnect")
        case.wait_streaming()
        case.fault(over=True)


def _tells_the_remedy(case: Case, status: dict[str, Any]) -> None:
    remedy = case.cell.row.remedy
    told = f"{status['reason']} {case.fault()}"
    assert re.search(remedy, told, re.IGNORECASE), f"no word of “{remedy}” in {told}"


def _tries_again(life: Life, cell: Cell) -> None:
    with life.case(cell) as case:
        case.strike()
        case.wait_named()
        case.device.wait(lambda: case.fault()["count"] >= 3, "three tries")
        assert len([line for line in case.since.warned if case.is_named_in(line)]) <= 1, "once per occurrence"
        life.site.mend()
        case.wait_streaming()


@pytest.fixture(scope="module")
def healed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lanes[Life]]:
    plays = {test_waits_for_a_person_and_streams_at_once_when_something_was_done.__name__: _waits}
    with side_by_side(request, tmp_path_factory, a_life, plays) as lanes:
        yield lanes


@pytest.fixture(scope="module")
def patient(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lanes[Life]]:
    plays = {test_tries_again_by_itself_without_saying_so_each_time.__name__: _tries_again}
    a_patient_life = partial(a_life, times=PATIENT)
    with side_by_side(request, tmp_path_factory, a_patient_life, plays, lambda _cell: "patient") as lanes:
        yield lanes


@pytest.mark.parametrize(("cell", "heal"), HEALED, ids=[f"{cell.name}-{heal}" for cell, heal in HEALED])
def test_waits_for_a_person_and_streams_at_once_when_something_was_done(
    healed: Lanes[Life], patient: Lanes[Life], request: pytest.FixtureRequest, cell: Cell, heal: Heal
) -> None:
    healed.result(request.node.nodeid)


@pytest.mark.parametrize("cell", MENDED_THERE, ids=[cell.name for cell in MENDED_THERE])
def test_tries_again_by_itself_without_saying_so_each_time(
    patient: Lanes[Life], request: pytest.FixtureRequest, cell: Cell
) -> None:
    patient.result(request.node.nodeid)
