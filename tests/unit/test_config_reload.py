"""What changed in the files, who serves it, and what is the last good configuration then."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from ingestd.config import Config
from ingestd.config.lastgood import LastGood
from ingestd.config.load import read_config
from ingestd.config.reload import SERVED, Change, Reloader
from ingestd.config.schema import SETTINGS
from ingestd.errors import ConfigError
from ingestd.system.state_files import write_state
from tests.unit.config_case import BACKEND, ConfigCase
from tests.unit.peers import GUARD_S, Task

START = BACKEND + "session: {room_id: one}\naudio: {capture: {device: old}}\n"


class ReloadCase(ConfigCase):
    """A daemon that runs on `START`."""

    def __init__(self, tmp_path: Path) -> None:
        (tmp_path / "etc").mkdir()
        (tmp_path / "state").mkdir()
        super().__init__(tmp_path / "etc")
        self.last_good = LastGood(tmp_path / "state", write_state)
        self.write(START)
        running = read_config(self.main, self.identity)
        self.last_good.keep(running.tree)
        self.reloader = Reloader(self.main, self.last_good, running, self.identity)

    def change(self, text: str) -> Change:
        self.write(text)
        return self.reloader.load()

    def kept(self) -> Config:
        """The last good configuration."""
        valid = self.last_good.load(self.identity)
        assert valid is not None
        return valid.config


@pytest.fixture
def case(tmp_path: Path) -> ReloadCase:
    return ReloadCase(tmp_path)


def test_every_key_is_served_in_exactly_one_way() -> None:
    leaves = {setting.path for setting in SETTINGS if not setting.group}
    below = {path for path in leaves if any(path.startswith((f"{other}.", f"{other}[")) for other in leaves)}
    assert set(SERVED) == leaves - below


def test_files_that_say_the_same_change_nothing(case: ReloadCase) -> None:
    change = case.change("# with a comment\n" + START + "log: {level: info}\n")
    assert (change.session, change.renewed, change.live, change.restart) == (False, [], [], [])
    assert change.config == case.load()


@pytest.mark.parametrize(
    ("text", "renewed", "live", "restart"),
    [
        ("session: {room_id: two}", ["session.room_id"], [], []),
        ("session: {room_id: one, participant: {metadata: {a: 1}}}", ["session.participant.metadata"], [], []),
        ("session: {room_id: one, agent: {id: a, type: x}}", ["session.agent"], [], []),
        ("session: {room_id: one, max_age_s: 60, start: demand}", [], ["session.start", "session.max_age_s"], []),
        ("session: {room_id: one}\nhooks: [{topic: T, exec: [/x]}]", [], ["hooks"], []),
        ("session: {room_id: one}\nmessaging: {subscribe: [A]}", [], ["messaging.subscribe"], []),
        ("session: {room_id: one}\ncontrol: {socket: /x}", [], [], ["control.socket"]),
        ("session: {room_id: one}\nmetrics: {listen: 'h:1'}", [], [], ["metrics.listen"]),
    ],
)
def test_each_change_goes_where_it_is_served(
    case: ReloadCase, text: str, renewed: list[str], live: list[str], restart: list[str]
) -> None:
    change = case.change(BACKEND + "audio: {capture: {device: old}}\n" + text)
    assert (change.renewed, change.live, change.restart) == (renewed, live, restart)
    assert change.session == bool(renewed)


def test_a_proxys_password_changes_the_proxy_and_is_not_shown(case: ReloadCase) -> None:
    change = case.change(START.replace("sessions'}", "sessions', proxy: 'http://u:hunter2@p:1'}"))
    assert change.renewed == ["backend.proxy"]
    assert "hunter2" not in repr(change)


def test_conf_d_is_read_anew_too(case: ReloadCase) -> None:
    case.write("log: {level: debug}", "conf.d/a.yaml")
    assert case.reloader.load().live == ["log.level"]


def test_a_name_of_the_machine_that_changed_is_a_change(case: ReloadCase) -> None:
    (case.directory / "machine-id").write_text("f" * 32)
    assert case.reloader.load().renewed == ["session.participant.metadata"]


def test_a_bad_file_tells_every_fault_and_changes_nothing(case: ReloadCase) -> None:
    with pytest.raises(ConfigError) as caught:
        case.change("log: {level: loud}\nnope: 1\n")
    assert len(caught.value.faults) == 3
    assert case.kept().session.room_id == "one"
    assert case.change(START).renewed == []


def test_what_was_loaded_counts_only_once_it_was_applied(case: ReloadCase) -> None:
    case.change(START.replace("one", "two"))
    assert case.kept().session.room_id == "one"
    change = case.reloader.load()
    assert change.renewed == ["session.room_id"]
    assert case.reloader.kept(change) is None
    assert case.kept() == change.config == case.load()
    assert case.reloader.load().renewed == []


def test_what_waits_for_a_restart_stays_as_it_was_and_goes_on_waiting(case: ReloadCase) -> None:
    text = START.replace("one", "two").replace("device: old", "device: new, gain_db: 3")
    text += "control: {socket: /nowhere/control.sock}\n"
    change = case.change(text)
    assert change.restart == ["audio.capture.device", "control.socket"]
    capture = change.config.audio.capture
    assert (capture.device, capture.gain_db, change.config.session.room_id) == ("old", 3.0, "two")
    assert change.config.control.socket == Path("/run/ingestd/control.sock")
    case.reloader.kept(change)
    assert case.kept() == change.config, "what no daemon was built from is not called good"
    again = case.reloader.load()
    assert (again.renewed, again.live, again.restart) == ([], [], ["audio.capture.device", "control.socket"])


def test_what_was_taken_back_waits_no_longer(case: ReloadCase) -> None:
    case.reloader.kept(case.change(START.replace("old", "new")))
    change = case.change(START)
    assert (change.live, change.restart) == ([], [])


@pytest.mark.parametrize("text", [BACKEND, BACKEND + "audio:\n", BACKEND + "audio: {capture: }\n"])
def test_a_group_that_went_away_leaves_what_needs_a_restart(case: ReloadCase, text: str) -> None:
    change = case.change(text)
    assert change.restart == ["audio.capture.device"]
    assert change.config.audio.capture.device == "old"


def test_a_disk_that_refuses_is_a_warning_and_the_change_holds(case: ReloadCase) -> None:
    reloader = Reloader(
        case.main,
        LastGood(case.directory / "absent", write_state),
        read_config(case.main, case.identity),
        case.identity,
    )
    case.write(START.replace("one", "two"))
    warning = reloader.kept(reloader.load())
    assert warning is not None
    assert "can't write" in warning
    assert reloader.load().renewed == []


def test_what_was_applied_is_what_later_ones_are_compared_with_before_any_disk_is_waited_for(case: ReloadCase) -> None:
    change = case.change(START.replace("one", "two"))
    case.reloader.applied(change)
    assert case.reloader.load().renewed == []
    assert case.kept().session.room_id == "one"
    case.reloader.kept(change)
    assert case.kept().session.room_id == "two"


@pytest.mark.parametrize(("order", "all_written"), [("two three", "two three"), ("three two", "three")])
def test_the_disk_is_waited_for_by_whoever_keeps_alone(
    case: ReloadCase, tmp_path: Path, order: str, all_written: str
) -> None:
    """And the later of two is what stays, whichever thread comes first."""
    writing, free = threading.Event(), threading.Event()
    written: list[str] = []
    at_once: list[int] = []

    def slow(path: Path, content: bytes) -> str | None:
        at_once.append(1)
        writing.set()
        assert free.wait(GUARD_S)
        written.append(next(room for room in ("two", "three") if room in content.decode()))
        at_once.pop()
        assert not at_once, "two at once"
        return write_state(path, content)

    last_good = LastGood(tmp_path / "state", slow)
    reloader = Reloader(case.main, last_good, read_config(case.main, case.identity), case.identity)

    def loaded(room: str) -> Change:
        case.write(START.replace("one", room))
        change = reloader.load()
        reloader.applied(change)
        return change

    changes = {room: loaded(room) for room in ("two", "three")}
    first, second = (changes[room] for room in order.split())
    tasks = [Task(lambda: reloader.kept(first))]
    assert writing.wait(GUARD_S)
    tasks.append(Task(lambda: reloader.kept(second)))
    assert reloader.load().renewed == [], "nobody else waits"
    free.set()
    assert [task.result() for task in tasks] == [None, None]
    assert written == all_written.split()
    assert case.kept().session.room_id == "three"
    assert reloader.load().renewed == []


def test_changes_kept_by_many_threads_at_once_leave_the_last_one_whole(case: ReloadCase) -> None:
    changes = []
    for number in range(20):
        changes.append(case.change(START.replace("one", f"room{number}")))
        case.reloader.applied(changes[-1])
    tasks = [Task(lambda change=change: case.reloader.kept(change)) for change in reversed(changes)]  # type: ignore[misc] # a default that binds
    assert [task.result() for task in tasks] == [None] * len(tasks)
    assert case.kept().session.room_id == "room19"
