"""Who hears of what happens: the log, systemd, local programs and the status. Supervisor thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from ingestd.audio.ports import Negotiated
from ingestd.core import wire
from ingestd.core.faults import FaultLog
from ingestd.core.lifecycle import IN_THE_ROOM, State
from ingestd.core.presence import RoomView
from ingestd.core.remedies import Where, advice
from ingestd.core.retry import Cause, cause_of
from ingestd.errors import key_of
from ingestd.system.journal import LOG
from ingestd.system.notify import Notifier
from ingestd.threads.mailbox import DeviceChanged

_MAX_SHOWN_CHARS: Final = 200
_SESSION: Final = "session"

News = Callable[[str, dict[str, Any]], None]


class Reporter:
    """See `threads.supervisor.Reporter`.

    `news` takes what goes to local programs; `stuck` tells what does not advance although it should.
    """

    def __init__(
        self,
        notifier: Notifier,
        news: News,
        stuck: Callable[[float], list[str]],
        where: Where,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._bugs: set[str] = set()
        self._warned: dict[str, tuple[str, ...]] = {}
        self._notifier = notifier
        self._news = news
        self._stuck = stuck
        self._stuck_before: list[str] = []
        self.room: RoomView | None = None
        """Of the last heartbeat. Any thread."""
        self._watchdog_due_s = 0.0
        self._fields: dict[str, dict[str, Any]] = {}  # the journal's, of the last fault of each area
        self._lost: set[str] = set()
        self._ends = FaultLog()  # of calls that were ended on purpose: no faults, but no more news than those
        self.faults = FaultLog()
        self.where = where
        """What advice names; replaced when the configuration is read anew."""
        self.state_now = State.IDLE
        self.reason = "starting"
        self.since = time.time()
        """When the present state began, wall-clock seconds since 1970."""

    def state(self, state: State, epoch: int, reason: str, error: Exception | None) -> None:
        """The lifecycle moved, by that error where there was one."""
        self.state_now = state
        self.reason = reason
        self.since = time.time()
        fields = {"EPOCH": epoch, "STATE": state.value}
        if error is not None and cause_of(error) is not Cause.ENDED:
            self._session_fault(error, fields)
        else:
            level = logging.INFO if self._is_news(state, epoch, reason, error) else logging.DEBUG
            LOG.log(level, "%s: %s", state.value, reason, extra=fields)
        if state in (State.STREAMING, State.WAITING, State.STANDBY):
            self._notifier.ready()
        if state in (State.STOPPING, State.STOPPED):
            self._notifier.stopping()
        self.room = self.room if state in IN_THE_ROOM else None
        self._tell_status()
        self._news("state", {"state": state.value, "reason": reason, "epoch": epoch})

    def _is_news(self, state: State, epoch: int, reason: str, error: Exception | None) -> bool:
        """Attempt after attempt says the same, and a room that throws out at once too; their end is what counts."""
        now = self._now()
        match state:
            case State.CREATING | State.CONNECTING:
                return epoch == 1
            case State.STREAMING if error is not None:  # a renewal that ended on purpose: this session goes on
                return self._ends.add(_SESSION, key_of(error), reason, now, time.time())
            case State.STREAMING:
                wrong = self.faults.current(_SESSION)
                mended, rejoined = self.faults.over(_SESSION, now), self._ends.over(_SESSION, now)
                return mended if wrong else rejoined
            case State.RENEWING:
                return not self.faults.current(_SESSION) and not self._ends.current(_SESSION)
            case State.RENEWING_CONNECTING | State.OVERLAPPING:
                return False
            case State.WAITING:
                return error is not None and self._ends.add(_SESSION, key_of(error), reason, now, time.time())
            case _:
                return True

    def _session_fault(self, error: Exception, fields: dict[str, Any]) -> None:
        said = advice(error, self.where)
        self._fault(_SESSION, key_of(error), str(error), fields, said.meaning, said.remedy)

    def room_event(self, event: wire.Event) -> None:
        """Something other than audio came in. Its texts are a stranger's: shown shortened and printable.

        People come and go, and messages come, as often as the room likes: none of that is more than a debug line.
        """
        match event:
            case wire.Message():
                LOG.debug("message on %s of %d characters", _shown(event.topic), len(event.text))
                self._news("message", asdict(event))
            case wire.ParticipantJoined(participant):
                LOG.debug("participant joined: %s", _shown(participant.name or participant.id))
                self._news("participant", {"joined": True, **asdict(participant)})
            case wire.ParticipantLeft(participant):
                LOG.debug("participant left: %s", _shown(participant.name or participant.id))
                self._news("participant", {"joined": False, **asdict(participant)})
            case wire.MeetingJoined(room_id):
                LOG.debug("joined room %s", _shown(room_id))
            case wire.MeetingLeft(message):
                LOG.debug("the meeting ended for this device: %s", _shown(message))
            case _:
                LOG.debug("ignored an event this version does not know")

    def device(self, mail: DeviceChanged) -> None:
        """A sound device was opened or lost."""
        if mail.error is not None:
            self._lost.add(mail.device)
            self._fault(mail.device, key_of(mail.error), f"{mail.error}; looking for it again", {"DEVICE": mail.device})
            return
        self._lost.discard(mail.device)
        news = self.faults.over(mail.device, self._now())
        LOG.log(
            logging.INFO if news else logging.DEBUG,
            "%s device %r is open%s",
            mail.device,
            mail.name,
            _negotiated(mail.negotiated),
        )
        warnings = mail.negotiated.warnings if mail.negotiated is not None else ()
        for warning in warnings:
            if warning not in self._warned.get(mail.device, ()):  # once, not after every re-plug
                LOG.warning("%s device %r: %s", mail.device, mail.name, warning)
        self._warned[mail.device] = warnings

    def heartbeat(self, room: RoomView | None = None) -> None:
        """Tells systemd's watchdog that all makes progress, as often as it asks for; and what came to stay.

        `room`: who is there, while the device is in it.
        """
        every_s = self._notifier.watchdog_every_s
        now = self._now()
        self.room = room
        for fault in self.faults.lasting(now):
            LOG.warning("%s (it comes and goes; this time it lasts)", fault.told, extra=self._fields.get(fault.area))
        self._tell_status()
        self._notifier.repeat()
        stuck = self._stuck(now)
        if stuck and stuck != self._stuck_before:
            LOG.critical("no progress: %s; if that lasts, the watchdog restarts the service", ", ".join(stuck))
        self._stuck_before = stuck
        due = every_s is not None and now >= self._watchdog_due_s and not stuck
        if due and self._notifier.watchdog():
            self._watchdog_due_s = now + max(0.0, (every_s or 0.0) - 1.0)

    def _tell_status(self) -> None:
        """The one line that `systemctl status` shows."""
        said = self.room.text if self.room is not None else self.reason
        lost = "".join(f"; {device} device lost" for device in sorted(self._lost))
        self._notifier.status(f"{self.state_now.value}: {said[:_MAX_SHOWN_CHARS]}{lost}")

    def bug(self, message: str, error: BaseException) -> None:
        """Something happened that nobody expected."""
        if message not in self._bugs:  # its traceback once: an attempt may fail of the same one for weeks
            self._bugs.add(message)
            LOG.critical("%s; please report this", message, exc_info=error)

    def _fault(
        self, area: str, key: str, what: str, fields: dict[str, Any], meaning: str = "", remedy: str = ""
    ) -> None:
        self._fields[area] = fields
        # Once per occurrence: a backend that is down for a week must not fill an SD card.
        news = self.faults.add(area, key, what, self._now(), time.time(), meaning, remedy)
        LOG.log(logging.WARNING if news else logging.DEBUG, "%s", self.faults.all()[-1].told, extra=fields)


def _negotiated(found: Negotiated | None) -> str:
    """What the hardware does, as far as anybody can tell."""
    if found is None:
        return ""
    parts = []
    if found.hardware_rate_hz is not None:
        parts.append(f"{found.hardware_rate_hz} Hz")
    if found.hardware_channels is not None:
        parts.append(f"{found.hardware_channels} channel{'s' * (found.hardware_channels != 1)}")
    if found.converter is not None:
        parts.append(f"converted by {found.converter}")
    return ": " + ", ".join(parts) if parts else ""


def _shown(text: str | None) -> str:
    if text is None:
        return "(unnamed)"
    return "".join(char if char.isprintable() else "?" for char in text[:_MAX_SHOWN_CHARS])
