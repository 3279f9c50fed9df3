"""A fault that comes and goes: `status` and `watch` tell what helps while it is over, too, as long as it is fresh."""

from __future__ import annotations

from typing import Any

import pytest

from ingestd.ctl import status_view, watch_view
from ingestd.ctl.paint import written
from ingestd.ctl.reading import Reading
from tests.unit.status_case import NOW, fault, good

WHAT = "no answer to a ping for 5 s"
HELPS = "Nothing to do, a fresh session takes its place; if it is often so, look at the signal."


def flat(status: dict[str, Any], command: str) -> str:
    if command == "status":
        lines = status_view.view(status, NOW, 100)
    else:
        lines = watch_view.view(watch_view.Scene(Reading(status), None, [], NOW), 100, 50)
    return " ".join(" ".join(written(each, colour=False) for each in lines).split())


@pytest.mark.parametrize("command", ["status", "watch"])
def test_what_helps_is_told_while_it_may_come_again_at_once(command: str) -> None:
    before = fault("the backend answered 500", over=True, age_s=20, remedy=HELPS)
    text = flat({**good(), "faults": [before, fault(WHAT, over=True, count=3, age_s=10, remedy=HELPS)]}, command)
    assert WHAT in text
    assert text.count(HELPS) == 1


@pytest.mark.parametrize("command", ["status", "watch"])
@pytest.mark.parametrize(
    "faults",
    [
        [fault(WHAT, over=True, age_s=61, remedy=HELPS)],
        [fault(WHAT, over=True, remedy="Put a fresh token there.")],
        [fault(WHAT, over=True, remedy=HELPS), fault("the backend answered 401", remedy="Put a fresh token there.")],
        [fault(WHAT, over=True, remedy=HELPS) | {"last": None}],
    ],
    ids=["long ago", "somebody has mended it", "something else lasts", "nobody knows when"],
)
def test_it_is_not_told_once_that_is_of_no_use(command: str, faults: list[dict[str, Any]]) -> None:
    text = flat({**good(), "faults": faults}, command)
    assert HELPS not in text
    assert text.count("Put a fresh token there.") <= 1
