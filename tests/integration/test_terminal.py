"""What a person sees in a real terminal: `ingestctl status` and `watch`, where all is well and where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.integration.terminal_broken import BROKEN, Broken, Command, World
from tests.integration.terminal_case import Good, ctl, flat, good_device, tall
from tests.rig.process import wait_until


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Good]:
    with good_device(tmp_path_factory.mktemp("good")) as device:
        yield device


def test_status_where_all_is_well(good: Good) -> None:
    with ctl(good.socket, "status") as shown:
        assert shown.status() == 0
        lines = shown.screen()
        assert lines[0].startswith(" IN THE ROOM   for ")
        assert lines[1].startswith("  joined, 1 other")
        assert "FAULT" not in shown.text
        assert b"\x1b[" in shown.output, "in colour"
        assert "listens to CHAT" in shown.text
    for plain in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}):
        with ctl(good.socket, "status", env=plain) as shown:
            assert shown.status() == 0
            assert b"\x1b" not in shown.output


def test_status_on_a_terminal_that_knows_no_unicode_and_on_one_that_is_narrow(good: Good) -> None:
    with ctl(good.socket, "status", columns=30, env={"PYTHONIOENCODING": "ascii"}) as shown:
        assert shown.status() == 0
        assert shown.output.isascii()
        assert max(map(len, shown.screen())) <= 30


@pytest.fixture(scope="module")
def world(good: Good, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ExitStack() as parts:
        yield World(tmp_path_factory.mktemp("world"), good, parts)


@dataclass(frozen=True)
class Case:
    """A set-up that is broken now."""

    broken: Broken
    ctl: Command


@pytest.fixture(scope="module", params=[pytest.param(each, id=each.name, marks=each.marks) for each in BROKEN])
def case(world: World, request: pytest.FixtureRequest) -> Iterator[Case]:
    broken: Broken = request.param
    with broken.happens(world) as command:
        yield Case(broken, command)


def test_there_are_enough_of_them() -> None:
    assert len({each.cause for each in BROKEN if not each.marks}) >= 10


def test_status_names_what_is_wrong_and_what_helps(case: Case) -> None:
    said = ""

    def named() -> bool:
        nonlocal said
        with tall([*case.ctl, "status"]) as shown:
            status, said = shown.status(), flat(shown.text)
        out, away = said.startswith("NOT IN THE ROOM"), said.startswith("ingestctl: no answer")
        assert status == (3 if away else 4 if out else 5 if "FAULT" in said else 0), said
        return case.broken.is_named_in(said)

    try:
        wait_until(named, 30, "its cause and what helps")  # what comes and goes takes a moment to strike
    except TimeoutError as error:
        raise AssertionError(f"{error}: {said}") from None


def test_watch_names_what_is_wrong_and_what_helps(case: Case) -> None:
    with tall([*case.ctl, "watch"]) as watch:
        watch.wait(lambda seen: case.broken.is_named_in(flat(" ".join(seen))), "its cause and what helps")
        watch.type("q")
        assert watch.status() == 0
