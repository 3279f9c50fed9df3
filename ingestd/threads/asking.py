"""What people and programs ask of the supervisor: calls, hang-ups, renewals, the configuration anew."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Final

from ingestd.core.ingest_session import DEFAULT_EXPIRES_IN_S, IngestSession, check_ws_url
from ingestd.core.lifecycle import State
from ingestd.errors import IngestdError, NotNow
from ingestd.threads.call import Call
from ingestd.threads.mailbox import Asked, Mailbox, Request

_ANSWER_WITHIN_S: Final = 10.0
_LOOK_EVERY_S: Final = 0.1
_OUT_OF_THE_ROOM: Final = (State.STANDBY, State.WAITING, State.HANGING_UP)
_ON_THE_WAY_OUT: Final = (State.STOPPING, State.STOPPED)


def ask(mailbox: Mailbox, request: Request, ws_url: str | None = None) -> str:
    """Has it done by the supervisor and returns what came of it, in words. Blocks for milliseconds.

    Any thread but the supervisor's. Raises IngestdError.
    """
    answers: queue.SimpleQueue[str | IngestdError] = queue.SimpleQueue()
    mailbox.post(Asked(request, answers.put, ws_url))
    deadline_s = time.monotonic() + _ANSWER_WITHIN_S
    while True:
        try:
            answer = answers.get(timeout=_LOOK_EVERY_S)
            break
        except queue.Empty:
            if mailbox.is_shut:
                raise NotNow("ingestd is on its way out") from None
            if time.monotonic() >= deadline_s:
                raise NotNow("the supervisor is busy; it may still do it, see the status") from None
    if isinstance(answer, IngestdError):
        raise answer
    return answer


class Desk:
    """Does what is asked for. The supervisor's thread."""

    def __init__(
        self, call: Call, reload: Callable[[], str], bug: Callable[[str, BaseException], None]
    ) -> None:
        """`reload` reads the configuration anew and tells what came of it; raises IngestdError. `bug` hears of ours."""
        self._call = call
        self._bug = bug
        self._reload = reload

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
        call.renew("asked to reconnect")
        return str(call.state.value)
