"""Is the other end still there? Judged by our own pings and by what comes in. Pure.

TCP can't tell: a peer whose kernel acknowledges while nobody reads looks healthy, and after a cut the next
retransmission may be many seconds away.
"""

from __future__ import annotations

from ingestd.core.times import DEFAULT, Times


class Liveness:
    """One connection's pulse. Times are CLOCK_MONOTONIC seconds; calls may come from sender and receiver.

    Each field has one writer: `ping` is the sender's, `inbound` and `pong` the receiver's.
    """

    def __init__(self, now: float, answers_pings: bool = False, times: Times = DEFAULT) -> None:
        """`answers_pings`: an earlier connection to the same service had its pings answered."""
        self._times = times
        self._answers_pings = answers_pings
        self.next_ping_s = now  # the first one at once: it tells whether the peer answers at all
        """No ping is due before. The sender's."""
        self._sent_s = 0.0
        self._sent = 0
        self._answered = 0
        self.last_inbound_s = now
        """When anything came in last, or the connection was opened. Any thread."""
        self.heard = False
        """Anything has come in at all. Any thread reads it."""
        self.rtt_ms: float | None = None
        """Of the last answered ping."""
        self.min_rtt_ms: float | None = None

    def ping(self, now: float) -> bytes | None:
        """The payload of a ping to send now, or None. One is under way at a time. Sender."""
        if now < self.next_ping_s or self._sent != self._answered:
            return None
        self._sent_s = now  # before `_sent`: a verdict between the two must not see the new ping with the old time
        self._sent += 1
        self.next_ping_s = now + self._times.ping_every_s
        return b"%d" % self._sent

    def pong(self, payload: bytes, now: float) -> None:
        """A pong came in. Unsolicited and repeated ones are ignored. Receiver."""
        if payload == b"%d" % self._sent and self._answered != self._sent:
            self.rtt_ms = (now - self._sent_s) * 1000.0
            self.min_rtt_ms = self.rtt_ms if self.min_rtt_ms is None else min(self.rtt_ms, self.min_rtt_ms)
            self._answered = self._sent

    def inbound(self, now: float) -> None:
        """Anything at all came in. Receiver."""
        self.last_inbound_s = now
        self.heard = True

    def verdict(self, now: float) -> str | None:
        """Why this connection counts as dead, or None. Any thread."""
        # A server that never answered a ping may not know how; there only its own traffic counts.
        waiting = self._sent != self._answered and (self._answered > 0 or self._answers_pings)
        if waiting and now - self._sent_s > self._times.pong_within_s:
            return f"no answer to a ping for {now - self._sent_s:.0f} s"
        if now - self.last_inbound_s > self._times.silent_for_s:
            return f"nothing received for {now - self.last_inbound_s:.0f} s, not even a ping"
        return None
