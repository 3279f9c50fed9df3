"""`ingestctl watch`: what its screen shows of a status and of what happened, at any size. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from ingestd.ctl import words
from ingestd.ctl.meter import meter, scale
from ingestd.ctl.paint import Line, Span, Style, clipped, line, padded, width, wrapped
from ingestd.ctl.reading import Reading
from ingestd.ctl.words import clauses

METERS: Final = {"microphone": ("uplink", "capture"), "room": ("downlink", "playback")}
"""What is metered, with its group of the status and its sound device."""
_TO_THE_ROOM: Final = "to the room"
_FROM_THE_ROOM: Final = "from the room"
COUNTER_LABELS: Final = (_TO_THE_ROOM, _FROM_THE_ROOM, "frames", "dropped", "delay", "latency", "clock", "overruns")
NEWS_LABEL: Final = "news"
KEYS: Final = (("q", "quit"), ("m", "mute or unmute"))
_SIDE_BY_SIDE_COLUMNS: Final = 130
"""From here on what happened has a column of its own,"""
_LEFT_COLUMNS: Final = 84
"""beside one this wide."""
_TWO_COUNTERS_COLUMNS: Final = 64
_LABEL_COLUMNS: Final = 12
_SHORT_LABEL_COLUMNS: Final = 15
_BETWEEN: Final = "  "
_LEAST_GROWING: Final = 3


class News(NamedTuple):
    """Something that happened, in one printable line, and when."""

    at: datetime
    text: str
    style: Style = Style.PLAIN


@dataclass(frozen=True, slots=True)
class Scene:
    """All that the screen is made of."""

    reading: Reading | None
    """The last status; None before the first."""
    away: tuple[str, str] | None
    """Why there is none now, and what helps."""
    news: Sequence[News]
    """Oldest first."""
    now: datetime
    """Aware; times are shown in its zone."""


def view(scene: Scene, columns: int, lines: int) -> list[Line]:
    """Exactly so many lines, none wider than that."""
    head, foot = _header(scene, columns), _footer()
    news = _Block(_news(scene, lines), 3, grows=True)
    if columns >= _SIDE_BY_SIDE_COLUMNS:
        left = _stacked(_blocks(scene, _LEFT_COLUMNS), _LEFT_COLUMNS, lines - 2)
        right = _stacked([news], columns - _LEFT_COLUMNS - 2, lines - 2)
        body = [(*padded(one, _LEFT_COLUMNS), Span("  "), *other) for one, other in zip(left, right, strict=True)]
    else:
        body = _stacked([*_blocks(scene, columns), news], columns, lines - 2)
    return [clipped(each, columns) for each in [head, *body, foot][:lines]]


class _Block(NamedTuple):
    """Lines that belong together. Where there is too little room, those of higher `rank` go first."""

    lines: list[Line]
    rank: int
    grows: bool = False
    """Of this one the first line and the last ones are kept: a few, and what others leave."""
    short: Sequence[Line] = ()
    """Instead of `lines` where there is no room for all of them."""

    @property
    def at_first(self) -> int:
        """How many lines it has before others get theirs."""
        return min(len(self.lines), _LEAST_GROWING) if self.grows else len(self.lines)


def _blocks(scene: Scene, columns: int) -> list[_Block]:
    """Without what happened; from the top."""
    if scene.reading is None:
        return [_Block(_away(scene, columns), 1)]
    reading = scene.reading
    meters = [_meter(reading, label, columns, scene) for label in METERS]
    return [
        _Block(_away(scene, columns) or _standing(reading, columns), 1),
        _Block([*meters, scale(columns, _LABEL_COLUMNS)], 0),
        _Block(_troubles(reading, scene.now, columns), 2),
        _Block(_counters(reading, columns), 4, short=_counters_in_short(reading)),
    ]


def _stacked(blocks: list[_Block], columns: int, lines: int) -> list[Line]:
    """The blocks one under the other in exactly so many lines, with blank ones between them where there is room."""
    present = [block for block in blocks if block.lines]
    left = max(0, lines)
    kept: dict[int, int] = {}
    for number in sorted(range(len(present)), key=lambda number: present[number].rank):
        if present[number].short and present[number].at_first > left:
            present[number] = present[number]._replace(lines=list(present[number].short))
        kept[number] = min(present[number].at_first, left)
        left -= kept[number]
    if present and present[-1].grows:  # what happened long ago gives way to order
        more = min(len(present[-1].lines) - kept[len(present) - 1], left)
        kept[len(present) - 1] += more
        left -= more
        blanks = len(present) - 1
        room = min(max(0, blanks - left), max(0, kept[len(present) - 1] - _LEAST_GROWING))
        kept[len(present) - 1] -= room
        left += room
    shown: list[Line] = []
    for number, block in enumerate(present):
        if shown and left and kept[number]:
            shown.append(())
            left -= 1
        count = kept[number]
        newest = [*block.lines[:1], *block.lines[len(block.lines) - count + 1 :]] if block.grows else block.lines
        shown += newest[:count]
    return [clipped(each, columns) for each in shown] + [()] * left


def _header(scene: Scene, columns: int) -> Line:
    clock = f"{scene.now:%H:%M:%S}"
    if scene.away is not None:
        left = line(Span(" NO ANSWER ", Style.LOUD_BAD))
    elif scene.reading is None:
        left = line(Span(" ingestd ", Style.LOUD_DOUBTFUL))
    else:
        title, style, _ = words.headline(scene.reading)
        left = line(Span(f" {title} ", style), "  ", Span(words.since(scene.reading, scene.now), Style.STRONG))
        if muted := words.muted(scene.reading):
            left = (*left, Span("  "), Span(f" {muted[0]} ", Style.LOUD_DOUBTFUL))
    gap = columns - width(left) - len(clock)
    return (*left, Span(" " * gap), Span(clock, Style.FAINT)) if gap >= 2 else left


def _footer() -> Line:
    keys = [(Span(f" {key} ", Style.STRONG), Span(f"{what}  ", Style.FAINT)) for key, what in KEYS]
    return tuple(span for pair in keys for span in pair)


def _away(scene: Scene, columns: int) -> list[Line]:
    if scene.away is None:
        return []
    what, remedy = scene.away
    again = "It is asked again all the time; what is below is of before." if scene.reading else "It is asked again."
    return [
        *_paragraph(what, columns, Style.BAD),
        *_paragraph(remedy, columns, Style.STRONG),
        *_paragraph(again, columns, Style.FAINT),
    ]


def _standing(reading: Reading, columns: int) -> list[Line]:
    why, following = words.why(reading), words.headline(reading).next
    said = [] if words.repeats_a_fault(why, reading.faults()) else _paragraph(why, columns)
    said += _paragraph(following, columns, Style.STRONG)
    return said + _paragraph(clauses(*words.session(reading)), columns, Style.FAINT)


def _meter(reading: Reading, label: str, columns: int, scene: Scene) -> Line:
    group, kind = METERS[label]
    name = Span(label.ljust(_LABEL_COLUMNS), Style.STRONG)
    if reading.value(f"devices.{kind}.lost"):
        said, style = words.device(reading, kind, scene.now)
        return line(name, Span(", ".join(said), style))
    level, peak = (reading.level_dbfs(f"{group}.{which}_dbfs") for which in ("level", "peak"))
    muted = group == "uplink" and reading.muted
    return line(name, *meter(level, peak, columns - _LABEL_COLUMNS, live=not muted and scene.away is None))


def _troubles(reading: Reading, now: datetime, columns: int) -> list[Line]:
    shown: list[Line] = []
    for fault, remedy in words.troubles(reading):
        shown += _trouble(f"{fault.what} ({words.fault_age(fault, now)})", remedy, columns)
    if (over := words.latest_over(reading, now)) is not None:
        shown += _trouble(f"{over.what} (over; {words.fault_age(over, now)})", over.remedy, columns, Style.DOUBTFUL)
    if reading.value("config.last_good"):
        first = next(iter(reading.texts("config.faults")), "")
        shown += _trouble(f"{words.LAST_GOOD}: {first}", words.LAST_GOOD_REMEDY, columns)
    if muted := words.muted(reading):
        shown += _paragraph(": ".join(muted), columns, Style.DOUBTFUL)
    return shown


def _trouble(what: str, remedy: str, columns: int, style: Style = Style.BAD) -> list[Line]:
    return [*_paragraph(what, columns, style), *(line("  ", *each) for each in _paragraph(remedy, columns - 2))]


def _counters(reading: Reading, columns: int) -> list[Line]:
    up, down = _uplink(reading), _downlink(reading)
    if columns < _TWO_COUNTERS_COLUMNS:
        return [*up, *down]
    half = columns // 2
    return [(*padded(one, half - len(_BETWEEN)), Span(_BETWEEN), *other) for one, other in zip(up, down, strict=True)]


def _counters_in_short(reading: Reading) -> list[Line]:
    """What tells most of either way, in a line each."""
    number = reading.number
    up = [
        words.so_much(number("uplink.dropped"), "dropped"),
        words.counted(number("uplink.xruns"), "overrun"),
        f"out after {number('uplink.latency_ms.p50'):.1f} ms",
    ]
    down = [
        f"{number('downlink.delay_ms'):.0f} ms held back",
        words.so_much(number("downlink.dropped_ms"), "dropped", "ms"),
        words.counted(number("downlink.underruns"), "gap"),
    ]
    ways = (_TO_THE_ROOM, up), (_FROM_THE_ROOM, down)
    return [line(Span(way.ljust(_SHORT_LABEL_COLUMNS), Style.STRONG), ", ".join(said)) for way, said in ways]


def _uplink(reading: Reading) -> list[Line]:
    number = reading.number
    latency = "uplink.latency_ms"
    slowest = f"95 % {number(f'{latency}.p95'):.1f}, most {number(f'{latency}.max'):.1f}"
    return [
        _title(_TO_THE_ROOM),
        _counter("frames", f"{number('uplink.frames'):,.0f}"),
        _counter("dropped", f"{number('uplink.dropped'):,.0f}", number("uplink.dropped") > 0),
        _counter("backlog", f"{number('uplink.backlog_ms'):.0f} ms"),
        _counter("latency", f"{number(f'{latency}.p50'):.1f} ms, {slowest}"),
        _counter("clock", words.ppm(reading.maybe("uplink.ppm"))),
        _counter("overruns", f"{number('uplink.xruns'):,.0f}", number("uplink.xruns") > 0),
        _counter("reconnects", f"{number('session.reconnects'):,.0f}", number("session.reconnects") > 0),
    ]


def _downlink(reading: Reading) -> list[Line]:
    number = reading.number
    lost = number("downlink.underruns"), number("downlink.device_underruns")
    return [
        _title(_FROM_THE_ROOM),
        _counter("frames", f"{number('downlink.frames'):,.0f}"),
        _counter("dropped", f"{number('downlink.dropped_ms'):,.0f} ms", number("downlink.dropped_ms") > 0),
        _counter("concealed", f"{number('downlink.concealed'):,.0f} ms", number("downlink.concealed") > 0),
        _counter("delay", f"{number('downlink.delay_ms'):.0f} ms, target {number('downlink.target_ms'):.0f} ms"),
        _counter("clock", words.ppm(reading.maybe("downlink.ppm"))),
        _counter("gaps", f"{lost[0]:,.0f}, of the device {lost[1]:,.0f}", any(lost)),
        _counter("renewals", f"{number('session.renewals'):,.0f}"),
    ]


def _title(text: str) -> Line:
    return line(Span(text, Style.STRONG))


def _counter(label: str, value: str, seen: bool = False) -> Line:
    return line(Span(label.ljust(_LABEL_COLUMNS), Style.FAINT), Span(value, Style.DOUBTFUL if seen else Style.PLAIN))


def _news(scene: Scene, most: int) -> list[Line]:
    latest = list(scene.news)[-most:]
    rows = [line(Span(f"{news.at:%H:%M:%S}  ", Style.FAINT), Span(news.text, news.style)) for news in latest]
    return [_title(NEWS_LABEL), *(rows or [line(Span("nothing has happened since this began", Style.FAINT))])]


def _paragraph(text: str, columns: int, style: Style = Style.PLAIN) -> list[Line]:
    return [line(Span(each, style)) for each in wrapped(text, columns)] if text else []
