"""What is run of what is heard: one odd message costs none of the others, and each runs once."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingestd.config.load import load_config
from ingestd.config.schema import Config
from ingestd.hooks.handling import Handling
from ingestd.hooks.memory import Memory
from ingestd.hooks.refused import Refused
from ingestd.hooks.repeats import MAX_NEWS
from ingestd.hooks.replies import Failed
from ingestd.hooks.replyrate import BURST
from tests.unit.peers import GUARD_S

HEAD = "backend: {url: 'https://h/'}\nsession: {participant: {metadata: {}}}\nhooks:\n"


class Case:
    """Handlers with their loop, in a folder; each run adds the text it read to the file `ran`."""

    def __init__(self, folder: Path, *hooks: str) -> None:
        self.folder = folder
        self.published: list[tuple[str, str]] = []
        self.selector = selectors.DefaultSelector()
        self.handling = Handling(self.config(*hooks), Memory(folder), self._publish, self.selector)

    def config(self, *hooks: str) -> Config:
        path = self.folder / "ingestd.yaml"
        program = f"exec: [/bin/sh, -c, 'cat >>{self.folder}/ran']"
        lines = [f"- {{{one}}}\n" if "exec:" in one else f"- {{{one}, {program}}}\n" for one in hooks]
        path.write_text(HEAD + "".join(lines))
        return load_config(path)

    def _publish(self, topic: str, text: str, _failed: Failed) -> None:
        self.published.append((topic, text))

    def hear(self, *messages: dict[str, Any]) -> None:
        """Until whatever runs because of them is over."""
        self.handling.messages(messages)
        self.until(lambda: not self.handling.running)

    def until(self, done: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + GUARD_S
        self.handling.step(time.monotonic())
        while not done():
            assert time.monotonic() < deadline_s
            for key, _ in self.selector.select(0.01):
                key.data()
            self.handling.step(time.monotonic())

    @property
    def ran(self) -> int:
        """Runs so far."""
        path = self.folder / "ran"
        return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Case]]:
    cases: list[Case] = []

    def new(*hooks: str) -> Case:
        cases.append(Case(tmp_path, *hooks))
        return cases[-1]

    yield new
    for case in cases:
        case.handling.stop(time.monotonic(), 0.0)
        case.until(lambda case=case: not case.handling.running)  # type: ignore[misc]  # the loop's own
        case.selector.close()


def message(message_id: object, *, age_s: float = 0.0, topic: str = "T", text: str = "x") -> dict[str, Any]:
    sent = datetime.fromtimestamp(time.time() - age_s, UTC).isoformat()
    return {
        "topic": topic,
        "text": text,
        "sender_id": "p_1",
        "sender_name": "A",
        "timestamp": sent,
        "id": message_id,
    }


def test_a_message_that_nobody_thought_of_costs_no_other(
    make: Callable[..., Case], caplog: pytest.LogCaptureFixture
) -> None:
    case = make("topic: T")
    case.hear(message(7), message("1"), message(["odd"]), message("2"))
    assert case.ran == 2
    told = [one for one in caplog.records if "please report this" in one.getMessage()]
    assert len(told) == 1, "once, however many there are"
    assert told[0].exc_info is not None


def test_a_history_longer_than_the_list_runs_once(make: Callable[..., Case], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestd.hooks.seen.IDS_PER_TOPIC", 4)
    history = [message(str(number), age_s=30.0 - number) for number in range(9)]
    case = make("topic: T", "topic: T, max_age_s: null")
    for one in history:
        case.hear(one)
    assert case.ran == 18
    case.hear(*history)
    again = make("topic: T", "topic: T, max_age_s: null")
    again.hear(*history)
    assert again.ran == 18
    again.hear(message("fresh"))
    assert again.ran == 20


@pytest.mark.parametrize("content", [b"", b"{}", b"spoilt"])
def test_what_was_lost_is_run_again_only_as_far_as_an_age_bounds_it(
    make: Callable[..., Case], tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (tmp_path / "seen.json").write_bytes(content)
    case = make("topic: T", "topic: ANY, max_age_s: null")
    assert "messages younger than their handler's max_age_s may run again" in caplog.text
    old = message("old", age_s=30.0, topic="ANY")
    case.hear(message("old", age_s=30.0), old, message("no id", age_s=-30.0) | {"id": None})
    assert case.ran == 2
    assert "refused a message of A (p_1): it was sent before what had run was forgotten" in caplog.text
    again = make("topic: ANY, max_age_s: null")
    again.hear(old, message("fresh", age_s=-1.0, topic="ANY"))
    assert again.ran == 3, "that something was lost is known over restarts"


def test_what_can_not_be_written_is_run_only_as_far_as_an_age_bounds_it(
    make: Callable[..., Case], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case = make("topic: T", "topic: T, max_age_s: null")
    beside = tmp_path / ".seen.json.new"
    beside.mkdir()  # in the way of whoever writes, root too
    case.hear(message("1"), message("2"))
    assert case.ran == 2
    assert caplog.text.count("can't write") == 1
    assert caplog.text.count("not run, as nothing would tell") == 1
    beside.rmdir()
    case.hear(message("3"))
    assert case.ran == 4


def test_without_a_state_directory_only_what_is_sent_from_now_on_is_known_to_be_new(tmp_path: Path) -> None:
    began_s = time.time()
    seen = Memory(None).seen
    seen.check_loss(time.time() + 1.0)
    with pytest.raises(Refused):
        seen.check_loss(began_s - 1.0)
    assert Memory(None).save()
    Memory(tmp_path).seen.check_loss(0.0)


def test_a_flood_of_strangers_hides_nothing_of_the_handlers_own(
    make: Callable[..., Case], caplog: pytest.LogCaptureFixture
) -> None:
    case = make("topic: T, allow_senders: [p_1]", "topic: ABSENT, exec: [/nowhere/program]")
    case.hear(*(message(str(number)) | {"sender_id": f"stranger {number}"} for number in range(300)))
    assert caplog.text.count("refused a message") == MAX_NEWS
    case.hear(message("1", topic="ABSENT"))
    assert "/nowhere/program (topic ABSENT): can't be started" in caplog.text


def test_replies_without_end_are_dropped_and_that_is_told_once(
    make: Callable[..., Case], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestd.hooks.replyrate.EVERY_S", 10 * GUARD_S)  # none more, however long the runs take
    case = make("topic: T, exec: [/bin/echo, fine], reply: true")
    for number in range(3 * BURST):
        case.hear(message(str(number)))
    assert case.published == [("T", "fine")] * BURST
    assert caplog.text.count("do two devices answer each other?") == 1
