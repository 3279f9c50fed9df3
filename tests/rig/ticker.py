"""A process that does nothing but wake every 20 ms: what this machine lets the simplest of programs keep.

A figure about time says little by itself on a machine that others use too; beside this one it does.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from tests.rig.process import spawn

_PERIOD_S: Final = 0.020
_REPO: Final = Path(__file__).resolve().parents[2]


class Ticker:
    """That process: `with Ticker() as ticker: …`, and afterwards its gaps."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.rig.ticker"]
        self._process = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_REPO)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        out, _ = self._process.communicate(timeout=10)
        self._woken_s = np.array(json.loads(out))

    def gaps_ms(self, from_s: float, until_s: float) -> NDArray[np.float64]:
        """Between its wake-ups in that time (CLOCK_MONOTONIC); only once it has ended."""
        within = (self._woken_s >= from_s) & (self._woken_s <= until_s)
        return np.diff(self._woken_s[within]) * 1000


def main() -> None:
    """The process itself: ticks until its standard input ends, then prints when it woke."""
    woken_s = [time.monotonic()]
    due_s = woken_s[0]
    while not select.select([sys.stdin], [], [], 0)[0]:
        due_s = max(due_s + _PERIOD_S, woken_s[-1])
        time.sleep(max(0.0, due_s - time.monotonic()))
        woken_s.append(time.monotonic())
    print(json.dumps(woken_s))


if __name__ == "__main__":
    main()
