"""The configuration read anew: applied part by part, or nothing at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestd.config.lastgood import LastGood
from ingestd.config.load import read_config
from ingestd.config.reload import Reloader
from ingestd.core.level import Gain
from ingestd.core.lifecycle import State
from ingestd.core.topics import TopicSet
from ingestd.errors import BackendError, BackendFault, CertificateError, ConfigError
from ingestd.reloading import Reloading
from ingestd.system.state_files import write_state
from ingestd.threads.callplan import CallPlan
from ingestd.threads.mailbox import LinkEnded
from tests.rig.process import wait_until
from tests.unit.peers import GUARD_S
from tests.unit.reporter_case import Case as ReporterCase
from tests.unit.reporter_case import reporter_case
from tests.unit.supervisor_case import Case


class FakeNotifier:
    """Keeps what systemd would be told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def reloading(self) -> None:
        self.told.append("reloading")

    def reloaded(self) -> None:
        self.told.append("ready")


class Rig:
    """A supervisor that streams, and the parts that a reload touches."""

    def __init__(self, folder: Path, reporter: ReporterCase) -> None:
        self.case = Case()
        self.path = folder / "ingestd.yaml"
        self.state = folder / "state"
        self.state.mkdir()
        self.write()
        self.gain = Gain(0.0)
        self.topics = TopicSet(["CHAT"])
        self.notifier = FakeNotifier()
        self.plans = 0
        self.plan_error: Exception | None = None
        self.reporter = reporter
        valid = read_config(self.path)
        self.reloading = Reloading(
            Reloader(self.path, LastGood(self.state, write_state), valid),
            self.notifier,  # type: ignore[arg-type] # it does what is used of one
            reporter.reporter,
            self.case.call,
            self.case.vigil,
            lambda _change: self._plan(),
            self.topics,
            {"audio.capture.gain_db": self.gain.set},
            valid.config,
            self.path,
            ["old: it was broken"],
            lambda: reporter.now,
        )

    def write(self, **changes: Any) -> None:
        session = {"room_id": "abcd", "participant": {"metadata": {}}}
        config: dict[str, Any] = {"backend": {"url": "https://example.com/"}, "session": session}
        for key, value in changes.items():
            config[key] = {**config.get(key, {}), **value}
        self.path.write_text(json.dumps(config))

    def _plan(self) -> CallPlan:
        if self.plan_error is not None:
            raise self.plan_error
        self.plans += 1
        return self.case.plan


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with reporter_case() as reporter:
        made = Rig(tmp_path, reporter)
        made.case.streaming()
        yield made


def test_nothing_changed(rig: Rig) -> None:
    assert rig.reloading.reload() == "the configuration was read anew; nothing in it has changed"
    assert rig.case.state() is State.STREAMING
    assert rig.notifier.told == ["reloading", "ready"]
    assert rig.reloading.faults == ()


def test_what_a_session_is_asked_for_with_takes_a_new_session(rig: Rig) -> None:
    rig.write(session={"room_id": "efgh"})
    assert rig.reloading.reload() == "the configuration was read anew; taken over: session.room_id"
    assert rig.case.state() is State.RENEWING
    assert rig.plans == 1
    assert rig.reporter.reporter.where.room_id == "efgh"
    assert rig.reloading.config.session.room_id == "efgh"
    kept = rig.state / "last-good.yaml"
    wait_until(lambda: kept.exists() and "efgh" in kept.read_text(), GUARD_S, "what was kept")


def test_gain_topics_and_limits_are_taken_over_without_one(rig: Rig) -> None:
    session = {"room_id": "abcd", "participant": {"metadata": {}}, "max_age_s": 5}
    rig.write(audio={"capture": {"gain_db": 6}}, messaging={"subscribe": ["NEW"], "max_bytes": 10}, session=session)
    said = rig.reloading.reload()
    assert {"audio.capture.gain_db", "messaging.subscribe", "session.max_age_s"} <= set(said.split(": ")[1].split(", "))
    assert rig.gain.gain_db == 6
    assert rig.topics.all() == ("NEW",)
    assert rig.reloading.config.messaging.max_bytes == 10
    assert rig.case.state() is State.STREAMING
    rig.case.after(6)
    assert rig.case.state() is State.RENEWING, "by the new age"


