"""One device that lives through case after case, as it would in the field; a fresh one where a case has broken it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingestd.core.wire import FRAME_SAMPLES
from tests.integration.matrix.device import News, Since, WatchedDevice
from tests.integration.matrix.judging import (
    fault_in,
    longest_gap_s,
    no_secret_told,
    nothing_left_behind,
    said_stop,
    told_once,
    wait_streaming,
)
from tests.integration.matrix.site import QUICK, Site
from tests.integration.matrix.table import Cell
from tests.rig.memory_ports import frame_numbers
from tests.rig.resources import Resources
from tests.standin.client import SocketFault

END_S = 10.0
"""For a device that is ended as its cases are over. What it may take is held in test_fault_matrix_stopping."""
_CUT_CODE = 3000
"""Ends a connection so that the next one meets what was prepared for it; no cause of the table's."""


@dataclass
class Case:
    """A device that streams, and is about to be struck."""

    site: Site
    device: WatchedDevice
    cell: Cell
    since: Since
    epoch: int
    """Of the connection that streams."""
    call: str
    requests: int
    """Session requests so far."""
    calls: int
    """Sessions made so far."""
    began_s: float
    """CLOCK_MONOTONIC."""

    def strike(self) -> None:
        """Lets the cause strike at the cell's moment of a fresh session, or of the present one where it streams."""
        self.cell.strike.do(self.site)
        if self.cell.moment != "streaming":
            self.cut()

    def cut(self) -> None:
        """Ends the present connection."""
        assert self.site.room.inject(SocketFault("close", code=_CUT_CODE), call=self.call)

    def wait_named(self, state: str = "waiting") -> News:
        """Waits until the cause was named as the reason of that state."""

        def named() -> News | None:
            news = [each for each in self.since.news if each.state == state and self.is_named_in(each.reason)]
            return news[-1] if news else None

        found: News = self.device.wait(named, f"“{self.cell.says}” as the reason of {state}")
        return found

    def is_named_in(self, text: str) -> bool:
        """Whether this is about the cell's cause."""
        return self.cell.is_named_in(text)

    def wait_streaming(self) -> dict[str, Any]:
        """Waits for the next session to stream; the status."""
        return wait_streaming(self.device, self.site, self.epoch)

    def longest_gap_s(self) -> float:
        """The longest stretch of the microphone's sound since the strike that came to the room in no session.

        By the numbers of the frames: when they came also tells of a service that was late.
        """
        since = [self.call, *(call.call_id for call in self.site.room.calls(self.calls))]
        kept = [self.site.room.received(call) for call in since]
        times_s = np.concatenate([each.times_s for each in kept])
        numbers = frame_numbers(np.concatenate([each.samples for each in kept]).reshape(-1, FRAME_SAMPLES))
        return longest_gap_s(numbers, numbers[times_s <= self.began_s].max())

    def latest_s(self) -> float:
        """How late a frame left at the latest, by the device's own clock; it drops what is too late to be sent."""
        return float(self.device.status()["uplink"]["latency_ms"]["max"]) / 1000

    def requested_s(self) -> list[float]:
        """When each session request came since the strike, CLOCK_MONOTONIC."""
        return [request.at_s for request in self.site.room.session_requests(self.requests)]

    def fault(self, *, over: bool = False) -> dict[str, Any]:
        """The fault in the status that is about the cause, once it is there, and is over or is not.

        The state and its news come a moment before what they do to the faults.
        """

        def shown() -> dict[str, Any] | None:
            found = fault_in(self.device.status(), self.cell.says)
            return found if found is not None and found["over"] is over else None

        found: dict[str, Any] = self.device.wait(shown, f"“{self.cell.says}” in the status, over: {over}")
        return found


@contextlib.contextmanager
def a_life(_lane: str, directory: Path, times: Mapping[str, Any] = QUICK) -> Iterator[Life]:
    """A life with a site of its own; judged at its end."""
    with Site(directory) as site:
        life = Life(site, times)
        yield life
        life.end()


class Life:
    """The device, and the service around it."""

    def __init__(self, site: Site, times: Mapping[str, Any]) -> None:
        self.site = site
        self._times = times
        self._device: WatchedDevice | None = None
        self._baseline: Resources | None = None

    @contextlib.contextmanager
    def case(self, cell: Cell) -> Iterator[Case]:
        """A case from streaming to streaming; on its way out it is judged."""
        if cell.strike.needs_names and self.site.no_names:
            pytest.skip(self.site.no_names)
        device = self._streaming()
        try:
            self.site.turn()
            status = device.status()
            seen = self.site.room.state()
            since = Since(device)
            yield Case(
                site=self.site,
                device=device,
                cell=cell,
                since=since,
                epoch=status["session"]["epoch"],
                call=self.site.current_call,
                requests=seen["requests"],
                calls=seen["calls"],
                began_s=time.monotonic(),
            )
            self.site.mend()
            self._judge(device, since)
        except BaseException:
            self._discard()
            raise

    def _judge(self, device: WatchedDevice, since: Since) -> None:
        assert self._baseline is not None
        nothing_left_behind(device, self.site, self._baseline)
        no_secret_told(since, device, self.site)
        told_once(since)

    def _streaming(self) -> WatchedDevice:
        if self._device is None:
            self.site.mend()
            self.site.write_token(self.site.another_token())
            self._device = self.site.device(self._times)
            wait_streaming(self._device, self.site, 0)
            # The first session loads what every later one uses: what a process holds is known from the second on.
            self.site.turn()
            self.site.room.inject(SocketFault("close", code=_CUT_CODE), call=self.site.current_call)
            wait_streaming(self._device, self.site, 1)
            time.sleep(0.1)
            self._baseline = self._device.resources()
        return self._device

    def _discard(self) -> None:
        if self._device is not None:
            self._device.kill()
            self._device = None
        self.site.mend()
        self.site.empty_doors()

    def end(self) -> None:
        """Ends the device as a service manager does, and judges that."""
        if self._device is None:
            return
        device, self._device = self._device, None
        since = Since(device)
        try:
            wait_streaming(device, self.site, 0)  # it may have waited for a while for its end
            call = self.site.current_call
        except AssertionError as error:
            device.kill()
            raise AssertionError(f"{error}:\n{since.log}") from error
        status, took_s = device.terminate(END_S)
        assert status == 0, f"exit status {status} after {took_s:.1f} s:\n{since.log}"
        said_stop(self.site, self.site.room.call(call).connections[-1])
