"""`ingestctl watch`: what its screen shows, at any size."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from ingestd.ctl import words
from ingestd.ctl.meter import bar_columns, meter
from ingestd.ctl.paint import Style, columns_of, width, written
from ingestd.ctl.reading import Reading
from ingestd.ctl.watch_view import COUNTER_LABELS, KEYS, METERS, NEWS_LABEL, News, Scene, view
from ingestd.ctl.words import notice
from tests.unit.status_case import NOW, ago, fault, good

SIZES = [(80, 24), (200, 50), (130, 24), (40, 12), (20, 5), (3, 3), (1, 1), (80, 1), (300, 2)]
AWAY = ("no answer on /run/ingestd/control.sock: Connection refused", "see `systemctl status ingestd`")


def scene(status: dict[str, Any] | None, news: Sequence[str] = (), away: tuple[str, str] | None = None) -> Scene:
    told = [News(NOW - timedelta(seconds=len(news) - number), text) for number, text in enumerate(news)]
    return Scene(None if status is None else Reading(status), away, told, NOW)


def shown(of: Scene, columns: int = 80, lines: int = 24) -> list[str]:
    return [written(each, colour=False).rstrip() for each in view(of, columns, lines)]


def text(of: Scene, columns: int = 80, lines: int = 24) -> str:
    return "\n".join(shown(of, columns, lines))


def everything() -> dict[str, Any]:
    status = good()
    status["uplink"]["muted"] = True
    status["devices"]["playback"].update(lost=True, lost_since=ago(33))
    status["config"] = {"last_good": True, "faults": ["x.yaml:3: sesion: did you mean session?"]}
    remedy = "Put a fresh token there."
    status["faults"] = [fault(f"the backend answered {number}", remedy=remedy) for number in (401, 403)]
    return status


@pytest.mark.parametrize(("columns", "lines"), SIZES)
@pytest.mark.parametrize(
    "of",
    [
        scene(good(), ["hello"] * 60),
        scene(everything(), ["日本語" * 60]),
        scene(everything(), [], AWAY),
        scene(None, [], AWAY),
        scene(None),
        scene({}),
    ],
    ids=["good", "all", "away", "never", "nothing", "empty"],
)
def test_it_fits_any_screen(of: Scene, columns: int, lines: int) -> None:
    made = view(of, columns, lines)
    assert len(made) == lines
    assert max(map(width, made)) <= columns
    assert all(char == " " or not char.isspace() for each in made for span in each for char in span.text)


def test_a_usual_terminal_has_all_of_it() -> None:
    screen = text(scene(good(), ["[CHAT] Alice: hello"]))
    assert screen.splitlines()[0].split() == ["IN", "THE", "ROOM", "for", "3", "h", "12", "min", "12:00:00"]
    for said in (
        *METERS,
        *COUNTER_LABELS,
        NEWS_LABEL,
        "-23.4 dBFS  peak -12.0",
        "-31.0 dBFS  peak -20.2",
        "2.7 ms, 95 % 2.9, most 5.1",
        "52 ms, target 60 ms",
        "+12.3 ppm",
        "-3.4 ppm",
        "576,000",
        "[CHAT] Alice: hello",
        *(what for _, what in KEYS),
    ):
        assert said in screen


def test_a_small_one_keeps_what_matters_most() -> None:
    lines = shown(scene(everything(), ["hello"]), 60, 6)
    assert lines[0].startswith(" IN THE ROOM")
    assert lines[1] == "joined, hearing the room"
    assert lines[2].startswith("microphone")
    assert "NO LOUDSPEAKER" in lines[3]
    assert "quit" in lines[-1]
    assert "the backend answered" in text(scene(everything()), 60, 10)


def loud() -> dict[str, Any]:
    status = good()
    status["uplink"].update(dropped=1234, xruns=7, latency_ms={"p50": 212.7, "p95": 1802.9, "max": 3444.1})
    status["downlink"].update(dropped_ms=820, underruns=9)
    return status


def test_a_small_window_has_the_latest_news_and_both_ways_in_short() -> None:
    lines = shown(scene(loud(), [f"news {number}" for number in range(9)]), 60, 15)
    assert lines[-4:-1] == [NEWS_LABEL, "11:59:58  news 7", "11:59:59  news 8"]
    assert "to the room    1,234 dropped, 7 overruns, out after 212.7 ms" in lines
    assert "from the room  52 ms held back, 820 ms dropped, 9 gaps" in lines


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (64, 24), (130, 40)])
def test_a_counter_never_runs_into_the_one_beside_it(columns: int, lines: int) -> None:
    rows = shown(scene(loud(), ["news"] * 9), columns, lines)
    latency = next(each for each in rows if each.startswith("latency"))
    assert "  delay       52 ms" in latency
    assert NEWS_LABEL in "".join(rows)
    assert "gaps        9, of the device 0" in "".join(rows)


def test_a_wide_one_has_what_happened_beside_the_rest() -> None:
    lines = shown(scene(good(), [f"[CHAT] Alice: {number}" for number in range(100)]), 200, 40)
    assert sum("Alice" in each for each in lines) == 37
    assert "Alice: 99" in lines[38]
    assert any(each.startswith("frames") and "Alice" in each for each in lines)


def test_the_latest_news_stay_where_there_is_little_room() -> None:
    lines = shown(scene(good(), [f"news {number}" for number in range(100)]))
    assert "news 99" in lines[-2]
    assert any(each == NEWS_LABEL for each in lines)


def test_faults_and_mute_are_told_with_what_helps() -> None:
    screen = " ".join(text(scene(everything()), 80, 40).split())
    for said in ("the backend answered 401", "the backend answered 403", "Put a fresh token there.", "did you mean"):
        assert said in screen
    assert words.LAST_GOOD_REMEDY in screen
    assert words.MUTED_REMEDY in screen
    assert f" {words.MUTED} " in text(scene(everything()), 80, 40).splitlines()[0]


def test_a_mute_that_a_restart_will_not_know_is_told() -> None:
    status = good()
    status["uplink"].update(muted=True, mute_kept=False)
    screen = " ".join(text(scene(status), 80, 40).split())
    assert f"{words.MUTED}, {words.UNKEPT}: {words.MUTED_REMEDY}; {words.UNKEPT_REMEDY}" in screen


def test_a_daemon_that_is_gone_is_told_over_what_was_known_last() -> None:
    screen = text(scene(good(), [], AWAY))
    assert screen.splitlines()[0].startswith(" NO ANSWER")
    assert all(said in screen for said in (*AWAY, "is of before", "576,000"))
    assert "IN THE ROOM" not in screen


def test_the_bar_ends_at_the_level_and_the_mark_at_the_peak() -> None:
    for level, peak in itertools.product(range(-70, 1, 5), repeat=2):
        bar = bar_columns(68)
        drawn = written(meter(level, peak, 68), colour=False)[:bar]
        filled = max(0, round(bar * (1 + level / 60)))
        assert drawn.count("█") == filled
        at = round(bar * (1 + peak / 60)) - 1
        assert drawn.find("│") == (at if at >= filled and at >= 0 else -1)


def test_colours_tell_loud_from_too_loud() -> None:
    def styles(level: float, live: bool = True) -> set[Style]:
        return {span.style for span in meter(level, level, 68, live) if "█" in span.text}

    assert styles(-30) == {Style.GOOD}
    assert styles(-10) == {Style.GOOD, Style.DOUBTFUL}
    assert styles(0) == {Style.GOOD, Style.DOUBTFUL, Style.BAD}
    assert styles(0, live=False) == {Style.FAINT}


@pytest.mark.parametrize(
    ("method", "params", "said"),
    [
        ("message", {"topic": "CHAT", "text": "hi\nyou", "sender_id": "p", "sender_name": None}, "[CHAT] p: hi you"),
        ("participant", {"joined": True, "id": "p", "name": "Alice"}, "Alice is in the room"),
        ("participant", {"joined": False, "id": None, "name": None}, "somebody has left"),
        ("state", {"state": "creating", "reason": "x", "event": None, "detail": {}}, None),
        ("state", {"state": "streaming", "event": "connected", "detail": {}}, "in the room"),
        ("state", {"state": "waiting", "reason": "cut", "event": "disconnected"}, "out of the room: cut"),
        ("state", {"event": "device-lost", "detail": {"device": "capture", "what": "x"}}, "lost the microphone: x"),
        ("state", {"event": "device-back", "detail": {"device": "capture", "what": "x"}}, "the microphone is back: x"),
        ("state", {"event": "fault", "detail": {"what": "it answered 401"}}, "fault: it answered 401"),
        ("state", {"event": "alone", "detail": {}}, "nobody else is in the room"),
        ("other", {}, None),
    ],
)
def test_what_happens_in_a_line(method: str, params: dict[str, Any], said: str | None) -> None:
    assert notice(method, params) == said


def test_a_strangers_words_stay_one_printable_line() -> None:
    nasty = "\x1b[2J\x07\nowned\u202e" * 100
    params = {"topic": nasty, "text": nasty, "sender_name": nasty, "name": nasty, "event": "fault", "reason": nasty}
    for method in ("message", "participant", "state"):
        said = notice(method, {**params, "detail": {"what": nasty}})
        assert said is not None
        assert said.isprintable()
        assert columns_of(said) < 1500
