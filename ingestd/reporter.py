"""Who hears of what happens: the log, systemd, local programs and the status. Supervisor thread."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from ingestd.core import wire
from ingestd.core.lifecycle import State
from ingestd.system.journal import LOG
from ingestd.system.notify import Notifier
from ingestd.threads.mailbox import DeviceChanged

_KEPT_FAULTS: Final = 16
_MAX_LOGGED_CHARS: Final = 200

News = Callable[[str, dict[str, Any]], None]


@dataclass(slots=True)
class Fault:
    """Something that went wrong: `last` is wall-clock seconds since 1970, `count` how often in a row."""

    what: str
    last: float
    count: int = 1


class Reporter:
    """See `threads.supervisor.Reporter`. `news` takes what goes to local programs."""

    def __init__(self, notifier: Notifier, news: News) -> None:
        self._notifier = notifier
        self._news = news
        self._watchdog_due_s = 0.0
        self.faults: deque[Fault] = deque(maxlen=_KEPT_FAULTS)
        self.reason = "starting"
        self.since = time.time()
        """When the present state began, wall-clock seconds since 1970."""

    def state(self, state: State, epoch: int, reason: str) -> None:
        """The lifecycle moved."""
        self.reason = reason
        self.since = time.time()
        fields = {"EPOCH": epoch, "STATE": state.value}
        if state is State.WAITING:
            self._fault(reason, fields)
        else:
            LOG.info("%s: %s", state.value, reason, extra=fields)
        if state in (State.STREAMING, State.WAITING):
            self._notifier.ready()
        if state in (State.STOPPING, State.STOPPED):
            self._notifier.stopping()
        self._notifier.status(f"{state.value}: {reason}"[:_MAX_LOGGED_CHARS])
        self._news("state", {"state": state.value, "reason": reason, "epoch": epoch})

    def room_event(self, event: wire.Event) -> None:
        """Something other than audio came in. Its texts are a stranger's: shown shortened and printable."""
        match event:
            case wire.Message():
                LOG.debug("message on %s of %d characters", _shown(event.topic), len(event.text))
                self._news("message", asdict(event))
            case wire.ParticipantJoined(participant):
                LOG.info("participant joined: %s", _shown(participant.name or participant.id))
                self._news("participant", {"joined": True, **asdict(participant)})
            case wire.ParticipantLeft(participant):
                LOG.info("participant left: %s", _shown(participant.name or participant.id))
                self._news("participant", {"joined": False, **asdict(participant)})
            case wire.MeetingJoined(room_id):
                LOG.info("joined room %s", _shown(room_id))
            case wire.MeetingLeft(message):
                LOG.info("the meeting ended for this device: %s", _shown(message))
            case _:
                LOG.debug("ignored an event this version does not know")

    def device(self, mail: DeviceChanged) -> None:
        """A sound device was opened or lost."""
        if mail.error is None:
            LOG.info("%s device %r is open", mail.device, mail.name)
        else:
            self._fault(f"{mail.error}; looking for it again", {"DEVICE": mail.device})

    def heartbeat(self) -> None:
        """The supervisor is alive: tells systemd's watchdog as often as it asks for."""
        every_s = self._notifier.watchdog_every_s
        now = time.monotonic()
        if every_s is not None and now >= self._watchdog_due_s:
            self._watchdog_due_s = now + min(every_s, every_s - 1.0 if every_s > 2.0 else 0.0)
            self._notifier.watchdog()

    def fatal(self, message: str, error: BaseException) -> None:
        """The daemon ends because of a bug."""
        LOG.critical("%s; please report this", message, exc_info=error)

    def _fault(self, what: str, fields: dict[str, Any]) -> None:
        known = self.faults[-1] if self.faults and self.faults[-1].what == what else None
        if known is None:
            self.faults.append(Fault(what, time.time()))
        else:
            known.last = time.time()
            known.count += 1
        # Once per occurrence: a backend that is down for a week must not fill an SD card.
        level = logging.WARNING if known is None else logging.DEBUG
        LOG.log(level, "%s", what, extra=fields)


def _shown(text: str | None) -> str:
    if text is None:
        return "(unnamed)"
    return "".join(char if char.isprintable() else "?" for char in text[:_MAX_LOGGED_CHARS])
