"""The call: the lifecycle with what its actions do to attempts, connections and the one timer. Supervisor thread."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from ingestd.core.ingest_session import IngestSession
from ingestd.core.lifecycle import ATTEMPTING, IN_THE_ROOM, Action, Happening, IllegalTransition, Lifecycle, State
from ingestd.core.retry import Cause, by_network, cause_of
from ingestd.core.times import Times
from ingestd.core.waits import Waits
from ingestd.errors import ChannelClosed, ChannelError, MeetingEnded
from ingestd.net.ports import Link
from ingestd.threads.attempt import Attempt
from ingestd.threads.callplan import CallPlan
from ingestd.threads.connections import Connections

_NONE: Final[Exception] = ChannelError("nothing has failed")
_AGAIN: Final = "trying the renewal again"
_BEGUN_ANEW_AT_MOST: Final = 3
"""Interfaces may chatter for ever: after so many in a row an attempt gets all its time."""

StateNews = Callable[[State, int, str, Exception | None], None]


class Call:
    """Where the device stands, and how it gets on. What other threads may read says so."""

    def __init__(
        self,
        connections: Connections,
        plan: CallPlan,
        waits: Waits,
        times: Times,
        now: Callable[[], float],
        tell: StateNews,
    ) -> None:
        """`tell` hears of each new state: with the epoch, the reason, and the error that made it, if any."""
        self.connections = connections
        self.plan = plan
        self.waits = waits
        self._times = times
        self._now = now
        self._tell = tell
        self._lifecycle = Lifecycle()
        self._attempt: Attempt | None = None
        self._given: IngestSession | None = None  # for the next attempt, by whoever asked for the call
        self._arriving: Link | None = None
        self._error = _NONE  # what the last attempt or link ended by
        self._network_came_s = -math.inf
        self.timer_s: float | None = None
        """When `on_timer` is due (CLOCK_MONOTONIC). Any thread may read it."""
        self._attempt_began_s = self._took_s = 0.0
        self._begun_anew = 0
        self._renew_because = _AGAIN
        self._hung_up_because = ""
        self.since_s: float | None = None
        """When the call was connected first: it lasts over faults and renewals until it is ended (CLOCK_MONOTONIC)."""
        self.own = True
        """The session came from our backend: it can be renewed."""
        self.epoch = 0  # of the last attempt; any thread may read it

    @property
    def state(self) -> State:
        """Any thread."""
        return self._lifecycle.state

    @property
    def next_attempt_in_s(self) -> float | None:
        """Seconds until the next attempt, where one is waited for. Any thread."""
        if self.state is not State.WAITING or (timer_s := self.timer_s) is None:
            return None
        return max(0.0, timer_s - self._now())

    def on(self, happening: Happening, reason: str, error: Exception | None = None) -> None:
        """Something happened. Raises IllegalTransition."""
        before = self.state
        for action in self._lifecycle.on(happening):
            self._do(action)
        if before is State.HANGING_UP and self.state is State.STANDBY:
            reason = self._hung_up_because  # how its connection ended then is no news
        ended = self.state is State.WAITING and cause_of(self._error) is Cause.ENDED
        if ended or self.state in (State.STANDBY, State.HANGING_UP):
            self.since_s = None
        if self.state is State.STOPPED:
            self.connections.close()
        if self.state is not before:
            self._tell(self.state, self.epoch, reason, error)

    # --- what comes of attempts and links -------------------------------------------------------------------------

    def connected(self, link: Link) -> None:
        """The attempt has come to this."""
        self._arriving = link
        self.on(Happening.CONNECTED, "connected")

    def attempt_failed(self, error: Exception) -> None:
        """The attempt is over."""
        given_up = not self.own and self.plan.demand  # its session was for this one attempt
        self._over(Happening.ENDED if given_up else Happening.FAILED, error)

    def link_ended(self, epoch: int, error: Exception) -> None:
        """A link is over; where nobody minds, that was it."""
        if _is(self.connections.second, epoch):
            self._over(Happening.FAILED, error)
        elif _is(self.connections.carrying, epoch):
            self._carrying_ended(error)
        self.connections.ended(epoch)

    def _carrying_ended(self, error: Exception) -> None:
        if self.state is State.OVERLAPPING:
            # As like as not the second made the service end the first: no fault.
            self.on(Happening.CLOSED, f"the new session has taken over, as the one before ended: {error}")
        elif self.state not in IN_THE_ROOM:
            self.on(Happening.CLOSED, str(error))  # it was to end anyhow
        elif (
            self.plan.demand
            and (not self.own or cause_of(error) is Cause.ENDED)
            and self.state is not State.RENEWING_CONNECTING  # where the second may have made it end, too
        ):
            self._over(Happening.ENDED, error)
        else:
            self._over(Happening.CLOSED, error)

    def give_up_link(self, reason: str) -> None:
        """The link that carries the call counts as dead."""
        if (link := self.connections.carrying) is not None:
            link.abort()
            self.link_ended(link.epoch, ChannelClosed(f"{reason}; taking a fresh session"))

    def meeting_left(self, epoch: int) -> None:
        """The room is over for that link; whichever thread leaves it last says `stop`."""
        for link in self.connections.all():
            if link.epoch == epoch:
                link.hang_up()
                self.link_ended(epoch, MeetingEnded("the meeting ended for this device"))

    def finish(self, reason: str) -> None:
        """The call has lasted long enough: on demand until another is asked for, else the device goes back."""
        if self.plan.demand:
            self.hang_up(reason)
            return
        for link in self.connections.all():
            link.hang_up()
        self._over(Happening.LIMIT, MeetingEnded(reason))

    def judge(self) -> None:
        """About once a second: a connection that has lasted proves that all is well again."""
        if self.connections.has_lasted(self._times.good_after_s):
            self.waits.good()

    def on_timer(self) -> None:
        """`timer_s` has come."""
        self.timer_s = None
        match self.state:
            case State.STREAMING:
                self.renew(self._renew_because)
                self._renew_because = _AGAIN
            case state if state in ATTEMPTING:
                limit_s = self._times.attempt_s
                reason = f"no session came to be within {limit_s:.0f} s; check the network, DNS and backend.url"
                self._over(Happening.TIMER, ChannelError(reason))
            case State.OVERLAPPING if self.connections.second_answers:
                self.on(Happening.TIMER, "the new session has taken over, without word that it joined the room")
            case State.OVERLAPPING:
                self._over(Happening.FAILED, ChannelError("nothing came in on the new session's connection"))
            case _:
                self.on(Happening.TIMER, "trying again")

    # --- what is asked for ------------------------------------------------------------------------------------------

    def renew(self, reason: str) -> None:
        """Another session, beside the present one where there is one; a wait is over.

        A call by a session that somebody else created goes on as it is.
        """
        if self.own or self.state is State.WAITING:
            self.on(Happening.REPLACE if self.plan.break_first else Happening.RENEW, reason)

    def renew_later(self, reason: str) -> None:
        """As `renew`, but soon instead of now where all is well: many devices may have that reason."""
        wanting = self.timer_s is not None and cause_of(self._error) is Cause.PERSON
        if self.state is State.STREAMING and self.own and not wanting:
            self.timer_s = self.waits.later_s(self._now(), self.timer_s)
            self._renew_because = reason
        else:
            self.renew(reason)

    def begin(self, session: IngestSession | None, reason: str) -> None:
        """The device is to be in the room; by `session` where somebody else created one."""
        if session is not None:
            self._given = session
        self.on(Happening.CALL, reason)

    def hang_up(self, reason: str) -> None:
        """The device is to be out of the room until a call is asked for."""
        self._given = None
        self._hung_up_because = reason
        self.on(Happening.HANG_UP, reason)

    def follow(self, plan: CallPlan) -> None:
        """The configuration was read anew."""
        wanted = self.plan.demand and not plan.demand
        self.plan = plan
        if wanted:
            self.on(Happening.CALL, "session.start is auto now")

    def network_back(self, reason: str) -> None:
        """Something that may have been in the way is not so any more: a wait ends soon, an old attempt begins anew."""
        now = self._now()
        if self.state in ATTEMPTING:
            self._network_came_s = now
        match self.state:
            case State.WAITING:
                self.on(Happening.NETWORK_BACK, reason)
            case State.CREATING | State.CONNECTING if self.own and self._begun_anew < _BEGUN_ANEW_AT_MOST:
                old = now - self._attempt_began_s > self._times.old_attempt_s
                if old and self.waits.may_end(now):
                    self._begun_anew += 1
                    self.on(Happening.NETWORK_BACK, reason)

    @property
    def failed_by_network(self) -> bool:
        """The last failure was not a server's answer."""
        return by_network(self._error)

    # --- what is done -----------------------------------------------------------------------------------------------

    def _over(self, happening: Happening, error: Exception) -> None:
        self._error = error
        self._took_s = self._now() - self._attempt_began_s if self.state in ATTEMPTING else 0.0
        self.on(happening, str(error), error)
        # An attempt may have begun with the link, and failed before address and route came.
        if self.state is State.WAITING and self._network_came_s > self._attempt_began_s and self.failed_by_network:
            self._network_came_s = -math.inf
            self.on(Happening.NETWORK_BACK, "the network came back meanwhile")

    def _do(self, action: Action) -> None:
        connections, now = self.connections, self._now()
        match action:
            case Action.ATTEMPT:
                self._begin_attempt(now)
            case Action.ABANDON:
                if self._attempt is not None:
                    self._attempt.stop()
            case Action.ADOPT:
                connections.adopt(self._arrived())
                self._forget_troubles()
                if self.since_s is None:
                    self.since_s = now
            case Action.ACCOMPANY:
                connections.accompany(self._arrived(), self._attempt_began_s)
                self.timer_s = now + self._times.overlap_s
            case Action.SWITCH:
                connections.switch()
                self._forget_troubles()
            case Action.DROP_SECOND:
                connections.drop_second()
            case Action.HANG_UP:
                if connections.carrying is not None:
                    connections.carrying.hang_up()
                self.timer_s = now + self._times.goodbye_s
            case Action.RELEASE:
                self.judge()
                connections.release()
            case Action.WAIT | Action.RENEW_LATER:
                self.timer_s = self.waits.until_s(now, self._error, self._took_s)
                self._begun_anew = 0
            case Action.HURRY:
                self.timer_s = self.waits.sooner_s(now, self.timer_s)
            case Action.CANCEL_TIMER:
                self.timer_s = None

    def _forget_troubles(self) -> None:
        """What led here is past; what it would be wrong to go by later."""
        self._begun_anew = 0
        self._renew_because = _AGAIN
        self._error = _NONE

    def _begin_attempt(self, now: float) -> None:
        self.epoch += 1
        session, self._given = self._given, None
        self.own = session is None
        self._attempt = self.plan.new_attempt(self.epoch, session)
        self._attempt.start()
        self._attempt_began_s = now
        self.timer_s = now + self._times.attempt_s

    def _arrived(self) -> Link:
        link, self._arriving = self._arriving, None
        if link is None:
            raise IllegalTransition("no connection has arrived")
        return link


def _is(link: Link | None, epoch: int) -> bool:
    return link is not None and link.epoch == epoch
