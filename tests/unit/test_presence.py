"""Who else is in the room: told, guessed from silence, and over a renewal in which the device meets itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.presence import HEARING_S, MAX_ID_CHARS, MAX_KNOWN, OWN_S, Presence

T = 1000.0


def joined(own_id: str | None = None) -> Presence:
    presence = Presence(own_id)
    presence.joined(T)
    return presence


def test_before_the_join_nothing_is_known() -> None:
    presence = Presence()
    assert presence.others is None
    assert presence.alone_since(T + 9999) is None
    assert presence.describe(T) == "waiting to be joined"
    presence.participant_joined("a", T)
    assert presence.describe(T) == "waiting to be joined"


def test_a_device_that_nobody_was_ever_named_to_is_alone_by_silence() -> None:
    presence = joined()
    assert presence.others is None
    assert presence.alone_since(T + 60) == T
    assert presence.describe(T + 12) == "joined, nobody else known, no audio from the room for 10 s"


def test_room_audio_tells_that_the_room_is_joined() -> None:
    presence = Presence()
    presence.media(T)
    presence.media(T + 60)
    assert presence.alone_since(T + 60) == T
    assert presence.describe(T + 60) == "joined, nobody else known, only silence from the room for 1 min"


def test_who_is_heard_is_there_even_where_nobody_was_told_of() -> None:
    presence = joined()
    presence.heard(T + 10)
    assert presence.alone_since(T + 10 + HEARING_S) is None
    assert presence.describe(T + 10 + HEARING_S) == "joined, hearing the room"
    assert presence.alone_since(T + 14) == T + 10


def test_somebody_who_was_told_of_and_says_nothing_is_there() -> None:
    presence = joined()
    presence.participant_joined("a", T + 1)
    assert presence.others == 1
    assert presence.alone_since(T + 9999) is None
    assert presence.describe(T + 12) == "joined, 1 other, no audio from the room for 10 s"
    presence.participant_joined("b", T + 13)
    presence.media(T + 13)
    assert presence.describe(T + 14) == "joined, 2 others, only silence from the room for 10 s"


def test_alone_begins_when_the_last_one_left() -> None:
    presence = joined()
    presence.participant_joined("a", T + 1)
    presence.participant_joined("b", T + 2)
    presence.participant_left("a", T + 3)
    assert (presence.others, presence.alone_since(T + 9)) == (1, None)
    presence.participant_left("b", T + 4)
    assert (presence.others, presence.alone_since(T + 9)) == (0, T + 4)
    assert presence.describe(T + 9) == "joined, nobody else here"


def test_somebody_heard_is_no_nobody_whatever_was_told() -> None:
    presence = joined()
    presence.participant_joined("a", T)
    presence.participant_left("a", T + 1)
    presence.heard(T + 2)
    assert presence.describe(T + 2) == "joined, hearing the room"
    assert presence.alone_since(T + 2) is None


def test_the_same_one_twice_is_one() -> None:
    presence = joined()
    presence.participant_joined("a", T)
    presence.participant_joined("a", T + 1)
    assert presence.others == 1
    presence.participant_left("a", T + 2)
    presence.participant_left("a", T + 3)
    assert presence.others == 0


def test_who_left_without_having_come_was_there_till_then() -> None:
    presence = joined()
    presence.participant_left("x", T + 30)
    assert (presence.others, presence.alone_since(T + 60)) == (0, T + 30)


def test_those_without_an_id_are_counted() -> None:
    presence = joined()
    presence.participant_joined(None, T)
    presence.participant_joined("i" * (MAX_ID_CHARS + 1), T)
    presence.participant_joined("a", T)
    assert presence.others == 3
    presence.participant_left(None, T + 1)
    presence.participant_left("i" * (MAX_ID_CHARS + 1), T + 1)
    assert presence.others == 1
    presence.participant_left(None, T + 2)
    presence.participant_left("stranger", T + 2)
    assert presence.others == 1, "not certain that it was this one"
    presence.participant_left("a", T + 3)
    assert presence.others == 0


def test_a_flood_of_people_takes_no_memory() -> None:
    presence = joined()
    for number in range(5 * MAX_KNOWN):
        presence.participant_joined(str(number), T)
    assert presence.others == 2 * MAX_KNOWN
    for number in range(5 * MAX_KNOWN):
        presence.participant_left(str(number), T + 1)
    assert presence.others == 0


def test_the_device_itself_is_no_other() -> None:
    presence = joined("me")
    presence.participant_joined("me", T + 1)
    assert presence.others is None
    presence.participant_left("me", T + 30)
    assert presence.alone_since(T + 60) == T


@pytest.mark.parametrize(
    ("after_s", "said"), [(0, "0 s"), (59, "50 s"), (60, "1 min"), (7140, "119 min"), (7200, "2 h"), (9e5, "250 h")]
)
def test_long_times_are_told_in_long_units(after_s: float, said: str) -> None:
    presence = joined()
    presence.participant_joined("a", T)
    assert presence.describe(T + after_s).endswith(f"for {said}")


# --- renewals: the first session was asked for long ago, the second at T + 100 and carries the call from T + 102


def renewed(first: Presence, second: Presence | None = None) -> Presence:
    second = second or Presence()
    second.joined(T + 101)
    second.take_over(first, T + 100, T + 102)
    return second


def test_a_renewal_keeps_those_who_were_known() -> None:
    first = joined()
    first.participant_joined("a", T + 1)
    first.participant_joined(None, T + 2)
    second = renewed(first)
    assert (second.others, second.alone_since(T + 999)) == (2, None)
    second.participant_left("a", T + 200)
    second.participant_left(None, T + 201)
    assert (second.others, second.alone_since(T + 999)) == (0, T + 201)


def test_those_told_to_both_are_counted_once() -> None:
    first, second = joined(), Presence()
    for presence in (first, second):
        presence.participant_joined("a", T + 1)
        presence.participant_joined(None, T + 1)
    assert renewed(first, second).others == 2


def test_the_second_session_itself_is_no_other() -> None:
    first = joined()
    first.participant_joined("a", T + 1)
    first.participant_joined("second", T + 101)
    first.participant_joined(None, T + 101)
    assert renewed(first).others == 1


def test_a_device_alone_stays_alone_over_a_renewal() -> None:
    second = Presence()
    second.participant_joined("first", T + 101)  # the service tells of those who are there
    second = renewed(joined(), second)
    second.heard(T + 102.1)  # its own microphone, by way of the first session
    assert second.alone_since(T + 102.1) is None
    second.participant_left("first", T + 103)
    assert second.alone_since(T + 103) == T
    assert renewed(renewed(joined())).alone_since(T + 103) == T


def test_who_is_heard_or_leaves_later_than_that_is_another() -> None:
    second = renewed(joined())
    second.participant_left("x", T + 102 + OWN_S)
    assert second.alone_since(T + 200) == T + 102 + OWN_S
    second.heard(T + 110)
    assert second.alone_since(T + 200) == T + 110


def test_who_leaves_just_after_a_renewal_was_company() -> None:
    first = joined()
    first.participant_joined("a", T + 1)
    second = renewed(first)
    second.participant_left("a", T + 103)
    assert second.alone_since(T + 103) == T + 103


def test_what_was_heard_before_a_renewal_was_heard() -> None:
    first = joined()
    first.heard(T + 101.5)
    second = renewed(first)
    assert second.describe(T + 102) == "joined, hearing the room"
    assert second.alone_since(T + 200) == T + 101.5


def test_alone_since_the_last_one_left_stays_so_over_a_renewal() -> None:
    first = joined()
    first.participant_joined("a", T + 1)
    first.participant_left("a", T + 50)
    assert renewed(first).alone_since(T + 200) == T + 50


def test_those_whom_only_the_second_was_told_of_are_here() -> None:
    second = Presence()
    second.participant_joined(None, T + 101)
    second.participant_joined("b", T + 101)
    assert renewed(joined(), second).others == 2


def test_a_crowd_goes_home_after_a_renewal() -> None:
    first = joined()
    for number in range(MAX_KNOWN + 10):
        first.participant_joined(str(number), T)
    second = renewed(first)
    assert second.others == MAX_KNOWN + 10
    for number in range(MAX_KNOWN + 10):
        second.participant_left(str(number), T + 200)
    assert second.others == 0


def test_a_second_session_that_has_not_joined_is_not_alone() -> None:
    second = Presence()
    second.take_over(joined(), T + 100, T + 102)
    assert second.alone_since(T + 200) is None
    assert second.describe(T + 103) == "waiting to be joined"
    second.joined(T + 201)
    assert second.alone_since(T + 202) == T


WHO = st.one_of(st.none(), st.sampled_from(["a", "b", "me"]), st.text(max_size=300))
STEPS = st.lists(
    st.tuples(st.sampled_from(["joined", "media", "heard", "came", "left", "nothing"]), WHO, st.floats(0, 20)),
    max_size=60,
)


@given(STEPS)
def test_alone_is_said_only_of_whom_nothing_speaks_against(steps: list[tuple[str, str | None, float]]) -> None:
    presence, now = Presence("me"), T
    first_s = company_s = heard_s = None
    here: set[str] = set()
    for what, who, later_s in steps:
        now += later_s
        match what:
            case "joined":
                presence.joined(now)
            case "media":
                presence.media(now)
            case "heard":
                presence.heard(now)
                company_s = heard_s = now
            case "came":
                presence.participant_joined(who, now)
                here |= {who} - {"me", None} if who is not None and len(who) <= MAX_ID_CHARS else set()
            case "left":
                presence.participant_left(who, now)
                here -= {who} if who is not None else set()
                company_s = now if who != "me" else company_s
        if what in ("joined", "media", "heard") and first_s is None:
            first_s = now
        assert (presence.others or 0) >= len(here)
        assert presence.describe(now)
        if (since_s := presence.alone_since(now)) is not None:
            assert first_s is not None
            assert not here
            assert heard_s is None or now - heard_s > HEARING_S
            assert since_s == max(first_s, company_s or first_s)
            assert since_s <= now
