"""What is run for what is heard, and what becomes of it: messages and states in, programs and replies out."""

from __future__ import annotations

import json
import selectors
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from ingestd.config import Config
from ingestd.config.schema import Hook
from ingestd.hooks.admission import Admitted, admit
from ingestd.hooks.handlers import fields_of, name_of, read_secret
from ingestd.hooks.memory import Memory
from ingestd.hooks.output import Reply, shown
from ingestd.hooks.pool import WAITING, Job, Pool
from ingestd.hooks.presence import News
from ingestd.hooks.refused import Refused
from ingestd.hooks.repeats import Repeats
from ingestd.hooks.replies import Failed
from ingestd.hooks.replyrate import BURST, EVERY_S, ReplyRate
from ingestd.hooks.run import Run
from ingestd.hooks.strays import Strays
from ingestd.system.journal import LOG

Publish = Callable[[str, str, Failed], None]
"""Publishes a text to a topic."""


class Handling:
    """One thread, that of `selector`. Times are CLOCK_MONOTONIC seconds."""

    def __init__(
        self,
        config: Config,
        memory: Memory,
        publish: Publish,
        selector: selectors.BaseSelector,
        strays: Strays | None = None,
    ) -> None:
        """`strays`: see `Pool`."""
        self._config = config
        self._memory = memory
        self._publish = publish
        self._pool = Pool(selector, self._printed, self._over, self._failed, strays)
        self._reply_rate = ReplyRate()
        self._repeats = Repeats()
        self._strangers = Repeats()  # of their own: they can't make that nothing else is told

    @property
    def running(self) -> int:
        """Programs that run now."""
        return len(self._pool)

    def configure(self, config: Config) -> None:
        """Other handlers; what runs goes on."""
        self._config = config
        if dropped := self._pool.keep(config.hooks):
            LOG.warning("%d runs waited for handlers that are there no more, and are forgotten", dropped)

    def step(self, now: float) -> None:
        """Starts and ends what is due."""
        self._pool.step(now)
        for text, more in (*self._repeats.over(now), *self._strangers.over(now)):
            LOG.warning("%s: so %d times more, and for a minute no more", text, more)

    def due_s(self) -> float | None:
        """When `step` is to be called, where nothing happens before."""
        dues = (self._pool.due_s(), self._repeats.due_s(), self._strangers.due_s())
        return min((due_s for due_s in dues if due_s is not None), default=None)

    def stop(self, now: float, grace_s: float) -> None:
        """Ends all that runs, by force after `grace_s`; `step` tells when it is over."""
        if dropped := self._pool.stop(now, grace_s):
            LOG.warning("stopping: %d runs waited, and are forgotten", dropped)

    def state(self, news: News) -> None:
        """Something happened to the device."""
        for hook in self._config.hooks:
            if hook.state == news["event"] and self._has_room(hook, 0):
                self._add(hook, news, None)

    def messages(self, messages: Sequence[dict[str, Any]]) -> None:
        """All that came together: noted on disk at once, and only then run."""
        wanted: list[tuple[Hook, dict[str, Any]]] = []
        planned: Counter[Hook] = Counter()
        for message in messages:
            try:
                wanted += self._taken(message, planned)
            except Exception as error:  # noqa: BLE001 (a stranger wrote it: it may cost no other message)
                line = f"a message is not run, as judging it failed ({type(error).__name__}); please report this"
                if self._repeats.is_news(time.monotonic(), line, type(error).__name__):
                    LOG.error("%s", line, exc_info=error)
        is_kept = self._memory.save() if wanted else True
        for hook, given in wanted:
            if is_kept or hook.max_age_s is not None:
                self._add(hook, given, given["sender_id"])
            else:
                self._say(hook, "not run, as nothing would tell after a restart that it was; see that disk", "unkept")

    def _taken(self, message: dict[str, Any], planned: Counter[Hook]) -> list[tuple[Hook, dict[str, Any]]]:
        """The handlers it is to run, and what each reads; noted, and counted in `planned`."""
        seen = self._memory.seen
        topic, message_id = str(message.get("topic")), message.get("id")
        if seen.has_id(topic, message_id):
            LOG.debug("a message on %s was taken before", shown(topic))
            return []
        taken = [(hook, one) for hook in self._hooks_of(topic) if (one := self._admitted(hook, message, planned))]
        for hook, one in taken:
            if one.signed is not None:
                seen.note_nonce(topic, str(hook.hmac_secret_file), one.signed)
            planned[hook] += 1
        if taken:
            seen.note_id(topic, message_id, taken[0][1].sent_s)
        return [(hook, one.message) for hook, one in taken]

    def _hooks_of(self, topic: str) -> list[Hook]:
        return [hook for hook in self._config.hooks if hook.topic == topic]

    def _admitted(self, hook: Hook, message: dict[str, Any], planned: Counter[Hook]) -> Admitted | None:
        try:
            admitted = admit(hook, message, time.time(), self._memory.seen, read_secret)
        except Refused as refused:
            sender = str(message.get("sender_id"))
            who = shown(f"{message.get('sender_name')} ({sender})", 128)
            line = f"{name_of(hook)}: refused a message of {who}: {refused}"
            if self._strangers.is_news(time.monotonic(), line, hook, refused.kind, shown(sender)):
                LOG.warning("%s", line, extra=fields_of(hook))
            return None
        return admitted if self._has_room(hook, planned[hook]) else None

    def _has_room(self, hook: Hook, planned: int) -> bool:
        room = self._pool.room(hook) > planned
        if not room:
            self._say(hook, f"{WAITING} runs wait already; what comes now is not run", "full")
        return room

    def _add(self, hook: Hook, given: dict[str, Any], sender: str | None) -> None:
        line = json.dumps(given, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
        self._pool.add(Job(hook, line, sender, self._config.messaging.max_bytes))

    # --- what becomes of it

    def _printed(self, hook: Hook, line: str) -> None:
        LOG.info("%s: %s", name_of(hook), line, extra=fields_of(hook))

    def _failed(self, hook: Hook, error: OSError) -> None:
        self._say(hook, f"can't be started: {error.strerror or error}; see that it is there and executable", "failed")

    def _over(self, run: Run) -> None:
        hook, status = run.hook, run.status
        if run.budget.dropped_bytes:
            self._say(hook, f"printed too much: {run.budget.dropped_bytes} bytes are not in this log", "long")
        if run.timed_out:
            self._say(hook, f"was ended, as it ran for longer than its timeout_s of {hook.timeout_s:g}", "timeout")
        elif status:
            ended = f"exit status {status}" if status > 0 else f"signal {_signal_name(-status)}"
            self._say(hook, f"ended with {ended}", "status", str(status))
        elif run.reply is not None and hook.topic is not None:
            self._reply(hook, hook.topic, run.reply)

    def _reply(self, hook: Hook, topic: str, reply: Reply) -> None:
        text = reply.text()
        if text is None:
            why = "is longer than messaging.max_bytes" if reply.too_long else "is not UTF-8"
            self._say(hook, f"its reply {why}, and is not published", "reply")
        elif text and not self._reply_rate.take(topic, time.monotonic()):
            often = f"{BURST} replies at once, and then one in {EVERY_S:g} s"
            self._say(
                hook, f"its reply is not published: a topic takes {often}; do two devices answer each other?", "often"
            )
        elif text:
            self._publish(topic, text, lambda why: self._say(hook, f"its reply was not published: {why}", "publish"))

    def _say(self, hook: Hook, text: str, *key: str) -> None:
        """A warning, once for all that are alike."""
        line = f"{name_of(hook)}: {text}"
        if self._repeats.is_news(time.monotonic(), line, hook, *key):
            LOG.warning("%s", line, extra=fields_of(hook))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
