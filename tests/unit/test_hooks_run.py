"""Programs that run: read whole, in lanes, ended with all they started. Real processes, and no fixed waits."""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingestd.config.schema import Hook
from ingestd.hooks.output import MAX_LOGGED_BYTES
from ingestd.hooks.pool import AT_ONCE, WAITING, Job, Pool
from ingestd.hooks.run import Run
from tests.rig.hooks_program import alive
from tests.rig.process import wait_until
from tests.unit.descriptors import left_open, open_descriptors
from tests.unit.peers import GUARD_S


class PoolCase:
    """A pool with its loop; what it said."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.lines: list[str] = []
        self.over: list[Run] = []
        self.failed: list[OSError] = []
        self.most = 0
        self.ahead_s = 0.0
        """How far the pool's clock is ahead of this machine's."""
        self.pool = Pool(
            self.selector,
            lambda _hook, line: self.lines.append(line),
            self.over.append,
            lambda _hook, error: self.failed.append(error),
            None,
        )

    def run(self, script: str, *, given: str = "", reply: bool = False) -> Run:
        """One run, until it is over."""
        self.add(script, given=given, reply=reply)
        return self.end_of_run()

    def end_of_run(self) -> Run:
        self.until(lambda: bool(self.over))
        return self.over.pop()

    def run_too_long(self, script: str) -> Run:
        """One run that has more time than it needs for its first line, and then none."""
        self.add(script)
        self.until(lambda: bool(self.lines))
        self.ahead_s += GUARD_S
        return self.end_of_run()

    def add(self, script: str, sender: str = "", *, given: str = "", reply: bool = False) -> None:
        hook = Hook(topic="T", exec=("/bin/sh", "-c", script), timeout_s=GUARD_S, reply=reply)
        self.pool.add(Job(hook, given.encode(), sender, 64))

    def until(self, done: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + GUARD_S
        while not done():
            assert time.monotonic() < deadline_s
            self.pool.step(time.monotonic() + self.ahead_s)
            self.most = max(self.most, len(self.pool))
            for key, _ in self.selector.select(0.01):
                key.data()


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> Iterator[PoolCase]:
    monkeypatch.setattr("ingestd.hooks.run.GRACE_S", 0.3)
    case = PoolCase()
    before = open_descriptors()
    yield case
    case.pool.stop(time.monotonic() + case.ahead_s, 0.0)
    case.until(lambda: not len(case.pool))
    assert not left_open(before)
    case.selector.close()


def all_end(case: PoolCase) -> None:
    """Waits for the end of those whose numbers the first line holds: who was killed may be a moment in dying."""
    pids = [int(pid) for pid in case.lines[0].split()]
    assert pids
    wait_until(lambda: not any(alive(pid) for pid in pids), GUARD_S, f"the end of {pids}")


def test_a_program_reads_what_it_is_given_and_its_lines_are_told(case: PoolCase) -> None:
    run = case.run("cat; echo second >&2; exit 3", given='{"a":1}\n')
    assert run.status == 3
    assert sorted(case.lines) == ["second", '{"a":1}']


def test_one_that_reads_nothing_holds_up_nobody(case: PoolCase) -> None:
    assert case.run("exit 0", given="x" * 1_000_000).status == 0


def test_what_is_for_the_room_is_not_in_the_log(case: PoolCase) -> None:
    run = case.run("echo reply; echo note >&2", reply=True)
    assert run.reply is not None
    assert run.reply.text() == "reply"
    assert case.lines == ["note"]


def test_what_is_printed_without_end_is_read_and_cut(case: PoolCase) -> None:
    run = case.run("head -c 3000000 /dev/zero | tr '\\0' x")
    assert run.status == 0
    assert sum(map(len, case.lines)) == MAX_LOGGED_BYTES
    assert run.budget.dropped_bytes == 3_000_000 - MAX_LOGGED_BYTES


def test_one_that_runs_too_long_is_ended_with_its_children(case: PoolCase) -> None:
    run = case.run_too_long("sleep 1000 & echo $! $$; wait")
    assert run.timed_out
    all_end(case)


def test_a_child_that_ignores_sigterm_is_killed(case: PoolCase) -> None:
    run = case.run_too_long("(trap '' TERM; echo $(exec sh -c 'echo $PPID'); while :; do sleep 0.05; done)")
    assert run.timed_out
    all_end(case)


def test_sigterm_comes_to_all_of_the_group_at_once(case: PoolCase) -> None:
    case.add("sh -c 'trap \"echo tidied up; exit\" TERM; echo ready; sleep 1000 & wait' & trap '' TERM; wait; wait")
    case.until(lambda: "ready" in case.lines)
    case.pool.stop(time.monotonic(), GUARD_S)
    case.until(lambda: "tidied up" in case.lines)


def test_what_it_leaves_in_the_background_ends_with_it(case: PoolCase) -> None:
    run = case.run("sleep 1000 & echo $!")
    assert (run.status, run.timed_out) == (0, False)
    all_end(case)


def test_one_that_left_the_group_and_holds_the_output_is_not_waited_for(case: PoolCase, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    run = case.run(f"setsid sh -c 'echo $$; touch {mark}; exec sleep 1000' & until [ -e {mark} ]; do sleep 0.02; done")
    assert run.status == 0
    pid = int(case.lines[0])
    assert alive(pid)
    os.kill(pid, 9)


def test_what_can_not_be_started_is_told(case: PoolCase, tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        case.pool.add(Job(Hook(topic="T", exec=(str(path),)), b"", None, 64))
    case.until(lambda: len(case.failed) == 2)
    assert [type(error) for error in case.failed] == [FileNotFoundError, PermissionError]


def test_one_sender_in_order_several_at_once_and_no_more_than_that(case: PoolCase, tmp_path: Path) -> None:
    out = tmp_path / "order"
    script = f'read -r line; sleep 0.02; echo "$line" >>{out}'
    for number in range(4):
        for sender in range(6):
            case.add(script, str(sender), given=f"{sender} {number}\n")
    case.until(lambda: len(case.over) == 24)
    assert case.most == AT_ONCE
    ran = [line.split() for line in out.read_text().splitlines()]
    for sender in range(6):
        assert [number for one, number in ran if one == str(sender)] == ["0", "1", "2", "3"]


def test_how_many_may_wait_and_what_becomes_of_them_when_handlers_change(case: PoolCase) -> None:
    for _ in range(WAITING):
        case.add("sleep 1000")
    hook = Hook(topic="T", exec=("/bin/sh", "-c", "sleep 1000"), timeout_s=GUARD_S)
    assert case.pool.room(hook) == 0
    case.pool.step(time.monotonic())
    assert (len(case.pool), case.pool.room(hook)) == (1, 1), "of one sender, one"
    assert case.pool.keep([]) == WAITING - 1
    case.pool.step(time.monotonic())
    assert len(case.pool) == 1, "what runs goes on"
