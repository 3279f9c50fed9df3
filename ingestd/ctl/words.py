"""What a status means, in words: the same ones in `ingestctl status` and `ingestctl watch`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from ingestd.core.level import FLOOR_DBFS
from ingestd.core.lifecycle import State
from ingestd.ctl.paint import Style, one_line, tied
from ingestd.ctl.reading import Fault, Reading

MUTED: Final = "MUTED"
MUTED_REMEDY: Final = "the room gets silence instead of the microphone; `ingestctl unmute` ends that"
UNKEPT: Final = "NOT KEPT over a restart"
UNKEPT_REMEDY: Final = "so would a restart: `journalctl -u ingestd` says why"
LAST_GOOD: Final = "the configuration has faults: the device runs on the last good one"
LAST_GOOD_REMEDY: Final = "Mend it, see `ingestd --check`, then `ingestctl reload`."
DEVICE_REMEDY: Final[Mapping[str, str]] = {
    "capture": "Plug it in and see `ingestctl devices`, or mend audio.capture.device: it is looked for all the time.",
    "playback": "Plug it in and see `ingestctl devices`, or mend audio.playback.device: it is looked for all the time.",
}
_PASSES: Final = "Nothing to do"
"""So begins the remedy of what passes by itself (`core.remedies`)."""
_LATELY_S: Final = 60.0
_WHOLE_CHARS: Final = 24
_DEVICE_NAMES: Final = {"capture": "microphone", "playback": "loudspeaker"}


class Headline(NamedTuple):
    """Where the device stands."""

    title: str
    style: Style
    next: str
    """What happens next; may be empty."""


_TITLES: Final[Mapping[str, tuple[str, str]]] = {
    State.IDLE.value: ("STARTING", ""),
    State.STANDBY.value: ("IN STANDBY", "no call is wanted now; `ingestctl call` begins one"),
    State.CREATING.value: ("NOT IN THE ROOM", "asking the backend for a session"),
    State.CONNECTING.value: ("NOT IN THE ROOM", "has a session, connecting"),
    State.STREAMING.value: ("IN THE ROOM", ""),
    State.RENEWING.value: ("IN THE ROOM", "asking for the next session meanwhile"),
    State.RENEWING_CONNECTING.value: ("IN THE ROOM", "connecting to the next session meanwhile"),
    State.OVERLAPPING.value: ("IN THE ROOM", "the next session is about to take over"),
    State.REPLACING.value: ("NOT IN THE ROOM", "between two calls, the next one follows at once"),
    State.WAITING.value: ("NOT IN THE ROOM", ""),
    State.HANGING_UP.value: ("LEAVING THE ROOM", ""),
    State.STOPPING.value: ("LEAVING THE ROOM", "ingestd is about to end"),
    State.STOPPED.value: ("NOT IN THE ROOM", "ingestd is about to end"),
}
_AS_WANTED: Final = frozenset((State.STANDBY.value, State.HANGING_UP.value))


def is_as_wanted(reading: Reading) -> bool:
    """In the room, or out of it because nobody wants a call now."""
    return reading.in_the_room or reading.state in _AS_WANTED


def is_well(reading: Reading) -> bool:
    """No sound device is lost, no fault lasts, and the configuration is the present one."""
    lost = any(reading.value(f"devices.{kind}.lost") for kind in _DEVICE_NAMES)
    return not (lost or reading.value("config.last_good") or troubles(reading))


def headline(reading: Reading) -> Headline:
    """Where it stands and what comes next."""
    title, following = _TITLES.get(reading.state, (reading.state.upper(), ""))
    if reading.in_the_room:
        return Headline(title, Style.LOUD_GOOD, following)
    if (wait_s := reading.maybe("next_attempt_in_s")) is not None:
        following = f"next attempt in {duration(wait_s)}" if wait_s >= 1.0 else "next attempt now"
    style = Style.LOUD_DOUBTFUL if is_as_wanted(reading) or reading.state == State.IDLE.value else Style.LOUD_BAD
    return Headline(title, style, following)


def since(reading: Reading, now: datetime) -> str:
    """For how long it is there, or not; empty where nobody knows."""
    path = "room_since" if reading.value("room_since") is not None else "since"
    seconds = reading.seconds_since(path, now)
    return "" if seconds is None else f"for {duration(seconds)}"


def why(reading: Reading) -> str:
    """Who is there, where it is in the room; else what led to where it stands."""
    if reading.in_the_room:
        return reading.text("room.text") or "waiting to be joined"
    remedy = reading.text("remedy")  # of an end that is no fault, as that by another device of the same id
    return f"{reading.text('reason')}. {remedy}" if remedy else reading.text("reason")


def repeats_a_fault(text: str, faults: list[Fault]) -> bool:
    """Whether a fault that lasts says the same already."""
    return any(fault.what == text for fault in faults if not fault.over)


def session(reading: Reading) -> list[str]:
    """The session in a few clauses."""
    said: list[str] = []
    if reading.in_the_room and (number := int(reading.number("session.epoch"))):  # elsewhere it is an attempt's
        call = reading.text("session.call_id")
        said.append(f"session {number}" + (f" ({call})" if call else ""))
    if (rtt_ms := reading.maybe("session.rtt_ms")) is not None:
        said.append(f"server answers in {rtt_ms:.{0 if rtt_ms >= 10 else 1}f} ms")
    for key, noun in (("reconnects", "reconnect"), ("renewals", "renewal")):
        if often := int(reading.number(f"session.{key}")):
            said.append(counted(often, noun))
    return said


def muted(reading: Reading) -> tuple[str, str] | None:
    """That the microphone is muted, and what to know of it; None where it is not."""
    if not reading.muted:
        return None
    return (MUTED, MUTED_REMEDY) if reading.mute_kept else (f"{MUTED}, {UNKEPT}", f"{MUTED_REMEDY}; {UNKEPT_REMEDY}")


def microphone_is(muted: bool) -> str:
    """What came of mute and unmute."""
    return f"the microphone is {'muted' if muted else 'open'}"


def unkept(answer: Mapping[str, Any], what: str) -> str | None:
    """That a restart will not know of `what`, and why; None where the daemon's answer says that it will."""
    return None if answer.get("kept", True) else f"{what}, but a restart will not know: {one_line(answer.get('why'))}"


