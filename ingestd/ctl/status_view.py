"""`ingestctl status` for people: what is wrong first, with what helps, then all that is going on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from ingestd.ctl import words
from ingestd.ctl.paint import Line, Span, Style, line, wrapped
from ingestd.ctl.reading import Reading
from ingestd.ctl.words import clauses, counted, dbfs, so_much

LABELS: Final = ("microphone", "loudspeaker", "messages", "over")
"""What the lower part is divided into."""
_INDENT: Final = max(map(len, LABELS)) + 2
_LEAST_COLUMNS: Final = 24
_OVER_SHOWN: Final = 3
_TOO_LOUD_DBFS: Final = -1.0
"""A peak from here on may be one that was cut off."""
_PLAIN: Final = Style.PLAIN


def view(status: Mapping[str, Any], now: datetime, columns: int | None) -> list[Line]:
    """The whole of it, for a terminal so many columns wide; None: lines as long as what they say.

    `now` is an aware time; times are shown in its zone.
    """
    reading = Reading(status)
    page = _Page(columns)
    _standing(page, reading, now)
    _troubles(page, reading, now)
    if reading.value("uplink") is not None:
        page.blank()
        _microphone(page, reading, now)
        _loudspeaker(page, reading, now)
        _messages(page, reading)
        _over(page, reading, now)
    return page.lines


class _Page:
    """Lines under lines, each block of text wrapped beside its label."""

    def __init__(self, columns: int | None) -> None:
        self._columns = columns
        self.lines: list[Line] = []

    def blank(self) -> None:
        self.lines.append(())

    def badge(self, badge: str, style: Style, text: str, text_style: Style = Style.PLAIN) -> None:
        """A text behind a badge that is seen from afar."""
        shown = f" {badge} "
        first, *more = self._wrapped(text, len(shown) + 2)
        self.lines.append(line(Span(shown, style), "  ", Span(first, text_style)))
        self.lines += [line(" " * (len(shown) + 2), Span(each, text_style)) for each in more]

    def text(self, text: str, indent: int = 2, style: Style = Style.PLAIN) -> None:
        """A paragraph; nothing where there is no text."""
        if text:
            self.lines += [line(" " * indent, Span(each, style)) for each in self._wrapped(text, indent)]

    def entry(self, label: str, *paragraphs: tuple[str, Style]) -> None:
        """A label of LABELS with what belongs to it."""
        for text, style in paragraphs:
            for each in self._wrapped(text, _INDENT):
                self.lines.append(line(Span(label.ljust(_INDENT), Style.STRONG), Span(each, style)))
                label = ""

    def _wrapped(self, text: str, indent: int) -> list[str]:
        return wrapped(text, None if self._columns is None else max(_LEAST_COLUMNS, self._columns - indent))


def _standing(page: _Page, reading: Reading, now: datetime) -> None:
    title, style, following = words.headline(reading)
    page.badge(title, style, clauses(words.since(reading, now), _clock(reading, now)), Style.STRONG)
    why = words.why(reading)
    if not words.repeats_a_fault(why, reading.faults()):
        page.text(why)
    page.text(following, style=Style.STRONG)
    page.text(clauses(*words.session(reading)), style=Style.FAINT)


def _clock(reading: Reading, now: datetime) -> str:
    """Since when, in the clock's own zone."""
    seconds = reading.seconds_since("room_since", now)
    if not seconds:
        return ""
    then = datetime.fromisoformat(str(reading.value("room_since"))).astimezone(now.tzinfo)
    return f"since {then:%Y-%m-%d %H:%M:%S}"


def _troubles(page: _Page, reading: Reading, now: datetime) -> None:
    if muted := words.muted(reading):
        page.blank()
        page.badge(muted[0], Style.LOUD_DOUBTFUL, muted[1])
    for fault, remedy in words.troubles(reading):
        page.blank()
        page.badge("FAULT", Style.LOUD_BAD, fault.what, Style.BAD)
        page.text(words.fault_age(fault, now), style=Style.FAINT)
        page.text(fault.meaning)
        page.text(remedy, style=Style.STRONG)
    if reading.value("config.last_good"):
        page.blank()
        page.badge("FAULT", Style.LOUD_BAD, words.LAST_GOOD, Style.BAD)
        for each in reading.texts("config.faults"):
            page.text(each)
        page.text(words.LAST_GOOD_REMEDY, style=Style.STRONG)


