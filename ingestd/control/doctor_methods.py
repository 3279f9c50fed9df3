"""What only the running daemon can tell about its own health: the control method doctor. Control thread.

It is read off the status, so that it costs the call no more than that does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

from ingestd.control.server import Method
from ingestd.core.check import Check, failed, ok, skipped, warning
from ingestd.core.lifecycle import IN_THE_ROOM
from ingestd.core.soundcheck import judged_level

_IN_THE_ROOM: Final = {state.value for state in IN_THE_ROOM}
_LOUD_DBFS: Final = -1.0
_SEE_JOURNAL: Final = "see the journal: journalctl -u ingestd"

Status = dict[str, Any]
Faults = dict[str, dict[str, Any]]
"""By area, those that no check has told yet."""


def doctor_methods(status: Callable[[], Status]) -> dict[str, Method]:
    """The method by its name; its result is {"checks": [...]}, each as `core.check` has it."""
    return {"doctor": lambda _params: {"checks": [check.as_json() for check in checks(status())]}}


def checks(status: Status) -> Iterator[Check]:
    """What a status says about sound, session and faults, each cause once. Pure."""
    # Of each area the latest: what it was before is no longer so.
    faults: Faults = {fault["area"]: fault for fault in status["faults"] if not fault["over"]}
    yield _configuration(status)
    yield _device("microphone", "capture", status, faults)
    yield _device("speaker", "playback", status, faults)
    yield _level(status)
    yield _mute(status)
    yield _session(status, faults)
    yield _first_audio(status)
    yield from _others(faults)


def _configuration(status: Status) -> Check:
    name = "configuration in use"
    if not status["config"]["last_good"]:
        return ok(name, "the daemon runs on the configuration as it was last read")
    faults = "; ".join(status["config"]["faults"]) or "the configuration could not be used"
    return failed(
        name,
        f"the daemon runs on the last good configuration: {faults}",
        "mend what is named, then `ingestctl reload`",
    )


def _device(name: str, kind: Literal["capture", "playback"], status: Status, faults: Faults) -> Check:
    device, key = status["devices"][kind], f"audio.{kind}.device"
    called = f"the daemon's {name} {device['device']!r}" if device["device"] else f"the daemon's {name}"
    if device["lost"]:
        fault = faults.pop(kind, None)
        since = f" since {device['lost_since']}" if device["lost_since"] else ""
        said = f": {fault['what']}" if fault else ""
        return failed(name, f"{called} is lost{since}{said}", f"plug it in, or correct {key}; it is looked for")
    parts = [f"{called} is open: 8000 Hz, period {device['period_ms']:g} ms, buffer {device['buffer_ms']:g} ms"]
    if device["hardware_rate_hz"] is not None:
        by = f", converted by {device['converter']}" if device["converter"] else ""
        parts.append(f"the hardware runs at {device['hardware_rate_hz']} Hz{by}")
    if device["warnings"]:
        return warning(name, "; ".join((*parts, *device["warnings"])), f"see what is named, and {key}")
    return ok(name, "; ".join(parts))


def _level(status: Status) -> Check:
    name, uplink = "microphone level", status["uplink"]
    if status["devices"]["capture"]["lost"]:
        return skipped(name, "the microphone is lost")
    shown = f"level {uplink['level_dbfs']:g} dBFS, peak {uplink['peak_dbfs']:g} dBFS"
    # The count is since the start: what was cut off last year needs no advice.
    clipped = uplink["clipped"] if uplink["peak_dbfs"] >= _LOUD_DBFS else 0
    return judged_level(name, shown, uplink["peak_dbfs"], clipped)


def _mute(status: Status) -> Check:
    uplink = status["uplink"]
    if uplink["muted"] and not uplink["mute_kept"]:
        said = "muted, but that is not kept over a restart: then the room hears this device"
        remedy = "make room on the disk of the state directory, or mend it (see there), then `ingestctl mute` again"
        return warning("mute", said, remedy)
    if uplink["muted"]:
        return warning("mute", "muted by software: the room hears silence", "`ingestctl unmute`, if that is not wanted")
    return ok("mute", "not muted by software")


def _session(status: Status, faults: Faults) -> Check:
    name, session, state = "session", status["session"], status["state"]
    if state == "standby":
        return skipped(name, f"standing by: {status['reason']}", "`ingestctl call`, to join the room")
    if state not in _IN_THE_ROOM:
        after_s = status["next_attempt_in_s"]
        when = f"; next attempt in {after_s:.0f} s" if after_s is not None else ""
        fault = faults.pop(name, None)
        meaning = f": {fault['meaning']}" if fault and fault["meaning"] else ""
        remedy = fault["remedy"] if fault else ""
        return failed(name, f"not in the room ({state}): {status['reason']}{when}{meaning}", remedy or _SEE_JOURNAL)
    age = _age(session["started"])
    joined = "in the room" if session["joined"] else "connected; the service has not said that it joined the room yet"
    return ok(name, f"{joined}{age}; reconnects: {session['reconnects']}, renewals: {session['renewals']}")


def _age(started: str | None) -> str:
    if started is None:
        return ""
    from datetime import UTC, datetime

    seconds = (datetime.now(UTC) - datetime.fromisoformat(started)).total_seconds()
    return f" by a session that is {max(0.0, seconds):.0f} s old"


def _first_audio(status: Status) -> Check:
    name, first_s = "first room audio", status["session"]["first_audio_s"]
    if status["state"] not in _IN_THE_ROOM:
        return skipped(name, "the device is not in the room")
    if first_s is None:
        return warning(
            name,
            "none has come by this session yet",
            "nothing to do where nobody else is in the room; else let somebody speak there",
        )
    return ok(name, f"came {first_s:.2f} s after the connection was open")


def _others(faults: Faults) -> Iterator[Check]:
    for fault in faults.values():
        what = ": ".join(part for part in (fault["what"], fault["meaning"]) if part)
        yield failed("fault", what, fault["remedy"] or _SEE_JOURNAL)
    if not faults:
        yield ok("faults", "none at present")
