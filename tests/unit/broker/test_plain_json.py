"""JSON from outside."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.broker.plain_json import DEEPEST, problem_of, read


@pytest.mark.parametrize(
    "body", [b"{", b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"{}{}", b"nul", b"[1e999]", b"-Infinity", b"[NaN]"]
)
def test_what_is_not_json_is_told(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^is not JSON$"):
        read(body)


def test_a_number_without_end_is_not_json() -> None:
    with pytest.raises(ValueError, match=r"^is not JSON$"):
        read(b"9" * 60_000)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize("depth", [DEEPEST + 1, 5_000, 60_000])
def test_what_is_nested_too_deep_is_told(opening: str, depth: int) -> None:
    closing = "]" if opening == "[" else "}"
    body = (opening * depth + "1" + closing * depth)[: 64 * 1024]
    whole = len(body) == depth * (len(opening) + 1) + 1
    with pytest.raises(ValueError, match=r"nested deeper than 32 levels" if whole else "nested|JSON"):
        read(body.encode())


def test_what_is_nested_as_deep_as_allowed_is_read() -> None:
    assert read(b"[" * DEEPEST + b"]" * DEEPEST) is not None


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'"a\\u0000b"', "NUL"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b'{"a": ["\\ud800"]}', "half a character"),
        (b'{"\\udfff": 1}', "half a character"),
    ],
)
def test_text_that_a_database_chokes_on_is_told(body: bytes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read(body)


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert read(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_a_number_that_json_does_not_know_is_found_in_a_value() -> None:
    assert problem_of({"a": [float("nan")]}) == "has a number that JSON does not know"
    assert problem_of({"a": [1.5, True, None, "é"]}) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
        max_leaves=12,
    )
)
def test_what_has_no_problem_goes_through_utf8_and_back(value: Any) -> None:
    text = json.dumps(value)
    try:
        found = read(text.encode())
    except ValueError:
        assert problem_of(value) is not None
        return
    assert found == value
    json.dumps(found, ensure_ascii=False, allow_nan=False).encode("utf-8")
    assert "\\u0000" not in json.dumps(found)
