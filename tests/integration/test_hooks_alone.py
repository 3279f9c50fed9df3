"""ingestd-hooks with no ingestd beside it: handlers of `disconnected` run at its start, and what they leave ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.rig.hooks_program import HooksProgram, alive, append_to, lines_of
from tests.rig.process import state_of, wait_until

GUARD_S = 20.0
LEAVES = """
setsid sh -c 'sleep 1000 & echo $! >>"$0"; echo $$ >>"$0"; wait' "$0" &
(env -i setsid /bin/sh -c 'trap "" TERM; echo $$ >>"$0"; while :; do sleep 0.05; done' "$0" &)
until [ -e "$0" ] && [ "$(wc -l <"$0")" = 3 ]; do sleep 0.02; done
"""
KEEPS = """
(setsid sleep 1000 & echo $! >"$0")
until [ -e "$0-go" ]; do sleep 0.02; done
kill -0 "$(cat "$0")" && echo alive >>"$0"
"""


def hooks(folder: Path, *programs: list[str]) -> HooksProgram:
    """Runs them all at once."""
    config = {
        "backend": {"url": "https://192.0.2.1/"},
        "session": {"participant": {"metadata": {}}},
        "control": {"socket": str(folder / "absent.sock")},
        "hooks": [{"state": "disconnected", "exec": program, "timeout_s": 60} for program in programs],
    }
    (folder / "ingestd.yaml").write_text(json.dumps(config))
    return HooksProgram(folder / "ingestd.yaml", folder)


def zombies(parent: int) -> list[str]:
    """Its children that have ended and were not waited for, whichever of its threads started them."""
    children = [pid for told in Path(f"/proc/{parent}/task").glob("*/children") for pid in told.read_text().split()]
    return [pid for pid in children if state_of(int(pid)) == "Z"]


def test_what_left_its_group_ends_with_its_run_and_another_runs_processes_do_not(tmp_path: Path) -> None:
    left, kept = tmp_path / "left", tmp_path / "kept"
    with hooks(tmp_path, ["/bin/sh", "-c", KEEPS, str(kept)], ["/bin/sh", "-c", LEAVES, str(left)]) as program:
        wait_until(lambda: len(lines_of(left)) == 3 and lines_of(kept), GUARD_S, "what they start")
        wait_until(lambda: not any(alive(int(pid)) for pid in lines_of(left)), GUARD_S, "the end of what was left")
        (tmp_path / "kept-go").touch()
        wait_until(lambda: len(lines_of(kept)) == 2, GUARD_S, "the run that goes on to find its own alive")
        wait_until(lambda: not alive(int(lines_of(kept)[0])), GUARD_S, "the end of what it kept")
        wait_until(lambda: not zombies(program.process.pid), GUARD_S, "each to be waited for")
        assert program.stop() < GUARD_S


@pytest.mark.alone  # it takes one second and may take two
def test_nothing_that_left_its_group_outlives_the_service(tmp_path: Path) -> None:
    left = tmp_path / "left"
    with hooks(tmp_path, ["/bin/sh", "-c", LEAVES + "sleep 1000", str(left)]) as program:
        wait_until(lambda: len(lines_of(left)) == 3, GUARD_S, "what it starts")
        assert program.stop() < 2.0
        wait_until(lambda: not any(alive(int(pid)) for pid in lines_of(left)), GUARD_S, "the end of what was killed")


def test_a_start_that_finds_a_spoilt_configuration_goes_on_with_the_last_good_one(tmp_path: Path) -> None:
    ran, path = tmp_path / "ran", tmp_path / "ingestd.yaml"
    with hooks(tmp_path, append_to(ran)) as program:
        wait_until(lambda: len(lines_of(ran)) == 1, GUARD_S, "the handler")
        program.stop()
    good = path.read_text()
    path.write_text(good[: len(good) // 2])  # as a power cut may leave it
    with HooksProgram(path, tmp_path) as program:
        wait_until(lambda: len(lines_of(ran)) == 2, GUARD_S, "the same handler")
        program.wait_for("the handlers are those of the last good configuration, of")
        program.wait_for(f"{path}:2: is not YAML")
        program.reload("the handlers stay as they are")
        path.write_text(good)
        program.reload("the configuration was read anew: 1 handlers")
        program.stop()
    (tmp_path / "last-good.yaml").write_text("hooks: []")
    path.write_text("")
    program = HooksProgram(path, tmp_path)
    assert program.process.wait(GUARD_S) == 78
    assert "is damaged, or was changed by hand" in program.log
