"""The composition root: makes every part, starts them in order, and stops them in reverse."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from ingestd import status
from ingestd.audio.ports import Sink, Source
from ingestd.config.reload import Reloader
from ingestd.config.secret import exposure
from ingestd.config.watch import FileWatch
from ingestd.control.call_methods import call_methods
from ingestd.control.doctor_methods import doctor_methods
from ingestd.control.listener import Listener
from ingestd.control.methods import methods
from ingestd.control.server import ControlThread
from ingestd.control.sound_methods import sound_methods
from ingestd.control.subscriptions import Subscriptions
from ingestd.core.calllimits import CallLimits
from ingestd.core.ducking import RoomVoice
from ingestd.core.outbox import Outbox
from ingestd.core.playout import Playout
from ingestd.core.retry import Retry
from ingestd.core.times import DEFAULT, Times
from ingestd.core.topics import TopicSet
from ingestd.core.waits import Waits
from ingestd.health import progress
from ingestd.net.network_watch import NetworkWatch
from ingestd.planning import call_plan, checked_call_plan, where
from ingestd.reloading import Reloading
from ingestd.reporter import Reporter
from ingestd.system.journal import LOG
from ingestd.system.notify import Notifier
from ingestd.system.sound_state import SoundState
from ingestd.threads.asking import Asking, Desk
from ingestd.threads.call import Call
from ingestd.threads.capture import CaptureThread, Microphone
from ingestd.threads.connections import Connections
from ingestd.threads.mailbox import Mailbox, Signalled
from ingestd.threads.receiver import ReceiverThread
from ingestd.threads.sender import SenderThread
from ingestd.threads.speaker import Speaker
from ingestd.threads.supervisor import Supervisor
from ingestd.threads.vigil import Senses, Vigil
from ingestd.threads.worker import Worker

if TYPE_CHECKING:
    from ingestd.config.schema import Config

_JOIN_S: Final = 1.5
_SWITCH_INTERVAL_S: Final = 0.0005
"""How long a busy thread may keep the others waiting; Python's own 5 ms is a quarter of a frame."""

EXIT_OK: Final = 0
EXIT_BUG: Final = 70  # EX_SOFTWARE, sysexits.h