def fault_age(fault: Fault, now: datetime) -> str:
    """How often and when, as in "3 times, last 5 s ago"."""
    seconds = Reading({"last": fault.last}).seconds_since("last", now)
    ago = "" if seconds is None else f"{duration(seconds)} ago"
    if fault.count == 1:
        return ago or "once"
    return f"{counted(fault.count, 'time')}, last {ago}" if ago else counted(fault.count, "time")


def remedy(fault: Fault) -> str:
    """What a person can do; for a sound device there is one for all."""
    return fault.remedy or DEVICE_REMEDY.get(fault.area, "")


def troubles(reading: Reading) -> list[tuple[Fault, str]]:
    """The faults that last, the latest first, with what helps; where that is the same, only once."""
    found: list[tuple[Fault, str]] = []
    for fault in reading.faults():
        if not fault.over:
            helps = remedy(fault)
            found.append((fault, "" if any(helps == told for _, told in found) else helps))
    return found


def latest_over(reading: Reading, now: datetime) -> Fault | None:
    """What was wrong until a moment ago, passes by itself and may come again; its remedy tells of that. None: nothing.

    A line that breaks every few seconds is well most of the time, and somebody who looks then has to learn of it too.
    """
    latest = next(iter(reading.faults()), None)
    if latest is None or not latest.over or not latest.remedy.startswith(_PASSES):
        return None
    seconds = Reading({"last": latest.last}).seconds_since("last", now)
    return latest if seconds is not None and seconds < _LATELY_S else None


def device(reading: Reading, kind: str, now: datetime) -> tuple[list[str], Style]:
    """A sound device in a few clauses; `kind` is capture or playback."""
    at = f"devices.{kind}"
    name = reading.text(f"{at}.device")
    if reading.value(f"{at}.lost"):
        gone = reading.seconds_since(f"{at}.lost_since", now)
        lost = f"NO {_DEVICE_NAMES[kind].upper()}" + ("" if gone is None else f" for {duration(gone)}")
        before = [f"it was {name}"] if name else []
        return [lost, *before, "looked for all the time"], Style.BAD
    said = [name] if name else []
    if (rate_hz := reading.maybe(f"{at}.hardware_rate_hz")) is not None:
        channels = reading.maybe(f"{at}.hardware_channels")
        said.append(f"{rate_hz:.0f} Hz" + ("" if channels is None else f", {counted(int(channels), 'channel')}"))
    if converter := reading.text(f"{at}.converter"):
        said.append(f"converted by {converter}")
    if (period_ms := reading.maybe(f"{at}.period_ms")) is not None:
        said.append(f"{period_ms:g} ms periods, {reading.number(f'{at}.buffer_ms'):g} ms buffer")
    return said, Style.PLAIN


def notice(method: str, params: Mapping[str, Any]) -> str | None:
    """What happened, in one line; None for what is no news to a person."""
    said = Reading(params)
    match method:
        case "message":
            sender = said.text("sender_name") or said.text("sender_id") or "somebody"
            return f"[{said.text('topic')}] {one_line(sender, 40)}: {said.text('text')}"
        case "participant":
            name = one_line(said.text("name") or said.text("id") or "somebody", 60)
            return f"{name} {'is in the room' if said.value('joined') else 'has left'}"
        case "state":
            return _event(said)
    return None


def _event(said: Reading) -> str | None:
    what = said.text("detail.what")
    match said.value("event"):
        case "connected":
            return "in the room"
        case "disconnected":
            return f"out of the room: {said.text('reason')}"
        case "alone":
            return "nobody else is in the room"
        case "device-lost":
            return f"lost the {_DEVICE_NAMES.get(said.text('detail.device'), 'device')}: {what}"
        case "device-back":
            return f"the {_DEVICE_NAMES.get(said.text('detail.device'), 'device')} is back: {what}"
        case "fault":
            return f"fault: {what}"
    return None


def duration(seconds: float) -> str:
    """In the two units that tell most."""
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min"
    if whole < 172800:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def counted(count: float, noun: str) -> str:
    """As in "no frames", "1 frame", "12,345 frames"."""
    return f"{count:,.0f} {noun}{'s' * (count != 1)}" if count else f"no {noun}s"


def so_much(count: float, what: str, unit: str = "") -> str:
    """As in "none dropped", "12 dropped", "120 ms dropped"."""
    return f"{count:,.0f}{unit and ' '}{unit} {what}" if count else f"none {what}"


def clauses(*said: str) -> str:
    """One after the other; where the line is broken, short ones stay whole."""
    return ", ".join(tied(each) if len(each) <= _WHOLE_CHARS else each for each in said if each)


def dbfs(level: float) -> str:
    """A level."""
    return "silent" if level <= FLOOR_DBFS else f"{rounded(level)} dBFS"


def rounded(level: float) -> str:
    """To a tenth, and not below zero where that makes it 0."""
    return f"{round(level, 1) + 0.0:.1f}"


def ppm(value: float | None) -> str:
    """A clock's error."""
    return "not known yet" if value is None else f"{value:+.1f} ppm"
