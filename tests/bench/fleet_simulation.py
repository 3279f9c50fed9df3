"""A fleet in virtual time: all stream, all are cut at 0 s or renew, and each tries until it has a new session."""

from __future__ import annotations

import heapq
import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingestd.core.times import Times
from ingestd.errors import ChannelClosed
from tests.bench.fleet_policies import Policy
from tests.bench.fleet_service import Service

_CUT: Final = ChannelClosed("the connection was reset")


@dataclass(frozen=True)
class Record:
    """What happened, in seconds from the cut on, or from when the backend went away."""

    requests_s: NDArray[np.float64]
    """When each request was made, in order."""
    accepted_s: NDArray[np.float64]
    """Those that were served."""
    streaming_s: NDArray[np.float64]
    """When each device streamed again, or by its new session."""
    wanted_s: NDArray[np.float64]
    """Since when each device wanted that: the cut, or when a renewal was due."""


@dataclass(frozen=True)
class NetworkReturn:
    """All devices see their network come back at the same moment, and hurry as `ingestd.threads.call` does."""

    at_s: float
    random: Callable[[], float]
    times: Times


def simulate(
    service: Service,
    policies: Sequence[Policy],
    rtts_s: Sequence[float],
    network: NetworkReturn | None = None,
    renewals_s: Sequence[float] | None = None,
) -> Record:
    """Runs until all devices stream; each has a policy of its own and its own way to the service.

    Where `renewals_s` says when each device wants another session, none is cut: it streams by the one it has meanwhile.
    So its policy is new once: that session has lasted, and proved good, long before.
    """
    firsts_s = [policy.wait_s(_CUT, 0.0) for policy in policies] if renewals_s is None else renewals_s
    fleet = _Fleet(service, policies, rtts_s, firsts_s)
    if network is not None:
        fleet.run(until_s=network.at_s)
        fleet.hurry(network)
    fleet.run(until_s=math.inf)
    wanted_s = np.zeros(len(policies)) if renewals_s is None else np.array(renewals_s)
    return Record(np.array(fleet.requests_s), np.array(service.accepted_s), np.array(fleet.streaming_s), wanted_s)


class _Fleet:
    """Each device either waits or tries, until `_due_s`; a device that has its session has nothing due."""

    def __init__(
        self, service: Service, policies: Sequence[Policy], rtts_s: Sequence[float], firsts_s: Sequence[float]
    ) -> None:
        self._service = service
        self._policies = policies
        self._rtts_s = rtts_s
        count = len(policies)
        self._due_s = list(firsts_s)
        self._trying = [False] * count
        self._began_s = [0.0] * count
        self._failure: list[Exception | None] = [None] * count
        # What is in the heap at another time than `_due_s` has been brought forward, and is passed over.
        self._heap = [(due_s, device) for device, due_s in enumerate(self._due_s)]
        heapq.heapify(self._heap)
        self.requests_s = array("d")
        self.streaming_s = [math.nan] * count

    def run(self, until_s: float) -> None:
        """All that happens before `until_s`."""
        heap, due_s = self._heap, self._due_s
        while heap and heap[0][0] < until_s:
            at_s, device = heap[0]
            if at_s != due_s[device]:
                heapq.heappop(heap)
                continue
            next_s = due_s[device] = self._next_s(at_s, device)
            if next_s == math.inf:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, (next_s, device))

    def hurry(self, network: NetworkReturn) -> None:
        """Waits end soon, and attempts that are no longer young begin anew as soon."""
        now_s = network.at_s
        for device, due_s in enumerate(self._due_s):
            if due_s == math.inf:
                continue
            if self._trying[device]:
                if now_s - self._began_s[device] <= network.times.old_attempt_s:
                    continue
                self._trying[device] = False
            sooner_s = now_s + network.random() * network.times.network_jitter_s
            if sooner_s < due_s:
                self._due_s[device] = sooner_s
                heapq.heappush(self._heap, (sooner_s, device))

    def _next_s(self, at_s: float, device: int) -> float:
        """Does what is due of a device; when the next thing is."""
        if not self._trying[device]:
            self.requests_s.append(at_s)
            took_s, self._failure[device] = self._service.ask(at_s, self._rtts_s[device])
            self._trying[device], self._began_s[device] = True, at_s
            return at_s + took_s
        self._trying[device] = False
        failure = self._failure[device]
        if failure is None:
            self.streaming_s[device] = at_s
            return math.inf
        return at_s + self._policies[device].wait_s(failure, at_s - self._began_s[device])
