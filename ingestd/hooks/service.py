"""The hooks' one thread: hears what ingestd says, decides what is run, and looks after what runs."""

from __future__ import annotations

import random
import selectors
import signal
import socket
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final

from ingestd.config import Config
from ingestd.config.lastgood import LastGood
from ingestd.config.load import read_config
from ingestd.control.protocol import RpcError
from ingestd.errors import ConfigError
from ingestd.hooks import handlers
from ingestd.hooks.batch import Batch
from ingestd.hooks.handling import Handling
from ingestd.hooks.link import Link
from ingestd.hooks.memory import Memory
from ingestd.hooks.presence import News, Presence
from ingestd.hooks.replies import Replies
from ingestd.hooks.strays import Strays
from ingestd.system import journal
from ingestd.system.journal import LOG
from ingestd.system.notify import Notifier

_STOP_GRACE_S: Final = 0.8
"""What programs get to end by themselves when the service stops."""
_STOP_S: Final = 1.5
_WATCHDOG_AGAIN_S: Final = 1.0
_MAX_SHOWN_CHARS: Final = 200


class Service:
    """`run` until SIGTERM or SIGINT; SIGHUP reads the configuration anew. Main thread, of a process of its own."""

    def __init__(
        self, path: Path, config: Config, last_good: LastGood, state_directory: Path | None, faults: Sequence[str] = ()
    ) -> None:
        """`config` is what was read at `path`, or where that has `faults` the last good one."""
        self._path = path
        self._config = config
        self._last_good = last_good
        self._runs_on = "; on the last good configuration" if faults else ""
        self._refused = ""
        self._selector = selectors.DefaultSelector()
        self._link = Link(config.control.socket, self._selector, self, random.random, time.monotonic)
        publish = Replies(self._link.request).publish
        self._handling = Handling(config, Memory(state_directory), publish, self._selector, Strays())
        self._presence = Presence()
        self._notifier = Notifier()
        self._watchdog_s = 0.0
        self._batch = Batch()
        self._away = False
        self._stopping = False  # these two are set by signals
        self._reload = False
        self._woken, self._wake = socket.socketpair()

    def run(self) -> int:
        """Returns the exit status."""
        for end in (self._woken, self._wake):
            end.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._drain)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        self._warn()
        self._notifier.ready()
        while not self._stopping:
            self._reload_if_asked()
            self._step()
            self._wait()
        self._stop()
        return 0

    # --- the loop

    def _step(self) -> None:
        now = time.monotonic()
        self._link.step(now)
        if messages := self._batch.take(now):
            self._handling.messages(messages)
        self._handling.step(time.monotonic())
        self._notifier.status(self._status())
        self._notifier.repeat()
        journal.repeat()
        every_s = self._notifier.watchdog_every_s
        if every_s is not None and now >= self._watchdog_s:
            self._watchdog_s = now + (every_s if self._notifier.watchdog() else _WATCHDOG_AGAIN_S)

    def _wait(self) -> None:
        dues = [self._link.due_s, self._batch.due_s(), self._handling.due_s()]
        if self._notifier.watchdog_every_s is not None:
            dues.append(self._watchdog_s)
        due_s = min((one for one in dues if one is not None), default=None)
        # Ready to the millisecond is soon enough; a little late, so that what is due then is due.
        timeout_s = None if due_s is None else max(0.0, due_s - time.monotonic()) + 0.001
        for key, _ in self._selector.select(timeout_s):
            key.data()

    def _status(self) -> str:
        count = len(self._config.hooks)
        heard = "waiting for ingestd" if self._away else "listening"
        return f"{heard}; {count} handler{'s' * (count != 1)}{self._runs_on}{self._refused}"

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload = True
        else:
            self._stopping = True

    def _drain(self) -> None:
        while True:
            try:
                if not self._woken.recv(4096):
                    return
            except BlockingIOError:
                return

    def _stop(self) -> None:
        self._notifier.stopping()
        self._link.close()  # nothing more is to begin
        now = time.monotonic()
        self._handling.stop(now, _STOP_GRACE_S)
        until_s = now + _STOP_S
        while self._handling.running and time.monotonic() < until_s:
            self._handling.step(time.monotonic())
            for key, _ in self._selector.select(0.02):
                key.data()
        self._selector.close()

    # --- the configuration

    def _reload_if_asked(self) -> None:
        if not self._reload:
            return
        self._reload = False  # before the files are read: they may change again meanwhile
        self._notifier.reloading()
        try:
            valid = read_config(self._path)
        except ConfigError as error:
            LOG.error("%s has faults; the handlers stay as they are. Mend it and reload again:", self._path)
            for fault in error.faults:
                LOG.error("%s", fault)
            self._refused = f"; the last reload was refused: {error.faults[0][:_MAX_SHOWN_CHARS]}"
        else:
            self._runs_on = self._refused = ""
            self._apply(valid.config)
            if warning := self._last_good.keep(valid.tree):
                LOG.warning("%s", warning)
        self._notifier.reloaded()

    def _apply(self, config: Config) -> None:
        before, self._config = self._config, config
        LOG.setLevel(config.log.level.upper())
        self._handling.configure(config)
        self._link.move(config.control.socket)
        old, new = handlers.topics_of(before.hooks), handlers.topics_of(config.hooks)
        for topic in set(old) - set(new):
            self._link.request("unsubscribe", {"topic": topic}, lambda _result, _error: None)
        self._subscribe([topic for topic in new if topic not in old])
        LOG.info("the configuration was read anew: %d handlers", len(config.hooks))
        self._warn()

    def _warn(self) -> None:
        for warning in handlers.warnings(self._config):
            LOG.warning("%s", warning)

    # --- the connection (`link.Listener`)

    def connected(self) -> None:
        """See `link.Listener`."""
        self._link.request("status", {}, self._told_status)
        self._subscribe(handlers.topics_of(self._config.hooks))

    def _subscribe(self, topics: list[str]) -> None:
        for topic in topics:
            self._link.request("subscribe", {"topic": topic}, partial(self._subscribed, topic))

    def _subscribed(self, topic: str, _result: Any, error: RpcError | None) -> None:
        if error is not None and self._link.is_up:
            LOG.warning("topic %s is not heard: %s", topic, error, extra={"TOPIC": topic})

    def _told_status(self, status: Any, error: RpcError | None) -> None:
        if error is not None or not isinstance(status, dict):
            return
        if self._away:
            LOG.info("ingestd answers on %s", self._link.path)
        self._away = False
        self._state(self._presence.status(status))

    def notified(self, method: str, params: dict[str, Any]) -> None:
        """See `link.Listener`."""
        if method == "message":
            self._batch.add(params)
        elif method == "state":
            self._state(self._presence.notified(params))

    def unreachable(self, why: str, absent: bool) -> None:
        """See `link.Listener`."""
        if not self._away:
            LOG.warning(
                "no answer on %s: %s; is ingestd running (systemctl status ingestd), and is this user in its group? "
                "It is looked for until it answers",
                self._link.path,
                why,
            )
        self._away = True
        if absent:
            self._state(self._presence.daemon_gone())

    def _state(self, news: News | None) -> None:
        if news is not None:
            self._handling.state(news)
