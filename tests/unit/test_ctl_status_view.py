"""`ingestctl status` for people: what it says of every state and fault, at any width."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from ingestd.core.lifecycle import IN_THE_ROOM, State
from ingestd.ctl import words
from ingestd.ctl.paint import Style, columns_of, line, one_line, written
from ingestd.ctl.reading import Reading
from ingestd.ctl.status_view import LABELS, view
from ingestd.ctl.words import headline
from tests.unit.status_case import NOW, ago, fault, good

TITLES = ("IN THE ROOM", "NOT IN THE ROOM", "LEAVING THE ROOM", "IN STANDBY", "STARTING")
REMEDY = "Put a fresh token there, it is then tried at once; if it was fresh, try the other backend.auth_scheme."


def shown(status: dict[str, Any], columns: int | None = None) -> str:
    return "\n".join(written(each, colour=False) for each in view(status, NOW, columns))


def flat(status: dict[str, Any], columns: int | None = None) -> str:
    return " ".join(shown(status, columns).split())


def test_all_is_well_at_a_glance() -> None:
    lines = shown(good()).splitlines()
    assert lines[:3] == [
        " IN THE ROOM   for 3 h 12 min, since 2026-03-01 08:48:00",
        "  joined, hearing the room",
        "  session 3 (call-7f3a), server answers in 24 ms, 1 reconnect, 12 renewals",
    ]
    assert "FAULT" not in shown(good())
    assert words.MUTED not in shown(good())


def test_the_audio_of_both_ways_and_its_devices() -> None:
    text = flat(good())
    for said in (
        "level -23.4 dBFS, peak -12.0 dBFS, gain +6 dB",
        "576,000 frames sent, none dropped, 0 ms waiting, out after 2.7 ms, 95 % after 2.9 ms",
        "no overruns, clock +12.3 ppm",
        "plughw:CARD=Mic, 48000 Hz, 2 channels, converted by speexrate, 20 ms periods, 80 ms buffer",
        "575,000 frames came, 52 ms held back, 60 ms is the target",
        "120 ms concealed, none dropped, 1 gap, no underruns, clock -3.4 ppm",
        "plughw:CARD=Speaker, 8000 Hz, 1 channel, 10 ms periods, 100 ms buffer",
        "messages 3 sent, 5 received, listens to CHAT, RELAY",
    ):
        assert said in text


@pytest.mark.parametrize("state", State)
def test_every_state_says_whether_the_device_is_in_the_room(state: State) -> None:
    lines = shown({**good(), "state": state.value}).splitlines()
    assert lines[0].startswith(" IN THE ROOM ") is (state in IN_THE_ROOM)
    assert headline(Reading({"state": state.value})).title in TITLES


def test_out_of_the_room_it_says_why_and_what_comes_next() -> None:
    status = {**good(), "state": "waiting", "reason": "closed with code 1011", "next_attempt_in_s": 12.4, "room": None}
    assert shown({**status, "room_since": ago(90)}).splitlines()[:3] == [
        " NOT IN THE ROOM   for 90 s, since 2026-03-01 11:58:30",
        "  closed with code 1011",
        "  next attempt in 12 s",
    ]
    assert "next attempt now" in shown({**status, "next_attempt_in_s": 0.0})
    assert "  closed with code 4005. Name the device." in shown(
        {**status, "reason": "closed with code 4005", "remedy": "Name the device."}
    )


def test_faults_that_last_come_first_with_what_they_mean_and_what_helps() -> None:
    status = good()
    status.update(state="waiting", reason="the backend answered 401", room=None)
    status["faults"] = [
        fault("the speaker was lost", over=True, age_s=7200),
        fault("the backend answered 401", count=12, meaning="The token has expired.", remedy=REMEDY),
    ]
    text = shown(status)
    assert text.count("the backend answered 401") == 1, "not as the reason too"
    assert flat(status).index(f"12 times, last 5 s ago The token has expired. {REMEDY}") < text.index("microphone")
    assert text.splitlines()[-1] == "over         2 h 0 min ago: the speaker was lost"


def test_what_helps_is_told_once_for_faults_of_one_cause() -> None:
    lost = [fault(what, area="capture") for what in ("capture device 'mic' is lost", "can't open capture device 'mic'")]
    text = flat({**good(), "faults": [*lost, fault("the backend answered 401", remedy=REMEDY)]})
    assert text.count(words.DEVICE_REMEDY["capture"]) == text.count(REMEDY) == 1


def test_of_many_that_are_over_the_latest_are_shown() -> None:
    faults = [fault(f"fault {number}", over=True) for number in range(6)]
    text = shown({**good(), "faults": faults})
    assert [f"fault {number}" in text for number in range(6)] == [False] * 3 + [True] * 3
    assert "and 3 more: `ingestctl --json status`" in text


def test_a_session_has_a_number_only_in_the_room_as_attempts_count_too() -> None:
    assert "session 3 (call-7f3a), server answers in 24 ms, 1 reconnect, 12 renewals" in flat(good())
    text = flat({**good(), "state": "waiting"})
    assert "session 3" not in text
    assert "call-7f3a" not in text
    assert " 1 reconnect, 12 renewals " in text


@pytest.mark.parametrize("side", ["uplink", "downlink"])
def test_too_loud_is_told_while_it_is(side: str) -> None:
    status = good()
    status[side].update(clipped=1_427_200, peak_dbfs=-0.2)
    assert "1,427,200 samples cut off: too loud" in flat(status)
    status[side]["peak_dbfs"] = -12.0
    assert "cut off" not in flat(status), "it was, until somebody turned it down"


def test_messages_that_wait_or_never_went_out_are_told() -> None:
    status = good()
    status["messaging"].update(waiting=2, expired=7, refused={"oversize": 1, "nonsense": 3})
    assert "2 waiting, 7 thrown away unsent, listens to CHAT, RELAY, 4 that came made no sense" in flat(status)


def test_mute_is_loud() -> None:
    status = good()
    status["uplink"]["muted"] = True
    badge, *_ = next(each for each in view(status, NOW, 80) if words.MUTED in written(each, False))
    assert (badge.text, badge.style) == (" MUTED ", Style.LOUD_DOUBTFUL)
    assert "ingestctl unmute" in shown(status)


def test_a_mute_that_a_restart_will_not_know_is_louder() -> None:
    status = good()
    status["uplink"].update(muted=True, mute_kept=True)
    assert words.UNKEPT not in shown(status)
    status["uplink"]["mute_kept"] = False
    assert f" MUTED, NOT KEPT over a restart   {words.MUTED_REMEDY}; {words.UNKEPT_REMEDY}" in shown(status)
    status["uplink"]["muted"] = False
    assert words.UNKEPT not in shown(status)


@pytest.mark.parametrize(("kind", "name"), [("capture", "NO MICROPHONE"), ("playback", "NO LOUDSPEAKER")])
def test_a_lost_device_is_named_with_what_helps(kind: str, name: str) -> None:
    status = good()
    status["devices"][kind].update(lost=True, lost_since=ago(33))
    status["faults"] = [fault(f"can't open {kind} device 'plughw:CARD=X': No such device", area=kind)]
    label = {"capture": "microphone", "playback": "loudspeaker"}[kind]
    assert f"{label} {name} for 33 s, it was plughw:CARD=" in flat(status), "before its counters"
    assert words.DEVICE_REMEDY[kind] in flat(status)


def test_the_last_good_configuration_is_told_with_its_faults() -> None:
    status = good()
    status["config"] = {"last_good": True, "faults": ["/etc/ingestd/ingestd.yaml:3: sesion: did you mean session?"]}
    text = flat(status)
    assert "runs on the last good one" in text
    assert "ingestd.yaml:3: sesion: did you mean session?" in text
    assert words.LAST_GOOD_REMEDY in text


def test_a_strangers_texts_cannot_speak_to_the_terminal() -> None:
    status = good()
    nasty = "\x1b]0;owned\x07\x1b[2J\nIN THE ROOM\u202e"
    status["reason"] = status["room"]["text"] = nasty
    status["session"]["call_id"] = status["devices"]["capture"]["device"] = nasty
    status["devices"]["capture"]["warnings"] = status["messaging"]["topics"] = status["config"]["faults"] = [nasty]
    status["config"]["last_good"] = True
    status["faults"] = [fault(nasty, meaning=nasty, remedy=nasty), fault(nasty, over=True)]
    for state in ("streaming", "waiting", nasty):
        text = shown({**status, "state": state})
        assert all(char.isprintable() for char in text.replace("\n", ""))


@pytest.mark.parametrize("columns", [1, 20, 40, 79, 80, 200])
def test_no_word_is_cut_at_any_width(columns: int) -> None:
    status = good()
    status["faults"] = [fault("the backend answered 401", remedy=REMEDY, meaning="It has expired.")]
    narrow = shown(status, columns)
    wide = flat(status)
    assert " ".join(narrow.split()) == wide
    if columns >= 40:
        assert all(len(each) <= columns for each in narrow.splitlines())


@pytest.mark.parametrize(
    "odd", [{}, {"state": None}, {"state": "streaming", "uplink": {"frames": "many"}, "faults": [3]}]
)
def test_a_daemon_of_another_version_is_shown_as_far_as_it_goes(odd: dict[str, Any]) -> None:
    assert shown(odd)


def test_a_clock_that_was_set_back_makes_no_negative_times() -> None:
    assert shown({**good(), "room_since": ago(-500)}).splitlines()[0] == " IN THE ROOM   for 0 s"


def test_every_label_is_used() -> None:
    status = {**good(), "faults": [fault("it was", over=True)]}
    assert all(f"\n{label} " in shown(status) for label in LABELS)


def test_wide_letters_and_marks_count_as_what_they_take() -> None:
    assert (columns_of("abc"), columns_of("日本"), columns_of("e\u0301")) == (3, 4, 1)


def test_letters_that_are_joined_or_kept_apart_stay_so_and_nothing_else_that_is_not_seen_does() -> None:
    persian, family = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\U0001f469\u200d\U0001f467"
    assert one_line(f"{persian} {family}") == f"{persian} {family}"
    others = [char for code in range(0x110000) if unicodedata.category(char := chr(code)) in ("Cf", "Cc", "Cs", "Co")]
    assert {one_line(f"x{char}x") for char in others if not char.isspace()} == {"x?x", "x\u200cx", "x\u200dx"}


def test_marks_of_ours_have_plain_ones_beside_them() -> None:
    assert written(line("███░│─…"), colour=False, unicode=False) == "###.|-~"
