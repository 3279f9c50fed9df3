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
from ingestd.core.lifecycle import State
from ingestd.errors import key_of
from ingestd.system.journal import LOG
from ingestd.system.notify import Notifier
from ingestd.threads.mailbox import DeviceChanged

_MAX_SHOWN_CHARS: Final = 200
_SESSION: Final = "session"

News = Callable[[str, dict[str, Any]], None]


class Reporter:
    """See `threads.supervisor.Reporter`.

    `news` takes what goes to local programs; `healthy` tells whether every thread makes progress.
    """

    def __init__(
        self,
        notifier: Notifier,
        news: News,
        healthy: Callable[[], bool],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._now = now
        self._bugs: set[str] = set()
        self._warned: dict[str, tuple[str, ...]] = {}
        self._notifier = notifier
        self._news = news
        self._healthy = healthy
        self._watchdog_due_s = 0.0
        self._fields: dict[str, dict[str, Any]] = {}  # the journal's, of the last fault of each area
        self.faults = FaultLog()
        self.reason = "starting"
        self.since = time.time()
        """When the present state began, wall-clock seconds since 1970."""

    def state(self, state: State, epoch: int, reason: str, fault: str | None) -> None:
        """The lifecycle moved."""
        self.reason = reason
        self.since = time.time()
        fields = {"EPOCH": epoch, "STATE": state.value}
        passing = state in (State.CREATING, State.CONNECTING) and epoch > 1
        if state is State.STREAMING:
            passing = not self.faults.over(_SESSION, self._now())
        if fault is not None and state is State.WAITING:
            self._fault(_SESSION, fault, reason, fields)
        else:
            # Attempt after attempt says the same, and a room that throws out at once too; their end is what counts.
            LOG.log(logging.DEBUG if passing else logging.INFO, "%s: %s", state.value, reason, extra=fields)
        if state in (State.STREAMING, State.WAITING):
            self._notifier.ready()
        if state in (State.STOPPING, State.STOPPED):
            self._notifier.stopping()
        self._notifier.status(f"{state.value}: {reason}"[:_MAX_SHOWN_CHARS])
        self._news("state", {"state": state.value, "reason": reason, "epoch": epoch})

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
                LOG.info("the meeting ended for this device: %s", _shown(message))
            case _:
                LOG.debug("ignored an event this version does not know")

    def device(self, mail: DeviceChanged) -> None:
        """A sound device was opened or lost."""
        if mail.error is not None:
            self._fault(mail.device, key_of(mail.error), f"{mail.error}; looking for it again", {"DEVICE": mail.device})
            return
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

    def heartbeat(self) -> None:
        """Tells systemd's watchdog that all threads make progress, as often as it asks for; and what came to stay."""
        every_s = self._notifier.watchdog_every_s
        now = self._now()
        for fault in self.faults.lasting(now):
            LOG.warning("%s (it comes and goes; this time it lasts)", fault.what, extra=self._fields.get(fault.area))
        if every_s is not None and now >= self._watchdog_due_s and self._healthy():
            self._watchdog_due_s = now + max(0.0, every_s - 1.0)
            self._notifier.watchdog()

    def bug(self, message: str, error: BaseException) -> None:
        """Something happened that nobody expected."""
        if message not in self._bugs:  # its traceback once: an attempt may fail of the same one for weeks
            self._bugs.add(message)
            LOG.critical("%s; please report this", message, exc_info=error)

    def _fault(self, area: str, key: str, what: str, fields: dict[str, Any]) -> None:
        self._fields[area] = fields
        # Once per occurrence: a backend that is down for a week must not fill an SD card.
        news = self.faults.add(area, key, what, self._now(), time.time())
        LOG.log(logging.WARNING if news else logging.DEBUG, "%s", what, extra=fields)


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