def test_what_needs_a_restart_says_so_every_time(rig: Rig) -> None:
    rig.write(audio={"duplex": "half"})
    for _ in range(2):
        assert rig.reloading.reload().endswith("to be taken over by a restart of the service: audio.duplex")
    assert rig.reloading.config.audio.duplex == "full"


@pytest.mark.parametrize("broken", ["", "backend: {", "backend: {url: 7}", "nonsense: 1"])
def test_a_bad_file_changes_nothing_and_is_told_with_every_fault(rig: Rig, broken: str) -> None:
    before = rig.reloading.config
    rig.path.write_text(broken)
    rig.reporter.records.clear()
    with pytest.raises(ConfigError):
        rig.reloading.reload()
    assert rig.reloading.config is before
    assert (rig.case.state(), rig.plans) == (State.STREAMING, 0)
    assert rig.notifier.told == ["reloading", "ready"], "systemd waits for the second word"
    assert any("nothing has changed" in line for _, line in rig.reporter.logged())
    assert rig.reloading.faults == ("old: it was broken",)


def test_a_refused_reload_lasts_until_a_good_one(rig: Rig) -> None:
    good = rig.path.read_text()
    for _ in range(2):
        rig.path.write_text("nonsense: 1")
        with pytest.raises(ConfigError):
            rig.reloading.reload()
        (fault,) = rig.reporter.reporter.faults.all()
        assert (fault.area, fault.name, fault.over) == ("configuration", "reload-refused", False)
        assert fault.what.startswith(f"the last reload was refused: {rig.path}: backend.url: is missing")
        assert rig.reporter.notifier.told[-1].endswith(fault.what)
        rig.path.write_text(good)
        rig.reloading.reload()
        assert [one.over for one in rig.reporter.reporter.faults.all()] == [True]
        assert "refused" not in rig.reporter.notifier.told[-1]


def test_what_is_wrong_now_is_told_and_not_what_was_before(rig: Rig) -> None:
    for session in ({"max_age_s": "loud"}, {"max_call_s": "soon"}):
        rig.write(session=session, audio={"duplex": "?"})
        with pytest.raises(ConfigError):
            rig.reloading.reload()
    (fault,) = rig.reporter.reporter.faults.all()
    assert "session.max_call_s" in fault.what
    assert fault.what.endswith(" (and 1 more)")


def test_systemd_hears_that_it_is_the_last_good_configuration(rig: Rig) -> None:
    rig.reporter.reporter.heartbeat()
    assert rig.reporter.notifier.told[-1].endswith("; runs on the last good configuration")
    rig.reloading.reload()
    assert "last good" not in rig.reporter.notifier.told[-1]


def test_a_program_that_asks_again_and_again_does_not_fill_the_log(rig: Rig) -> None:
    def said() -> int:
        rig.reporter.records.clear()
        for _ in range(3):
            with pytest.raises(ConfigError):
                rig.reloading.reload()
        return len(rig.reporter.logged())

    rig.path.write_text("nonsense: 1")
    once = said()
    assert once >= 2
    assert said() == 0
    rig.reporter.now += 61
    assert said() == once, "who asks later finds it in the journal's end"
    rig.path.write_text("nonsense: 2\nfoolishness: 1")
    assert said() > once, "something else is wrong now"


def test_files_that_the_new_one_names_and_that_cannot_be_loaded_change_nothing(rig: Rig) -> None:
    rig.write(session={"room_id": "efgh"}, audio={"capture": {"gain_db": 6}})
    rig.plan_error = BackendError(BackendFault.TLS, "can't load backend.ca_file")
    with pytest.raises(BackendError):
        rig.reloading.reload()
    assert (rig.gain.gain_db, rig.case.state()) == (0, State.STREAMING)
    assert rig.reloading.config.session.room_id == "abcd"
    rig.plan_error = None
    assert "session.room_id" in rig.reloading.reload(), "and are taken over once they can"


def test_a_wait_ends_as_a_file_may_have_been_mended_that_is_only_named(rig: Rig) -> None:
    rig.case.post(LinkEnded(1, CertificateError("the server's certificate is refused")))
    assert rig.case.waiting_s() >= 30
    rig.reloading.reload()
    assert rig.case.state() is State.CREATING
