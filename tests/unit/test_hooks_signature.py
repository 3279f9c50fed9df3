"""Signed messages: the vector that openssl gives, and everything that is none."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.hooks.refused import Refused
from ingestd.hooks.signature import MAX_SKEW_S, sign, verified

TOPIC, TS, NONCE, DATA, SECRET = "RELAY", 1780000000, "n-1", "ön", "0123456789abcdef"
BY_OPENSSL = "8ee78a9df7f7686c79e9e8231a3db467964bf5b508698f507276df60c88d2693"
"""printf 'RELAY\\n1780000000\\nn-1\\nön' | openssl dgst -sha256 -r -hmac 0123456789abcdef"""
GOOD: dict[str, Any] = {"data": DATA, "ts": TS, "nonce": NONCE, "hmac": BY_OPENSSL}


def refused(fields: object, *, topic: str = TOPIC, secret: str = SECRET, wall_s: float = TS) -> str:
    text = fields if isinstance(fields, str) else json.dumps(fields)
    with pytest.raises(Refused) as raised:
        verified(topic, text, secret, wall_s)
    return raised.value.kind


def test_the_vector_of_openssl() -> None:
    assert sign(TOPIC, TS, NONCE, DATA, SECRET) == BY_OPENSSL
    signed = verified(TOPIC, json.dumps(GOOD), SECRET, TS)
    assert (signed.data, signed.nonce, signed.ts_s) == (DATA, NONCE, TS)


def test_further_fields_and_the_case_of_hex_do_not_matter() -> None:
    assert verified(TOPIC, json.dumps({**GOOD, "more": 1, "hmac": BY_OPENSSL.upper()}), SECRET, TS).data == DATA


@pytest.mark.parametrize(
    "change", [{"data": "on"}, {"ts": TS + 1}, {"nonce": "n-2"}, {"hmac": "0" * 64}], ids=lambda change: str(*change)
)
def test_whatever_is_changed_it_does_not_match(change: dict[str, Any]) -> None:
    assert refused({**GOOD, **change}) == "signature"


def test_another_topic_or_secret_does_not_match() -> None:
    assert refused(GOOD, topic="DOOR") == "signature"
    assert refused(GOOD, secret=SECRET[::-1]) == "signature"


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [None, True, 1.5, -1, "", "a\nb", [], {}, 1 << 60], ids=repr)
def test_what_has_another_form_is_not_signed(name: str, value: object) -> None:
    if name == "data" and isinstance(value, str):
        assert refused({**GOOD, name: value}) == "signature", "any text is data"
    else:
        assert refused({**GOOD, name: value}) == "unsigned"
    assert refused({key: other for key, other in GOOD.items() if key != name}) == "unsigned"


@pytest.mark.parametrize("text", ["", "on", "[]", "1e999", "{", "[" * 100_000, '{"data": NaN}', "\ud800"])
def test_what_is_no_object_is_not_signed(text: str) -> None:
    assert refused(text) == "unsigned"


def test_a_line_feed_moved_from_one_part_to_another_makes_no_other_message() -> None:
    code = sign(TOPIC, TS, "a", "b\nc", SECRET)
    assert code == sign(TOPIC, TS, "a\nb", "c", SECRET), "the same bytes are signed"
    assert verified(TOPIC, json.dumps({"data": "b\nc", "ts": TS, "nonce": "a", "hmac": code}), SECRET, TS).nonce == "a"
    assert refused({"data": "c", "ts": TS, "nonce": "a\nb", "hmac": code}) == "unsigned"


def test_a_time_too_far_off_is_refused_and_said_only_where_the_signature_holds() -> None:
    for off_s in (-MAX_SKEW_S, MAX_SKEW_S):
        assert verified(TOPIC, json.dumps(GOOD), SECRET, TS + off_s).data == DATA
        assert refused(GOOD, wall_s=TS + 1.01 * off_s) == "skew"
    assert refused({**GOOD, "data": "x"}, wall_s=TS + 10 * MAX_SKEW_S) == "signature"


def test_a_secret_that_can_be_guessed_is_none() -> None:
    assert refused({**GOOD, "hmac": sign(TOPIC, TS, NONCE, DATA, "hunter2")}, secret="hunter2") == "secret"


def test_half_a_surrogate_pair_has_no_bytes_that_could_be_signed() -> None:
    assert refused('{"data":"\\ud800","ts":1,"nonce":"a","hmac":"%s"}' % ("0" * 64)) == "unsigned"


ANY_TEXT = st.text(st.characters(categories=("L", "N", "P", "Z", "C")))
ANY_VALUE = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), ANY_TEXT, st.lists(st.integers()))
NEAR = {
    "data": st.text(st.sampled_from("aö\n\0\ud800\udfff")),
    "ts": st.integers(TS - 400, TS + 400),
    "nonce": st.from_regex(r"[0-9A-Za-z_-]{1,9}", fullmatch=True),
    "hmac": st.from_regex(r"[0-9a-fA-F]{64}", fullmatch=True),
}
OBJECTS = st.one_of(
    st.fixed_dictionaries(NEAR),
    st.fixed_dictionaries({name: st.one_of(value, ANY_VALUE) for name, value in NEAR.items()}),
    st.dictionaries(ANY_TEXT, ANY_VALUE),
)


@given(st.one_of(ANY_TEXT, OBJECTS.map(json.dumps)))
def test_a_stranger_can_do_no_worse_than_to_be_refused(text: str) -> None:
    with contextlib.suppress(Refused):
        verified(TOPIC, text, SECRET, TS)
