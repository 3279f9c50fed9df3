"""The composition root: makes every part, starts them in order, and stops them in reverse."""

from __future__ import annotations

import faulthandler
import random
import signal
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

from ingestd import status
from ingestd.audio.ports import Sink, Source
from ingestd.config import Config
from ingestd.config.pending import pending
from ingestd.config.secret import exposure
from ingestd.control.listener import Listener
from ingestd.control.methods import methods
from ingestd.control.server import ControlThread
from ingestd.control.sound_methods import sound_methods
from ingestd.core.backoff import Backoff
from ingestd.core.ducking import RoomVoice
from ingestd.core.ingest_session import request_body
from ingestd.core.playout import Playout
from ingestd.core.topics import TopicSet
from ingestd.net.backend import Backend, tls_of
from ingestd.net.dialer import Cancel, Dialer
from ingestd.net.network_watch import NetworkWatch
from ingestd.net.opener import ChannelOpener
from ingestd.reporter import Reporter
from ingestd.system.journal import LOG
from ingestd.system.notify import Notifier
from ingestd.threads.attempt import Attempt
from ingestd.threads.capture import CaptureThread, Microphone
from ingestd.threads.mailbox import Mailbox, Signalled
from ingestd.threads.receiver import ReceiverThread
from ingestd.threads.sender import SenderThread
from ingestd.threads.speaker import Speaker
from ingestd.threads.supervisor import Supervisor
from ingestd.threads.worker import Worker

_JOIN_S: Final = 1.5
_PROGRESS_WITHIN_S: Final = 5.0
_SWITCH_INTERVAL_S: Final = 0.0005
"""How long a busy thread may keep the others waiting; Python's own 5 ms is a quarter of a frame."""

EXIT_OK: Final = 0
EXIT_BUG: Final = 70  # EX_SOFTWARE, sysexits.h


class Daemon:
    """One device in one room. `run` returns the exit code."""

    def __init__(self, config: Config, source: Source, sink: Sink) -> None:
        """Raises BackendError where TLS files can't be loaded, StartError where the control socket can't be had."""
        tls = tls_of(config.backend)
        topics = TopicSet(config.messaging.subscribe)
        self._mailbox = Mailbox()
        audio = config.audio
        voice = RoomVoice() if audio.duplex == "half" else None
        playout = Playout(audio.playback.max_delay_ms)
        self._microphone = Microphone(audio.capture.gain_db)
        self._network = NetworkWatch()
        self._sender = SenderThread(self._microphone, self._mailbox)
        speaker = Speaker(sink, playout, self._mailbox, audio.playback.gain_db, voice)
        self._receiver = ReceiverThread(speaker, playout, self._mailbox)
        self._capture = CaptureThread(source, self._microphone, self._mailbox, voice)
        self._control = ControlThread(
            Listener(config.control.socket),
            {
                **methods(self.status, lambda: self._supervisor.link, topics, config.messaging.max_bytes),
                **sound_methods(self._microphone.gain, speaker.gain, self._microphone.mute),
            },
            self._mailbox,
        )
        self._reporter = Reporter(Notifier(), self._control.publish, self._healthy)
        self._supervisor = Supervisor(
            mailbox=self._mailbox,
            slots=(self._sender.link, self._receiver.link),
            held_since_s=lambda: self._sender.held_since_s,
            new_attempt=_attempts(config, tls, topics, self._mailbox),
            network=self._network,
            backoff=Backoff(random.random),
            random=random.random,
            reporter=self._reporter,
        )
        self._workers: tuple[Worker, ...] = (self._capture, self._receiver, self._sender, self._control)
        if warning := exposure(config.backend.token_file):
            LOG.warning("%s", warning)
        for key in pending(config):
            LOG.warning("%s is set, but this version does not act on it yet", key)

    def status(self) -> dict[str, Any]:
        """See `ingestd.status`. Any thread."""
        return status.snapshot(
            self._supervisor, self._reporter, self._microphone, self._sender, self._receiver, self._mailbox
        )

    def run(self) -> int:
        """Until SIGTERM or SIGINT; main thread."""
        sys.setswitchinterval(_SWITCH_INTERVAL_S)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal that goes away is no reason to leave the room
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        faulthandler.register(signal.SIGUSR1, all_threads=True)
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

    def _healthy(self) -> bool:
        oldest_s = time.monotonic() - _PROGRESS_WITHIN_S
        return all(worker.progress_s > oldest_s for worker in self._workers)

    def _stop_workers(self) -> list[str]:
        for worker in reversed(self._workers):
            worker.stop()
        deadline = time.monotonic() + _JOIN_S
        return [
            worker.name for worker in reversed(self._workers) if not worker.join(max(0.0, deadline - time.monotonic()))
        ]

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._mailbox.post(Signalled(number))


def _attempts(
    config: Config, tls: ssl.SSLContext, topics: TopicSet, mailbox: Mailbox
) -> Callable[[int], Attempt]:
    backend, session = config.backend, config.session
    proxy_url = backend.proxy.reveal() if backend.proxy else None
    sessions = Backend(backend.url, Path(backend.token_file), backend.auth_scheme, tls, proxy_url)
    opener = ChannelOpener(Dialer(tls, proxy_url), topics.all)
    who, agent = session.participant, session.agent
    body = request_body(
        room_id=session.room_id,
        participant={"id": who.id, "name": who.name, "metadata": who.metadata or None},
        agent={**agent.others, "id": agent.id, "metadata": agent.metadata or None} if agent else None,
        region=session.region,
    )

    def new_attempt(epoch: int) -> Attempt:
        return Attempt(mailbox, epoch, sessions, opener, body, Cancel)

    return new_attempt
