"""Each message once: what is remembered of those that ran, how much of it, and over restarts."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.hooks.refused import Refused
from ingestd.hooks.seen import IDS_PER_TOPIC, MAX_TOPICS, Seen
from ingestd.hooks.signature import Signed

NAME = b"0" * 24


def test_an_id_is_known_once_it_was_noted_and_on_its_topic_only() -> None:
    seen = Seen()
    assert not seen.has_id("A", "1")
    assert not seen.has_id("A", "1"), "asking notes nothing"
    seen.note_id("A", "1", 1.0)
    assert seen.has_id("A", "1")
    assert not seen.has_id("B", "1")


@pytest.mark.parametrize("nothing", [None, ""])
def test_what_has_no_id_is_never_known(nothing: str | None) -> None:
    seen = Seen()
    seen.note_id("A", nothing, 1.0)
    assert not seen.has_id("A", nothing)


def refused(seen: Seen, topic: str, sent_s: float | None) -> str:
    try:
        seen.check_time(topic, sent_s)
    except Refused as error:
        return error.kind
    return ""


def test_of_the_oldest_the_time_is_kept_and_another_topics_are_not_touched() -> None:
    seen = Seen()
    seen.note_id("DOOR", "opened", 0.5)
    for number in range(IDS_PER_TOPIC + 2):
        seen.note_id("CHAT", str(number), float(number))
    assert not seen.has_id("CHAT", "1")
    assert seen.has_id("CHAT", "2")
    assert [refused(seen, "CHAT", sent_s) for sent_s in (0.0, 1.0, 1.001)] == ["forgotten", "forgotten", ""]
    assert seen.has_id("DOOR", "opened"), "a flood elsewhere changes nothing here"
    assert refused(seen, "DOOR", 0.1) == refused(seen, "NEW", 0.1) == ""


def test_a_history_longer_than_the_list_runs_once_however_often_it_comes() -> None:
    seen = Seen()
    ran = [
        number for _ in range(3) for number in range(IDS_PER_TOPIC + 28) if runs(seen, "T", str(number), float(number))
    ]
    assert ran == list(range(IDS_PER_TOPIC + 28))


def test_where_no_time_can_be_read_the_list_may_be_full() -> None:
    seen = Seen()
    assert sum(runs(seen, "T", str(number), None) for number in range(IDS_PER_TOPIC + 9)) == IDS_PER_TOPIC + 1
    assert not any(runs(seen, "T", str(number), None) for number in range(IDS_PER_TOPIC + 9))
    assert runs(seen, "T", "one with a time", 1.0)


def test_the_number_of_topics_is_bounded() -> None:
    seen = Seen()
    for number in range(MAX_TOPICS + 1):
        seen.note_id(str(number), "x", float(number))
    assert not seen.has_id("0", "x")
    assert refused(seen, "0", 0.0) == "forgotten"
    assert refused(seen, "0", 0.1) == ""
    assert seen.has_id(str(MAX_TOPICS), "x")
    assert len(json.loads(seen.dump())["topics"]) == MAX_TOPICS


def runs(seen: Seen, topic: str, message_id: str, sent_s: float | None) -> bool:
    """As handlers do it."""
    if seen.has_id(topic, message_id) or refused(seen, topic, sent_s):
        return False
    seen.note_id(topic, message_id, sent_s)
    return True


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 9), st.booleans()), max_size=60))
def test_in_whatever_order_it_comes_nothing_runs_twice(heard: list[tuple[str, int, bool]]) -> None:
    seen = Seen()
    ran = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingestd.hooks.seen.IDS_PER_TOPIC", 3)
        patch.setattr("ingestd.hooks.seen.MAX_TOPICS", 2)
        for topic, number, restart in heard:
            sent_s = None if number == 9 else float(number // 2)
            if runs(seen, topic, str(number), sent_s):
                ran.append((topic, number))
            if restart:
                seen = Seen.load(seen.dump())
    assert len(ran) == len(set(ran))


def test_of_what_was_lost_nothing_is_taken_for_new() -> None:
    seen = Seen.load(Seen(100.0).dump())
    for sent_s in (None, 0.0, 100.0):
        with pytest.raises(Refused):
            seen.check_loss(sent_s)
    seen.check_loss(100.001)
    Seen().check_loss(0.0)


def test_its_file_stays_small() -> None:
    seen = Seen()
    for topic in range(MAX_TOPICS):
        for number in range(IDS_PER_TOPIC):
            seen.note_id(str(topic), f"{topic} {number}", 1780000000.123 + number)
    assert len(seen.dump()) < 2_000_000


def test_it_is_the_same_after_a_restart() -> None:
    seen = Seen()
    seen.note_id("A", "1" * 100_000, 1780000000.123)
    seen.note_id("Ä", "\ud800", None)
    seen.note_nonce("A", "/secret", Signed("data", "n", 1000))
    again = Seen.load(seen.dump())
    assert again.has_id("A", "1" * 100_000)
    assert again.has_id("Ä", "\ud800")
    assert again.dump() == seen.dump()
    assert len(seen.dump()) < 400, "however long what a stranger wrote"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\0",
        b"[]",
        b"{}",
        b'{"topics": {}, "nonces": []}',
        b'{"topics": {"../x": {"sent": {}}}, "nonces": {}}',
        b'{"topics": {"%s": []}, "nonces": {}}' % NAME,
        b'{"topics": {"%s": {"sent": {"x": 1}}}, "nonces": {}}' % NAME,
        b'{"topics": {"%s": {"sent": {"%s": NaN}}}, "nonces": {}}' % (NAME, NAME),
        b'{"topics": {"%s": {"sent": {}, "forgotten": "1"}}, "nonces": {}}' % NAME,
        b'{"topics": {}, "nonces": {"%s": true}}' % NAME,
        b'{"topics": {}, "nonces": {"%s": 1%s}}' % (NAME, b"0" * 400),
        b'{"topics": {}, "nonces": {}, "lost": Infinity}',
        b"\xff",
    ],
)
def test_a_spoilt_file_is_told_from_a_good_one(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (the texts are json's)
        Seen.load(content)


@given(st.binary(max_size=200))
def test_no_bytes_do_worse_than_that(content: bytes) -> None:
    with contextlib.suppress(ValueError):
        Seen.load(content)
