"""How much of the time a thread may be at work: a share of it, and a little at once. Pure."""

from __future__ import annotations

from typing import Final

_SHARE: Final = 0.2
_AT_ONCE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 0.25


class Duty:
    """Keeps a thread that others flood with work from crowding out everything else. One thread's own.

    It may work for `share` of the time. What it did not use is kept, up to `at_once_s`, so that a few requests are
    answered without any pause.
    """

    def __init__(
        self, share: float = _SHARE, at_once_s: float = _AT_ONCE_S, longest_pause_s: float = _LONGEST_PAUSE_S
    ) -> None:
        """`longest_pause_s`: what a single long piece of work would owe beyond that is forgiven."""
        self._share = share
        self._at_once_s = at_once_s
        self._longest_pause_s = longest_pause_s
        self._left_s = at_once_s
        self._seen_s: float | None = None

    def pause_s(self, now: float, worked_s: float) -> float:
        """How long to rest, at `now` (CLOCK_MONOTONIC seconds) and after `worked_s` more of work; mostly 0."""
        since_s = 0.0 if self._seen_s is None else now - self._seen_s
        self._seen_s = now
        left_s = min(self._at_once_s, self._left_s + since_s * self._share) - worked_s
        self._left_s = max(left_s, -self._longest_pause_s * self._share)
        return max(0.0, -self._left_s / self._share)
