"""A cable that carries only so much, both ways: a real queue that fills and overflows, by the kernel's token bucket."""

from __future__ import annotations

import shutil
import subprocess
from typing import Final

from tests.rig import netns
from tests.rig.netns import Namespace

_BURST_BYTES: Final = 3000
_QUEUE_MS: Final = 400
"""What waits in the modem; more is dropped."""


class NarrowNamespace(Namespace):
    """`netns.Namespace`, at `kbit_per_s`."""

    def __init__(self, kbit_per_s: int) -> None:
        super().__init__()
        self._kbit_per_s = kbit_per_s

    def _make(self) -> None:
        super()._make()
        self.throttle(self._kbit_per_s)

    def throttle(self, kbit_per_s: int) -> None:
        """Carries so much from now on, with all that IP and TCP add."""
        shape = ["tbf", "rate", f"{kbit_per_s}kbit", "burst", str(_BURST_BYTES), "latency", f"{_QUEUE_MS}ms"]
        _tc(["tc", "qdisc", "replace", "dev", self.far_end, "root", *shape])
        _tc(self.command(["tc", "qdisc", "replace", "dev", "eth0", "root", *shape]))


def why_not() -> str | None:
    """Why no such cable can be had here; None where one can."""
    if reason := netns.why_not():
        return reason
    if not shutil.which("tc"):
        return "a narrow cable needs tc, of iproute2"
    try:
        with NarrowNamespace(1000):
            return None
    except RuntimeError as error:
        return f"no token bucket in this kernel: {error}"


def _tc(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