class Daemon:
    """One device in one room. `run` returns the exit code."""

    def __init__(
        self,
        config: Config,
        source: Source,
        sink: Sink,
        *,
        path: Path = Path("the configuration"),
        reloader: Reloader | None = None,
        mended_by: Sequence[str] = (),
        state: Sequence[Path | None] = (),
        times: Times = DEFAULT,
    ) -> None:
        """Raises StartError where the control socket can't be had.

        `path` is the configuration's, for advice; `reloader` reads it anew. `mended_by`: what is wrong with it, where
        this is the last good one. `state`: the folders of what outlives the process, and the boot. `times` are
        shortened by tests.
        """
        topics = self._topics = TopicSet(config.messaging.subscribe)
        self._mailbox = Mailbox()
        plan = call_plan(config, topics.all, self._mailbox, times)
        audio = config.audio
        voice = RoomVoice() if audio.duplex == "half" else None
        playout = Playout(audio.playback.max_delay_ms)
        self._microphone = Microphone(audio.capture.gain_db)
        self._network = NetworkWatch()
        self._outbox = Outbox()
        self._sender = SenderThread(self._microphone, self._mailbox, self._outbox)
        speaker = Speaker(sink, playout, self._mailbox, audio.playback.gain_db, voice)
        self._receiver = ReceiverThread(speaker, playout, self._mailbox)
        self._capture = CaptureThread(source, self._microphone, self._mailbox, voice)
        self._connections = Connections(self._sender.link, self._receiver.link, times.goodbye_s, time.monotonic)
        gains = {"capture_db": self._microphone.gain, "playback_db": speaker.gain}
        self._sound = SoundState(state, gains, self._microphone.mute, self._configured_gains)
        self._asking = Asking(self._mailbox)
        self._control = ControlThread(
            Listener(config.control.socket),
            {
                **methods(
                    self.status,
                    self._outbox,
                    topics,
                    lambda: self._reloading.config.messaging.max_bytes,
                    times.message_waits_s,
                ),
                **sound_methods(self._sound),
                **call_methods(self._asking.ask),
                **doctor_methods(self.status),
            },
            self._mailbox,
            Subscriptions(topics, self._connections.all),
            chore=self._look_after_those_who_wait,
        )
        self._workers: tuple[Worker, ...] = (self._capture, self._receiver, self._sender, self._control)
        if (listen := config.metrics.listen) is not None:
            self._workers = (*self._workers, self._metrics(listen.host, listen.port))
        health = progress(self._workers, self._microphone, self._sender, speaker, lambda: self._connections.carrying)
        notifier = Notifier()
        self._reporter = Reporter(notifier, self._control.publish, health.stuck, where(config, path))
        self._call = Call(
            self._connections,
            plan,
            Waits(Retry(random.random, times), random.random, times),
            times,
            time.monotonic,
            self._reporter.state,
        )
        session = config.session
        self._vigil = Vigil(
            self._connections,
            self._reporter,
            CallLimits(session.max_age_s, session.max_call_s, session.hangup_when_alone_s, random.random),
            Senses(
                held_since_s=lambda: self._sender.held_since_s,
                media_s=lambda: self._receiver.media_s,
                heard_s=lambda: self._receiver.heard_s,
            ),
            FileWatch(Path(config.backend.token_file)),
            session.participant.id,
            times,
        )
        self._reloading = Reloading(
            reloader,
            notifier,
            self._reporter,
            self._call,
            self._vigil,
            lambda change: checked_call_plan(change.config, topics.all, self._mailbox, times),
            topics,
            {f"audio.{side.removesuffix('_db')}.gain_db": partial(self._sound.configure, side) for side in gains},
            config,
            path,
            mended_by,
        )
        self._supervisor = Supervisor(
            mailbox=self._mailbox,
            call=self._call,
            vigil=self._vigil,
            desk=Desk(self._call, self._reload, self._reporter.bug, times),
            network=self._network,
            reporter=self._reporter,
            times=times,
        )
        if warning := self._sound.restore():
            LOG.warning("%s", warning)
        if warning := exposure(config.backend.token_file):
            LOG.warning("%s", warning)

    def status(self) -> dict[str, Any]:
        """See `ingestd.status`. Any thread."""
        return status.snapshot(
            self._call,
            self._reporter,
            self._microphone,
            self._sender,
            self._receiver,
            self._mailbox,
            self._outbox,
            self._topics.all(),
            self._reloading.faults,
            self._control.figures,
        )

    def _metrics(self, host: str, port: int) -> Worker:
        # Imported here: 0.3 MiB that most devices do without.
        from ingestd.config.token_expiry import TokenExpiry
        from ingestd.metrics.library import load
        from ingestd.metrics.server import MetricsThread

        expiry = TokenExpiry(lambda: self._reloading.config.backend.token_file)
        return MetricsThread(host, port, lambda: load(self.status, expiry), self._mailbox)

    def _look_after_those_who_wait(self, now: float) -> None:
        self._outbox.expire(now)
        self._asking.step(now)

    def _reload(self) -> str:
        try:
            return self._reloading.reload()
        finally:
            self._control.wake()  # there may be other topics

    def _configured_gains(self) -> dict[str, float]:
        audio = self._reloading.config.audio
        return {"capture_db": audio.capture.gain_db, "playback_db": audio.playback.gain_db}

    def run(self) -> int:
        """Until SIGTERM or SIGINT; main thread."""
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        # A terminal that goes away is no reason to leave the room, but to read the configuration anew.
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGUSR1, self._tell_stacks)
        faulthandler.enable(all_threads=True)  # the watchdog ends what hangs by SIGABRT: the journal then has where
        try:
            for worker in self._workers:
                worker.start()
            clean = self._supervisor.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, the threads are stopped and the exit code says so
            self._reporter.bug(f"the supervisor failed by {type(error).__name__}", error)
            clean = False
        alive = self._stop_workers()
        self._network.close()
        if alive:
            LOG.critical("threads that did not end: %s; their stacks follow", ", ".join(alive))
            faulthandler.dump_traceback(all_threads=True)
            return EXIT_BUG
        return EXIT_OK if clean else EXIT_BUG

    def _stop_workers(self) -> list[str]:
        for worker in reversed(self._workers):
            worker.stop()
        deadline = time.monotonic() + _JOIN_S
        return [
            worker.name for worker in reversed(self._workers) if not worker.join(max(0.0, deadline - time.monotonic()))
        ]

    def _tell_stacks(self, _number: int, _frame: FrameType | None) -> None:
        # Here, with the interpreter's lock: faulthandler's own handler reads the stacks of threads that run on, and
        # Python 3.13 has crashed over them. Into memory, as a log that stands still would keep the lock.
        with contextlib.suppress(OSError), os.fdopen(os.memfd_create("stacks"), "w+b") as stacks:
            faulthandler.dump_traceback(stacks, all_threads=True)
            stacks.seek(0)
            os.write(2, stacks.read())

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._mailbox.post(Signalled(number))
