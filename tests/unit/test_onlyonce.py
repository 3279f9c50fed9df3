"""What has been seen before: exactly the last so many ids, in little memory."""

from __future__ import annotations

import tracemalloc
from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.core.onlyonce import KEPT, OnlyOnce


def test_an_id_is_new_once() -> None:
    seen = OnlyOnce()
    assert [seen.is_new(name) for name in ("a", "b", "a", "A", "b")] == [True, True, False, True, False]


def test_what_has_no_id_is_always_new() -> None:
    seen = OnlyOnce()
    assert all(seen.is_new(nothing) for nothing in (None, "", None, ""))


def test_a_history_of_all_that_is_kept_is_recognised_when_it_is_replayed() -> None:
    seen = OnlyOnce()
    assert all(seen.is_new(f"msg-{number}") for number in range(3 * KEPT))
    assert not any(seen.is_new(f"msg-{number}") for number in range(2 * KEPT, 3 * KEPT))
    assert seen.is_new("msg-0"), "long forgotten"


def test_ids_take_little_memory_however_long_they_are() -> None:
    tracemalloc.start()
    try:
        seen = OnlyOnce()
        for number in range(2 * KEPT):
            seen.is_new(f"{number}" * 200)
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held_bytes < 24 * KEPT


def test_ids_of_any_text_are_told_apart() -> None:
    seen = OnlyOnce()
    texts = ["\0", "\0\0", "é", "e\u0301", "\ud800", "😀", "x" * 65536]
    assert all(seen.is_new(text) for text in texts)
    assert not any(seen.is_new(text) for text in texts)


@given(st.lists(st.integers(0, 12), max_size=60))
@settings(max_examples=60)
def test_the_oldest_are_forgotten_first(numbers: list[int]) -> None:
    seen, model = OnlyOnce(5), deque[int](maxlen=5)
    for number in numbers:
        assert seen.is_new(str(number)) == (number not in model)
        if number not in model:
            model.append(number)
