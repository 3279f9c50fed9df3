"""Which session a line of the log belongs to, as fields of the journal: EPOCH and CALL_ID. Pure; one thread's own."""

from __future__ import annotations

from typing import Final

from ingestd.core.lifecycle import ATTEMPTING, IN_THE_ROOM, State

Fields = dict[str, str | int]

_WITH_A_CALL: Final = IN_THE_ROOM | {State.REPLACING, State.HANGING_UP, State.STOPPING}


class CallFields:
    """Remembers the session that carries the call, and the one that is to."""

    def __init__(self) -> None:
        self._ids: dict[int, str] = {}
        self._carrying = 0
        self._state = State.IDLE

    def session(self, epoch: int, call_id: str) -> None:
        """The attempt of `epoch` has a session, which the service calls `call_id`."""
        self._ids = {known: its for known, its in self._ids.items() if known == self._carrying}
        self._ids[epoch] = call_id

    def state(self, state: State, epoch: int, failed: bool) -> Fields:
        """Of a line on the lifecycle's move to `state`, `epoch` being the latest attempt's.

        The end of a call is a line of the session that carried it, though a renewal may have been tried since.
        """
        before, self._state = self._state, state
        if state is State.STREAMING and not failed:
            self._carrying = epoch
        ended = before in _WITH_A_CALL and state not in IN_THE_ROOM and (failed or state not in ATTEMPTING)
        return self._of(self._carrying if ended else epoch)

    def now(self) -> Fields:
        """Of a line on what happens during the call; none outside of it."""
        return self._of(self._carrying) if self._state in IN_THE_ROOM else {}

    def _of(self, epoch: int) -> Fields:
        call_id = self._ids.get(epoch)
        return {"EPOCH": epoch} if call_id is None else {"EPOCH": epoch, "CALL_ID": call_id}
