"""How keys are made, read and compared."""

from __future__ import annotations

import hashlib
import re

import pytest

from ingestd.broker.device_keys import matches, new_key, read_key


def test_a_new_key_is_read_as_what_was_kept_of_it() -> None:
    key = new_key()
    assert re.fullmatch(r"igd_[0-9a-f]{16}_[0-9a-f]{64}", key.text)
    assert read_key(key.text) == (key.key_id, key.key_hash)


def test_what_is_kept_is_a_hash_of_the_secret_half_alone() -> None:
    key = new_key()
    secret = key.text.rsplit("_", 1)[1]
    assert key.key_hash == hashlib.sha256(secret.encode()).digest()
    assert key.key_id not in secret


def test_no_two_keys_are_alike() -> None:
    keys = [new_key() for _ in range(100)]
    assert len({key.text for key in keys}) == len({key.key_id for key in keys}) == 100


def test_a_new_key_does_not_show_itself() -> None:
    key = new_key()
    assert key.text not in repr(key)
    assert key.text.rsplit("_", 1)[1] not in f"{key} {key!r}"


GOOD = f"igd_{'0a' * 8}_{'1b' * 32}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "igd_",
        GOOD[:-1],
        GOOD + "0",
        GOOD + "\n",
        " " + GOOD,
        GOOD.upper(),
        GOOD.replace("igd", "IGD"),
        GOOD.replace("_", "-"),
        GOOD[:-1] + "g",
        GOOD[:-1] + "\u0660",  # a digit, but none of ours
        "igd_' OR '1'='1_" + "0" * 64,
        "igd_" + "0" * 100_000,
    ],
    ids=lambda text: repr(text[:24]),
)
def test_what_is_no_key_is_read_as_none(text: str) -> None:
    assert read_key(text) is None


def test_hashes_match_only_where_every_byte_does() -> None:
    kept = new_key().key_hash
    assert matches(kept, bytes(kept))
    for index in range(len(kept)):
        assert not matches(kept, kept[:index] + bytes([kept[index] ^ 1]) + kept[index + 1 :])
    assert not matches(kept, b"")
