"""Who hears of what happens: the log, systemd, local programs and the status. Supervisor thread."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from ingestd.audio.ports import Negotiated
from ingestd.core import wire
from ingestd.core.callfields import CallFields
from ingestd.core.catalog import device_fault, fields_of
from ingestd.core.faults import FaultLog
from ingestd.core.lifecycle import IN_THE_ROOM, State
from ingestd.core.presence import RoomView
from ingestd.core.remedies import Advice, Where, advice
from ingestd.core.remedies_for_parts import METRICS, RELOAD
from ingestd.core.retry import Cause, cause_of
from ingestd.core.roomnews import RoomNews
from ingestd.errors import UnfitDeviceError, key_of
from ingestd.system import journal
from ingestd.system.journal import LOG
from ingestd.system.notify import Notifier
from ingestd.threads.mailbox import DeviceChanged, MetricsChanged

_MAX_SHOWN_CHARS: Final = 200
_SESSION: Final = "session"
_CONFIGURATION: Final = "configuration"

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
        self._room_news = RoomNews()
        self.messages = 0
        """That came in. Any thread reads it."""
        self.failed: dict[str, int] = {}
        """How often an attempt or a connection failed, by the fault's name. Any thread copies it."""
        self._epoch = 0
        self._stuck = stuck
        self._stuck_before: list[str] = []
        self.room: RoomView | None = None
        """Of the last heartbeat. Any thread."""
        self._watchdog_due_s = 0.0
        self._fields: dict[str, dict[str, Any]] = {}  # the journal's, of the last fault of each area
        self._call_fields = CallFields()
        self._lost: set[str] = set()
        self._ends = FaultLog()  # of calls that were ended on purpose: no faults, but no more news than those
        self.faults = FaultLog()
        self.last_good = False
        """Whether the device runs on the last good configuration, as the present one has faults."""
        self._refused = ""  # what was wrong with it when it was last read anew
        self.where = where
        """What advice names; replaced when the configuration is read anew."""
        self.state_now = State.IDLE
        self.reason = "starting"
        self.remedy: str | None = None
        """Against that reason, where it is the end of a call and no fault. Any thread."""
        self.since = time.time()
        """When the present state began, wall-clock seconds since 1970."""
        self.room_since = self.since
        """The same of being in the room, or of not being there, whatever states that takes. Any thread."""

    def state(self, state: State, epoch: int, reason: str, error: Exception | None) -> None:
        """The lifecycle moved, by that error where there was one."""
        self.state_now = state
        self.reason = reason
        self.remedy = None
        self.since = time.time()
        self._epoch = epoch
        event = self._room_news.now(state in IN_THE_ROOM)
        self.room_since = self.room_since if event is None else self.since
        self._tell(event)
        fields = {**self._call_fields.state(state, epoch, error is not None), "STATE": state.value}
        if error is not None and cause_of(error) is not Cause.ENDED:
            self._session_fault(error, fields)
        else:
            if error is not None and state is State.WAITING:
                self.remedy = advice(error, self.where).remedy
            level = logging.INFO if self._is_news(state, epoch, reason, error) else logging.DEBUG
            LOG.log(level, "%s: %s", state.value, reason, extra=fields)
        if state in (State.STREAMING, State.WAITING, State.STANDBY):
            self._notifier.ready()
        if state in (State.STOPPING, State.STOPPED):
            self._notifier.stopping()
        self.room = self.room if state in IN_THE_ROOM else None
        self._tell_status()

    def _tell(self, event: str | None, detail: dict[str, Any] | None = None) -> None:
        """Local programs hear of the state, and of the event that hooks may be set on."""
        state = {"state": self.state_now.value, "reason": self.reason, "epoch": self._epoch}
        self._news("state", {**state, "event": event, "detail": detail or {}})

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
        self.failed[said.name] = self.failed.get(said.name, 0) + 1
        self._fault(_SESSION, key_of(error), str(error), fields, said)

    def session(self, epoch: int, call_id: str | None) -> None:
        """The attempt of `epoch` has a session; what is logged of it carries the service's name for it."""
        if call_id is not None:
            self._call_fields.session(epoch, _shown(call_id))

    def room_event(self, event: wire.Event) -> None:
        """Something other than audio came in. Its texts are a stranger's: shown shortened and printable.

        People come and go, and messages come, as often as the room likes: none of that is more than a debug line.
        """
        of_call = self._call_fields.now()
        match event:
            case wire.Message():
                self.messages += 1
                LOG.debug("message on %s of %d characters", _shown(event.topic), len(event.text), extra=of_call)
                self._news("message", event._asdict())
            case wire.ParticipantJoined(participant):
                LOG.debug("participant joined: %s", _shown(participant.name or participant.id), extra=of_call)
                self._news("participant", {"joined": True, **participant._asdict()})
            case wire.ParticipantLeft(participant):
                LOG.debug("participant left: %s", _shown(participant.name or participant.id), extra=of_call)
                self._news("participant", {"joined": False, **participant._asdict()})
            case wire.MeetingJoined(room_id):
                LOG.debug("joined room %s", _shown(room_id), extra=of_call)
            case wire.MeetingLeft(message):
                LOG.debug("the meeting ended for this device: %s", _shown(message), extra=of_call)
            case _:
                LOG.debug("ignored an event this version does not know")

    def device(self, mail: DeviceChanged) -> None:
        """A sound device was opened or lost."""
        detail = {"device": mail.device, "what": mail.name if mail.error is None else str(mail.error)}
        if mail.error is not None:
            if mail.device not in self._lost:
                self._tell("device-lost", detail)
            self._lost.add(mail.device)
            name = device_fault(mail.device, unfit=isinstance(mail.error, UnfitDeviceError))
            fields = {**self._call_fields.now(), "DEVICE": mail.device}
            what = f"{mail.error}; looking for it again"
            self._fault(mail.device, key_of(mail.error), what, fields, Advice("", "", name))
            return
        if mail.device in self._lost:
            self._tell("device-back", detail)
        self._lost.discard(mail.device)
        news = self.faults.over(mail.device, self._now())
        LOG.log(
            logging.INFO if news else logging.DEBUG,
            "%s device %r is open%s",
            mail.device,
            mail.name,
            _negotiated(mail.negotiated),
            extra={**self._call_fields.now(), "DEVICE": mail.device},
        )
        warnings = mail.negotiated.warnings if mail.negotiated is not None else ()
        for warning in warnings:
            if warning not in self._warned.get(mail.device, ()):  # once, not after every re-plug
                LOG.warning("%s device %r: %s", mail.device, mail.name, warning)
        self._warned[mail.device] = warnings

    def metrics(self, mail: MetricsChanged) -> None:
        """Figures for Prometheus are served, or can't be."""
        if mail.error is not None:
            name, meaning, remedy = METRICS
            self._fault("metrics", key_of(mail.error), str(mail.error), {}, Advice(meaning, remedy, name))
        elif self.faults.over("metrics", self._now()):
            LOG.info("figures for Prometheus are served on %s", mail.listen)

    def reload_refused(self, faults: Sequence[str]) -> None:
        """The configuration was read anew and has these faults: that lasts until it is `reloaded`."""
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        self._refused = f"the last reload was refused: {_shown(faults[0])}{more}"
        name, meaning, remedy = RELOAD
        self._fault(_CONFIGURATION, name, self._refused, {}, Advice(meaning, remedy, name))
        self._tell_status()

    def reloaded(self) -> None:
        """The configuration was read anew, and the device runs on it."""
        self.last_good = False
        self._refused = ""
        self.faults.over(_CONFIGURATION, self._now())
        self._tell_status()

    def heartbeat(self, room: RoomView | None = None) -> None:
        """Tells systemd's watchdog that all makes progress, as often as it asks for; and what came to stay.

        `room`: who is there, while the device is in it.
        """
        every_s = self._notifier.watchdog_every_s
        now = self._now()
        self.room = room
        if self._room_news.alone(None if room is None else room.alone_s):
            self._tell("alone")
        for fault in self.faults.lasting(now):
            LOG.warning("%s (it comes and goes; this time it lasts)", fault.told, extra=self._fields.get(fault.area))
        self._tell_status()
        self._notifier.repeat()
        journal.repeat()
        stuck = self._stuck(now)
        if stuck and stuck != self._stuck_before:
            text = "no progress: %s; if that lasts, the watchdog restarts the service"
            LOG.critical(text, ", ".join(stuck), extra=self._call_fields.now())
        self._stuck_before = stuck
        due = every_s is not None and now >= self._watchdog_due_s and not stuck
        if due and self._notifier.watchdog():
            self._watchdog_due_s = now + max(0.0, (every_s or 0.0) - 1.0)

    def _tell_status(self) -> None:
        """The one line that `systemctl status` shows."""
        said = self.room.text if self.room is not None else self.reason
        lost = "".join(f"; {device} device lost" for device in sorted(self._lost))
        last_good = "; runs on the last good configuration" if self.last_good else ""
        refused = f"; {self._refused}" if self._refused else ""
        self._notifier.status(f"{self.state_now.value}: {said[:_MAX_SHOWN_CHARS]}{lost}{last_good}{refused}")

    def bug(self, message: str, error: BaseException) -> None:
        """Something happened that nobody expected."""
        if message not in self._bugs:  # its traceback once: an attempt may fail of the same one for weeks
            self._bugs.add(message)
            LOG.critical("%s; please report this", message, exc_info=error, extra=self._call_fields.now())

    def _fault(self, area: str, key: str, what: str, fields: dict[str, Any], said: Advice) -> None:
        fields = {**fields, **fields_of(said.name)}
        self._fields[area] = fields
        # Once per occurrence: a backend that is down for a week must not fill an SD card.
        wall = time.time()
        news = self.faults.add(area, key, what, self._now(), wall, said.meaning, said.remedy, said.name)
        if news:
            self._tell("fault", {"area": area, "what": what, "meaning": said.meaning, "remedy": said.remedy})
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
