"""Who may run a handler: by age, sender and signature; all that it asks for must hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ingestd.config.schema import Hook
from ingestd.config.secret import Secret
from ingestd.hooks.admission import Admitted, admit
from ingestd.hooks.refused import Refused
from ingestd.hooks.seen import MAX_NONCES, Seen
from ingestd.hooks.signature import MAX_SKEW_S, sign

NOW_S = 1780000000.0
NOW = "2026-05-28T20:26:40.000Z"
SECRET = "0123456789abcdef"
MESSAGE: dict[str, Any] = {
    "topic": "DOOR",
    "text": "open",
    "sender_id": "alice",
    "sender_name": "Alice",
    "timestamp": NOW,
    "id": "1",
}


def hook(**more: Any) -> Hook:
    return Hook(topic="DOOR", exec=("/bin/true",), **more)


def read_secret(path: Path) -> Secret:
    assert path == Path("/secret")
    return Secret(SECRET)


def admitted(asked: Hook, wall_s: float = NOW_S, seen: Seen | None = None, **message: Any) -> Admitted:
    return admit(asked, {**MESSAGE, **message}, wall_s, seen or Seen(), read_secret)


def refused(asked: Hook, wall_s: float = NOW_S, seen: Seen | None = None, **message: Any) -> str:
    with pytest.raises(Refused) as raised:
        admitted(asked, wall_s, seen, **message)
    return raised.value.kind


def signed(data: str = "open", nonce: str = "n", ts_s: int = int(NOW_S)) -> str:
    return json.dumps({"data": data, "ts": ts_s, "nonce": nonce, "hmac": sign("DOOR", ts_s, nonce, data, SECRET)})


def test_the_program_reads_the_message_and_nothing_more() -> None:
    assert admitted(hook(), epoch=3).message == MESSAGE


def test_the_one_who_may() -> None:
    assert admitted(hook(allow_senders=("alice", "bob"))).message == MESSAGE


@pytest.mark.parametrize("sender", ["mallory", "Alice", "", None, "alice "])
def test_all_others_may_not(sender: str | None) -> None:
    assert refused(hook(allow_senders=("alice", "bob")), sender_id=sender) == "sender"


def test_nobody_and_everybody() -> None:
    assert refused(hook(allow_senders=())) == "sender"
    assert refused(hook(allow_senders=()), sender_id=None) == "sender"
    assert admitted(hook(allow_senders=None), sender_id=None).message["sender_id"] is None


@pytest.mark.parametrize(
    ("age_s", "kind"), [(0, ""), (60, ""), (60.5, "age"), (1e9, "age"), (-60, ""), (-61, "future")]
)
def test_age(age_s: float, kind: str) -> None:
    if kind:
        assert refused(hook(), NOW_S + age_s) == kind
    else:
        admitted(hook(), NOW_S + age_s)
    admitted(hook(max_age_s=None), NOW_S + age_s)


@pytest.mark.parametrize("timestamp", [None, "", "yesterday", "1780000000", "2026-13-01T00:00:00Z", 7, "0001-01-01"])
def test_a_message_whose_age_is_unknown_is_run_only_where_age_does_not_matter(timestamp: object) -> None:
    assert refused(hook(), timestamp=timestamp) in ("time", "age")
    admitted(hook(max_age_s=None), timestamp=timestamp)


@pytest.mark.parametrize("timestamp", ["2026-05-28T20:26:40", "2026-05-28T22:26:40+02:00", "20260528T202640Z"])
def test_times_of_other_spellings(timestamp: str) -> None:
    admitted(hook(max_age_s=0.5), timestamp=timestamp)


def test_a_signed_message_is_read_as_what_was_signed() -> None:
    asked = hook(hmac_secret_file=Path("/secret"))
    got = admitted(asked, text=signed("unlock"))
    assert got.message == {**MESSAGE, "text": "unlock"}
    assert got.signed is not None
    assert refused(asked) == "unsigned"


def test_where_both_are_asked_for_both_must_hold() -> None:
    both = hook(hmac_secret_file=Path("/secret"), allow_senders=("alice",))
    assert admitted(both, text=signed()).message["text"] == "open"
    assert refused(both, text=signed(), sender_id="bob") == "sender"
    assert refused(both) == "unsigned"
    assert refused(both, text=signed(), wall_s=NOW_S + 61) == "age"


def test_a_nonce_serves_once_and_is_kept_until_its_message_is_too_old() -> None:
    seen = Seen()
    asked = hook(hmac_secret_file=Path("/secret"), max_age_s=None)
    ahead = signed(ts_s=int(NOW_S) + MAX_SKEW_S)
    got = admitted(asked, seen=seen, text=ahead)
    assert got.signed is not None
    seen.note_nonce("DOOR", "/secret", got.signed)
    for later_s in (0, MAX_SKEW_S, 2 * MAX_SKEW_S):
        assert refused(asked, NOW_S + later_s, seen, text=ahead) == "nonce"
    assert refused(asked, NOW_S + 2 * MAX_SKEW_S + 1, seen, text=ahead) == "skew"


def test_too_many_nonces_are_refused_and_none_is_forgotten() -> None:
    seen = Seen()
    asked = hook(hmac_secret_file=Path("/secret"))
    for number in range(MAX_NONCES):
        got = admitted(asked, seen=seen, text=signed(nonce=f"n{number}"))
        assert got.signed is not None
        seen.note_nonce("DOOR", "/secret", got.signed)
    assert refused(asked, seen=seen, text=signed(nonce="another")) == "nonces"
    assert refused(asked, seen=seen, text=signed(nonce="n0")) == "nonce"
    later_s = int(NOW_S) + MAX_SKEW_S + 1
    fresh = signed(nonce="another", ts_s=later_s)
    admitted(hook(hmac_secret_file=Path("/secret"), max_age_s=None), later_s, seen, text=fresh)
