"""All checks, in order, each within its time. What hangs is named and left behind; nothing waits for it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from ingestd.core.check import Check, Verdict, failed, skipped, warning
from ingestd.doctor import clock, files, service, sound
from ingestd.doctor.network import BackendWay
from ingestd.doctor.session import OwnSession
from ingestd.doctor.situation import Situation

_FILES_S: Final = 10.0
_NETWORK_S: Final = 40.0
_SESSION_S: Final = 75.0
"""With a call: an attempt's 30 s, the way to the server, ten seconds of listening."""
_SOUND_S: Final = 60.0
_PROGRAMS_S: Final = 15.0


def all_checks(situation: Situation) -> Iterator[Check]:
    """One after the other, each as soon as it is known. The main thread, so that Ctrl-C ends it at once."""
    yield from within(_FILES_S, "configuration", lambda: files.configuration(situation))
    yield from within(_FILES_S, "token", lambda: files.token(situation))
    yield from within(_PROGRAMS_S, "clock", clock.clock)
    broken: str | None = None
    for check in _network(situation):
        yield check
        if check.verdict is Verdict.FAILED:
            broken = broken or check.name
    opening = not situation.daemon_may_run
    yield from within(_SOUND_S, "devices", lambda: sound.checks(situation, opening=opening))
    yield from _from_daemon(situation, broken)
    yield from within(_PROGRAMS_S, "service", lambda: service.units(situation))
    yield from within(_PROGRAMS_S, "control socket", lambda: service.control_socket(situation))
    yield from within(_FILES_S, "state directory", lambda: files.state(situation))
    yield from within(_PROGRAMS_S, "journal", lambda: service.journal(situation.unit))


def _network(situation: Situation) -> Iterator[Check]:
    config = situation.config
    if config is None:
        for name in ("DNS", "TCP", "TLS", "backend"):
            yield skipped(name, "no configuration says where the backend is")
        return
    way = BackendWay(config, situation.path)
    yield from within(_NETWORK_S, "way to the backend", way.checks)
    daemon, wishes, name = situation.daemon, situation.wishes, "backend"
    if way.broken is not None:
        yield skipped(name, f"not asked, as {way.broken} failed")
    elif daemon is not None and daemon.in_the_room:
        yield skipped(name, "the daemon is in the room, which proves it")
    elif daemon is None and situation.daemon_may_run:
        yield skipped(name, "not asked, as a daemon may be in the room, which does not answer (see the control socket)")
    elif not wishes.session and not wishes.call:
        yield skipped(name, "not asked, as --no-session has it")
    elif files.readable_token(config) is None:
        yield skipped(name, "not asked, as there is no token to ask with (see above)")
    else:
        call = wishes.call and not situation.daemon_may_run
        yield from within(_SESSION_S, name, lambda: OwnSession(config, situation.path).checks(call))


def _from_daemon(situation: Situation, broken: str | None) -> Iterator[Check]:
    """What the running daemon says of itself; where none runs, what can be said without it.

    `broken`: the check that found the backend out of reach, which is why the daemon has no session either.
    """
    daemon = situation.daemon
    if daemon is not None:
        for check in daemon.checks:
            same = broken is not None and check.name == "session" and check.verdict is Verdict.FAILED
            yield check._replace(verdict=Verdict.WARNING, remedy=f"see {broken} above") if same else check
        if not daemon.checks:
            yield warning("daemon", "it runs another version, which can't say how it is", "restart the service")
        if situation.wishes.tone:
            yield skipped("tone", "the daemon has the speaker", "stop the service first, or let somebody speak")
        if situation.wishes.call:
            yield skipped("call", "the daemon makes its own", "stop the service first, where this one is wanted")
        return
    if situation.daemon_may_run:
        yield skipped("devices", "a daemon may have them, which does not answer this user (see the control socket)")
        return
    yield from within(_FILES_S, "mute", lambda: files.mute(situation))
    if not situation.wishes.call:
        yield skipped("first room audio", "the daemon is stopped", "start it, or `ingestctl doctor --call`")


def within(
    seconds: float, name: str, look: Callable[[], Iterable[Check]], monotonic: Callable[[], float] = time.monotonic
) -> Iterator[Check]:
    """What `look` finds, from a thread of its own; a failure in its place where it takes too long or has a bug."""
    found: queue.SimpleQueue[Check | BaseException | None] = queue.SimpleQueue()

    def run() -> None:
        try:
            for check in look():
                found.put(check)
        except Exception as error:  # noqa: BLE001 - a bug in one check must not hide what the others find
            found.put(error)
        else:
            found.put(None)

    threading.Thread(target=run, name=f"doctor {name}", daemon=True).start()
    until_s = monotonic() + seconds
    while True:
        try:
            check = found.get(timeout=max(0.0, until_s - monotonic()))
        except queue.Empty:
            late = f"not done within {seconds:.0f} s: something hangs"
            yield failed(name, late, "see `dmesg`, the disks, and mounts over the network")
            return
        if check is None:
            return
        if isinstance(check, BaseException):
            yield failed(name, f"the check itself failed by {type(check).__name__}", "please report this")
            return
        yield check
