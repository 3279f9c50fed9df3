"""What must hold after every case: it streams, nothing is left behind, no secret is told, and nothing twice."""

from __future__ import annotations

import re
import time
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestd.core.wire import FRAME_S
from tests.integration.matrix.device import GUARD_S, Since, WatchedDevice
from tests.integration.matrix.site import Site
from tests.rig.process import wait_until
from tests.rig.resources import Resources

SETTLED_FRAMES = 15
"""What a connection sends before it is believed: 0.3 s, longer than it takes to prove good here."""
LEFT_S = 8.0
"""What is given up ends by itself at the latest after this: a name look-up that is never answered."""
_REF = re.compile(r"vs_[0-9a-f]{20}|ref=")


def wait_streaming(device: WatchedDevice, site: Site, after_epoch: int) -> dict[str, Any]:
    """Waits until a session after that epoch streams and the room hears it; its status."""

    def streaming() -> dict[str, Any] | None:
        status = device.status()
        session = status["session"]
        reached = status["state"] == "streaming" and session["epoch"] > after_epoch and session["joined"]
        return status if reached else None

    device.wait(streaming, f"streaming after epoch {after_epoch}")
    call = site.room.call(site.current_call)
    device.wait(lambda: site.room.call(call.call_id).received_frames >= call.received_frames + SETTLED_FRAMES, "audio")
    status: dict[str, Any] = device.wait(streaming, "streaming still")
    return status


def nothing_left_behind(device: WatchedDevice, site: Site, baseline: Resources) -> None:
    """No thread, no descriptor, and at the service no connection but the one that streams."""
    deadline_s = time.monotonic() + LEFT_S
    while (more := device.resources().more_than(baseline)) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert not more, f"left behind: {more}"
    current = site.current_call

    def alone() -> bool:
        open_now = site.room.state()["open_connections"]
        return [site.room.connection(index).call_id for index in open_now] == [current]

    device.wait(alone, "no connection but the present one", timeout_s=LEFT_S)


def said_stop(site: Site, connection: int) -> None:
    """The device said `stop` on that connection; the service may read it after the device's end."""
    wait_until(lambda: site.room.connection(connection).stopped_s is not None, GUARD_S, "`stop` at the service")


def no_secret_told(since: Since, device: WatchedDevice | None, site: Site, *more: str) -> None:
    """No token, no `ref`, and none of `more` in anything that left the process; None where it has ended."""
    secrets = [part for token in site.tokens for part in (token, token.rpartition(".")[2])]
    said = since.said + (device.command_line if device is not None else "")
    for secret in (*secrets, *more):
        assert secret not in said, "a secret was told"
    assert not (found := _REF.search(said)), f"a ref was told: {said[max(0, found.start() - 200) : found.end()]}"


def told_once(since: Since) -> None:
    """No line twice for whoever reads the journal, and no bug of ours in it."""
    for line in since.lines:
        assert line.level != "CRITICAL", line.text
        assert "Traceback" not in line.text, since.log
    twice = [text for text, count in Counter(since.warned).items() if count > 1]
    assert not twice, f"told more than once: {twice}"


def fault_in(status: dict[str, Any], says: str) -> dict[str, Any] | None:
    """The newest fault of a status of which that is said."""
    found = [fault for fault in status["faults"] if re.search(says, str(fault), re.IGNORECASE)]
    return max(found, key=lambda fault: str(fault["last"])) if found else None


def longest_gap_s(numbers: NDArray[np.int64], after: int) -> float:
    """The longest run of frames from number `after` on that are not among `numbers`, however late the others came."""
    heard = np.unique(numbers[numbers >= after])
    return float((np.diff(heard) - 1).max(initial=0)) * FRAME_S
