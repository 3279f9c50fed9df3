"""Log lines that strangers can cause: each leaves a trace, but a flood of them does not fill the disk."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from ingestd.broker.allowance import Allowance

_AT_ONCE: Final = 10
_ONE_EACH_S: Final = 6.0


class SparingLog:
    """Ten lines at once and ten more a minute; of the others only their number is told. Any thread."""

    def __init__(self, log: logging.Logger, monotonic: Callable[[], float]) -> None:
        self._log = log
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._allowance = Allowance(_AT_ONCE, _ONE_EACH_S)
        self._left_out = 0

    def tell(self, level: int, text: str) -> None:
        """Logs `text`, or counts it; the next line that is logged tells that count."""
        with self._lock:
            if not self._allowance.take(self._monotonic()):
                self._left_out += 1
                return
            left_out, self._left_out = self._left_out, 0
        more = f"; {left_out} lines like this one were left out before it" if left_out else ""
        self._log.log(level, "%s%s", text, more)