def _microphone(page: _Page, reading: Reading, now: datetime) -> None:
    number = reading.number
    level = clauses(*_level(reading, "uplink"), words.MUTED if reading.muted else "")
    sent = clauses(
        f"{counted(number('uplink.frames'), 'frame')} sent",
        so_much(number("uplink.dropped"), "dropped"),
        f"{number('uplink.backlog_ms'):.0f} ms waiting",
        f"out after {number('uplink.latency_ms.p50'):.1f} ms",
        f"95 % after {number('uplink.latency_ms.p95'):.1f} ms",
    )
    card = clauses(counted(number("uplink.xruns"), "overrun"), f"clock {words.ppm(reading.maybe('uplink.ppm'))}")
    style = Style.DOUBTFUL if reading.muted else Style.PLAIN
    _sound(page, "microphone", (level, style), [sent, card], reading, "capture", now)


def _loudspeaker(page: _Page, reading: Reading, now: datetime) -> None:
    number = reading.number
    level = clauses(*_level(reading, "downlink"))
    came = clauses(
        f"{counted(number('downlink.frames'), 'frame')} came",
        f"{number('downlink.delay_ms'):.0f} ms held back",
        f"{number('downlink.target_ms'):.0f} ms is the target",
    )
    lost = clauses(
        so_much(number("downlink.concealed"), "concealed", "ms"),
        so_much(number("downlink.dropped_ms"), "dropped", "ms"),
        counted(number("downlink.underruns"), "gap"),
        counted(number("downlink.device_underruns"), "underrun"),
        f"clock {words.ppm(reading.maybe('downlink.ppm'))}",
    )
    _sound(page, "loudspeaker", (level, _PLAIN), [came, lost], reading, "playback", now)


def _level(reading: Reading, at: str) -> list[str]:
    gain_db = reading.number(f"{at}.gain_db")
    peak_dbfs = reading.level_dbfs(f"{at}.peak_dbfs")
    clipped = reading.number(f"{at}.clipped") if peak_dbfs >= _TOO_LOUD_DBFS else 0  # it counts since the start
    return [
        f"level {dbfs(reading.level_dbfs(f'{at}.level_dbfs'))}",
        f"peak {dbfs(peak_dbfs)}",
        f"gain {gain_db:+g} dB" if gain_db else "",
        f"{counted(clipped, 'sample')} cut off: too loud" if clipped else "",
    ]


def _sound(
    page: _Page, label: str, level: tuple[str, Style], counters: list[str], reading: Reading, kind: str, now: datetime
) -> None:
    """One way of the audio, and its device, which comes first where it is gone."""
    said, style = words.device(reading, kind, now)
    device = [(clauses(*said), style)] if said else []
    heard = [level, *((text, _PLAIN) for text in counters)]
    warnings = [(text, Style.DOUBTFUL) for text in reading.texts(f"devices.{kind}.warnings")]
    both = [*device, *heard] if reading.value(f"devices.{kind}.lost") else [*heard, *device]
    page.entry(label, *both, *warnings)


def _messages(page: _Page, reading: Reading) -> None:
    topics = reading.texts("messaging.topics")
    refused = reading.value("messaging.refused")
    waiting, expired = reading.number("messaging.waiting"), reading.number("messaging.expired")
    bad = sum(refused.values()) if isinstance(refused, Mapping) else 0
    said = clauses(
        f"{reading.number('messaging.sent'):,.0f} sent",
        f"{reading.number('messaging.received'):,.0f} received",
        f"{waiting:.0f} waiting" if waiting else "",
        f"{expired:,.0f} thrown away unsent" if expired else "",
        f"listens to {', '.join(topics)}" if topics else "",
        f"{bad} that came made no sense" if bad else "",
    )
    page.entry("messages", (said, _PLAIN))


def _over(page: _Page, reading: Reading, now: datetime) -> None:
    over = [fault for fault in reading.faults() if fault.over]
    shown = [(f"{words.fault_age(fault, now)}: {fault.what}", Style.FAINT) for fault in over[:_OVER_SHOWN]]
    if len(over) > _OVER_SHOWN:
        shown.append((f"and {len(over) - _OVER_SHOWN} more: `ingestctl --json status`", Style.FAINT))
    if (latest := words.latest_over(reading, now)) is not None:
        shown.insert(1, (latest.remedy, _PLAIN))
    page.entry("over", *shown)
