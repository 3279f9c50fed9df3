"""What people and programs ask of the supervisor: calls, hang-ups, renewals, the configuration anew."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Final

from ingestd.core.duty import Duty
from ingestd.core.ingest_session import DEFAULT_EXPIRES_IN_S, IngestSession, check_ws_url
from ingestd.core.lifecycle import ATTEMPTING, State
from ingestd.core.times import DEFAULT, Times
from ingestd.errors import IngestdError, NotNow
from ingestd.threads.call import Call
from ingestd.threads.mailbox import Asked, Mailbox, Request

MAX_WAITING: Final = 64
_ANSWER_WITHIN_S: Final = 10.0
_RECONNECTS: Final = 3
"""So many at once; then as often as `Times` say: a program that asks all the time must not hammer at the backend."""
_UNDER_WAY: Final = (*ATTEMPTING, State.OVERLAPPING)
_OUT_OF_THE_ROOM: Final = (State.STANDBY, State.WAITING, State.HANGING_UP)
_ON_THE_WAY_OUT: Final = (State.STOPPING, State.STOPPED)


class _Wanted:
    """One thing that somebody asks for."""

    def __init__(self, request: Request, ws_url: str | None, until_s: float) -> None:
        self.request = request
        self.ws_url = ws_url
        self.until_s = until_s
        self.answer = Future[str]()
        self.handed_s = 0.0
        self.done_s: float | None = None

    def tell(self, answer: str | IngestdError) -> None:
        """Any thread; the first answer counts."""
        with contextlib.suppress(InvalidStateError):
            if isinstance(answer, IngestdError):
                self.answer.set_exception(answer)
            else:
                self.answer.set_result(answer)


class Asking:
    """Has the supervisor do things, one after the other and for a share of its time, and waits for none of them.

    One thread, but for the answers, which come by the supervisor's.
    """

    def __init__(self, mailbox: Mailbox, now: Callable[[], float] = time.monotonic) -> None:
        """`now` is CLOCK_MONOTONIC, in seconds."""
        self._mailbox = mailbox
        self._now = now
        self._waiting: deque[_Wanted] = deque()
        self._handed: _Wanted | None = None  # over to the supervisor, which is not done with it
        self._duty = Duty()
        self._free_s = 0.0

    def ask(self, request: Request, ws_url: str | None = None) -> Future[str]:
        """Done once the supervisor has done it, with what came of it, in words; or with an IngestdError.

        NotNow where that takes too long, too many wait already, or ingestd is on its way out.
        """
        now = self._now()
        wanted = _Wanted(request, ws_url, now + _ANSWER_WITHIN_S)
        if len(self._waiting) >= MAX_WAITING:
            wanted.tell(NotNow(f"{MAX_WAITING} requests wait for the supervisor already; this one was not taken"))
        else:
            self._waiting.append(wanted)
            self.step(now)
        return wanted.answer

    def step(self, now: float) -> None:
        """Hands over what is due, and tells who has waited for too long. Some times a second while anybody waits."""
        if (handed := self._handed) is not None:
            if (done_s := handed.done_s) is not None:
                self._free_s = done_s + self._duty.pause_s(done_s, done_s - handed.handed_s)
                self._handed = None
            elif now >= handed.until_s:
                handed.tell(NotNow("the supervisor is busy; it may still do it, see the status"))
        if self._mailbox.is_shut:
            self._send_away()
        while self._waiting and now >= self._waiting[0].until_s:
            self._waiting.popleft().tell(NotNow("the supervisor is busy; this was not done, try again"))
        if self._waiting and self._handed is None and now >= self._free_s:
            self._hand_over(self._waiting.popleft())

    def _hand_over(self, wanted: _Wanted) -> None:
        def told(answer: str | IngestdError) -> None:
            wanted.done_s = self._now()
            wanted.tell(answer)

        self._handed = wanted
        wanted.handed_s = self._now()
        self._mailbox.post(Asked(wanted.request, told, wanted.ws_url))

    def _send_away(self) -> None:
        for wanted in (*self._waiting, *filter(None, [self._handed])):
            wanted.tell(NotNow("ingestd is on its way out"))
        self._waiting.clear()


class Desk:
    """Does what is asked for. The supervisor's thread."""

    def __init__(
        self,
        call: Call,
        reload: Callable[[], str],
        bug: Callable[[str, BaseException], None],
        times: Times = DEFAULT,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`reload` reads the configuration anew and tells what came of it; raises IngestdError. `bug` hears of ours."""
        self._call = call
        self._bug = bug
        self._reload = reload
        self._times = times
        self._now = now
        self._reconnected_s: deque[float] = deque(maxlen=_RECONNECTS)

    def serve(self, asked: Asked) -> None:
        """Does it, and answers."""
        try:
            asked.answer(self._serve(asked))
        except IngestdError as error:
            asked.answer(error)
        except Exception as error:  # noqa: BLE001 - a bug met by one request must not end the call
            self._bug(f"{asked.request.value} failed by {type(error).__name__}", error)
            asked.answer(NotNow(f"{type(error).__name__} in ingestd; see its journal"))

    def reload(self) -> None:
        """As asked for by a signal, which nobody waits to see answered: the log has it."""
        try:
            self._reload()
        except IngestdError:
            pass  # told
        except Exception as error:  # noqa: BLE001 - as above
            self._bug(f"a reload failed by {type(error).__name__}", error)

    def _serve(self, asked: Asked) -> str:
        call = self._call
        if call.state in _ON_THE_WAY_OUT:
            raise NotNow("ingestd is on its way out")
        match asked.request:
            case Request.CALL:
                return self._begin(asked.ws_url)
            case Request.HANG_UP:
                call.hang_up("hung up on request")
                return f"{call.state.value}; the device stays out of the room until a call is asked for"
            case Request.RECONNECT:
                return self._reconnect()
            case Request.RELOAD:
                return self._reload()

    def _begin(self, ws_url: str | None) -> str:
        call = self._call
        if ws_url is None:
            call.begin(None, "called")
            return call.state.value
        check_ws_url(ws_url)
        if call.state not in _OUT_OF_THE_ROOM:
            raise NotNow("the device is in a call already; hang up first")
        call.begin(IngestSession(ws_url, None, DEFAULT_EXPIRES_IN_S), "called, with a session that was brought along")
        return call.state.value

    def _reconnect(self) -> str:
        call = self._call
        if call.state is State.STANDBY:
            raise NotNow("no call is wanted now; ask for one by call")
        if not call.own and call.state is not State.WAITING:
            raise NotNow("this call's session was brought along, and can't be renewed; hang up, and call anew")
        now = self._now()
        span_s = _RECONNECTS * self._times.reconnect_every_s
        if len(self._reconnected_s) == _RECONNECTS and now < self._reconnected_s[0] + span_s:
            if call.state in _UNDER_WAY:
                return str(call.state.value)
            raise NotNow(f"{_RECONNECTS} sessions were asked for within {span_s:g} s; the backend is given some time")
        self._reconnected_s.append(now)
        call.renew("asked to reconnect")
        return str(call.state.value)
