"""The configuration read anew while the daemon runs: validated first, then applied part by part. Supervisor thread."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ingestd.config.reload import Change, Reloader
from ingestd.config.watch import FileWatch
from ingestd.core.catalog import fields_of
from ingestd.core.lifecycle import State
from ingestd.core.remedies_for_parts import NOT_KEPT
from ingestd.core.topics import TopicSet
from ingestd.errors import ConfigError, IngestdError
from ingestd.planning import where
from ingestd.reporter import Reporter
from ingestd.system.journal import LOG
from ingestd.system.notify import Notifier
from ingestd.threads.call import Call
from ingestd.threads.callplan import CallPlan
from ingestd.threads.vigil import Vigil

if TYPE_CHECKING:
    from ingestd.config.schema import Config

_TOLD_AGAIN_S: Final = 60.0


class Reloading:
    """Takes over what has changed since the daemon was built."""

    def __init__(
        self,
        reloader: Reloader | None,
        notifier: Notifier,
        reporter: Reporter,
        call: Call,
        vigil: Vigil,
        new_plan: Callable[[Change], CallPlan],
        topics: TopicSet,
        gains: Mapping[str, Callable[[float], None]],
        config: Config,
        path: Path,
        faults: Sequence[str] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`gains`: what sets each, by its configuration key. Without a `reloader` there is nothing to read anew.

        `faults`: what is wrong with the files, where the daemon runs on the last good configuration.
        """
        self.faults = tuple(faults)
        """Until they are mended. Any thread."""
        reporter.last_good = bool(faults)
        self.config = config
        """What the daemon runs on now. Any thread."""
        self._now = now
        self._told: tuple[str, ...] = ()  # the faults that the log had last, and when
        self._told_s = -math.inf
        self._reloader = reloader
        self._notifier = notifier
        self._reporter = reporter
        self._call = call
        self._vigil = vigil
        self._new_plan = new_plan
        self._topics = topics
        self._gains = gains
        self._path = path

    def reload(self) -> str:
        """Reads, validates and applies; what came of it, in words. Raises IngestdError, with nothing changed."""
        self._notifier.reloading()
        try:
            return self._reload()
        except IngestdError as error:
            self._tell(error.faults if isinstance(error, ConfigError) else [str(error)])
            raise
        finally:
            self._notifier.reloaded()

    def _tell(self, faults: Sequence[str]) -> None:
        now = self._now()
        if tuple(faults) == self._told and now < self._told_s + _TOLD_AGAIN_S:
            return  # a program asks again and again
        self._told, self._told_s = tuple(faults), now
        for fault in faults:
            LOG.error("%s", fault)
        LOG.error("the configuration was read anew and can't be used: nothing has changed")
        if self._reloader is not None:  # else there is nothing that could be mended
            self._reporter.reload_refused(faults)

    def _reload(self) -> str:
        if self._reloader is None:
            raise ConfigError([f"{self._path}: this daemon was not started from a file that could be read anew"])
        change = self._reloader.load()
        plan = self._new_plan(change)  # before anything changes: its files may be missing
        words = self._apply(change, plan)
        self._reloader.applied(change)
        # Written by a thread of its own: a busy SD card may take seconds, and this one has a watchdog to feed.
        self.faults = ()
        self._told = ()
        self._reporter.reloaded()
        try:
            threading.Thread(target=self._keep, args=(self._reloader, change), name="keep", daemon=True).start()
        except RuntimeError as error:
            LOG.warning("the last good configuration is not kept: %s", error)
        LOG.info("%s", words)
        return words

    @staticmethod
    def _keep(reloader: Reloader, change: Change) -> None:
        if warning := reloader.kept(change):
            LOG.warning("%s", warning, extra=fields_of(NOT_KEPT[0]))

    def _apply(self, change: Change, plan: CallPlan) -> str:
        config = self.config = change.config
        LOG.setLevel(config.log.level.upper())
        for key, set_gain in self._gains.items():
            if key in change.live:
                side = config.audio.capture if "capture" in key else config.audio.playback
                set_gain(side.gain_db)
        self._topics.follow(config.messaging.subscribe)  # the control thread tells the room
        limits = config.session
        self._vigil.limits.change(limits.max_age_s, limits.max_call_s, limits.hangup_when_alone_s)
        self._vigil.own_id = config.session.participant.id
        if "backend.token_file" in change.renewed:
            self._vigil.token = FileWatch(Path(config.backend.token_file))
        self._reporter.where = where(config, self._path)
        self._call.follow(plan)
        # A wait may be for a file that the configuration only names.
        if change.session or self._call.state is State.WAITING:
            self._call.renew("the configuration was read anew")
        return _words(change)


def _words(change: Change) -> str:
    """For a person: what changed, and what does not yet."""
    parts = []
    if change.renewed or change.live:
        parts.append("taken over: " + ", ".join((*change.renewed, *change.live)))
    if change.restart:
        parts.append("to be taken over by a restart of the service: " + ", ".join(change.restart))
    return "the configuration was read anew; " + ("; ".join(parts) or "nothing in it has changed")
