"""`scripts/bench fleet`: how a fleet comes back that has lost its backend, by the daemon's policy and by fixed timers.

And how it renews its sessions. One scenario is one way of losing it and one policy; the same seed gives the same fleet
to all of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingestd.core.times import DEFAULT
from tests.bench.fleet_policies import Fixed, Ours, Policy
from tests.bench.fleet_renewals import of_a_new_token, of_old_sessions
from tests.bench.fleet_service import RETRY_AFTER_S, Service, refusal
from tests.bench.fleet_simulation import NetworkReturn, Record, simulate

DEVICES: Final = 10_000
OUTAGE_S: Final = 300.0
SEED: Final = 1
_RTT_S: Final = (0.02, 0.2)
"""From a wire to a poor radio. Each device has its own, which spreads even what has no jitter."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One way of losing the backend, and one policy."""

    name: str
    """As it stands in the figures' names; the main one has none."""
    title: str
    """What becomes of requests while it is away, what is served in a second afterwards, and how the rest is refused."""
    fixed_s: float | None = None
    """A fixed timer instead of the daemon's policy."""
    outage_s: float = OUTAGE_S
    silent: bool = False
    """Requests time out while it is away; otherwise they are refused at once."""
    capacity_percent: float | None = 5.0
    """What is served in a second, of the fleet."""
    status: int = 503
    """How it refuses what is more."""
    network: bool = False
    """It is the site's network that was away; all devices see it come back at the same moment."""
    limiting: bool = False
    """It was not away, but refused everything."""
    retry_after_s: int = RETRY_AFTER_S
    """What a status of 429 asks for."""
    old: bool = False
    """Nobody is cut; sessions grow old while the backend is away, and devices stream on while they try."""
    token_s: float | None = None
    """Nobody is cut; all see a new token after so long."""


MAIN: Final = Scenario(name="", title="refused, 5 %/s")
OURS: Final = (
    MAIN,
    Scenario(name="silent", title="silent, 5 %/s", silent=True),
    Scenario(name="narrow", title="refused, 1 %/s, 503", capacity_percent=1.0),
    Scenario(name="narrow_429", title="refused, 1 %/s, 429", capacity_percent=1.0, status=429),
    Scenario(name="silent_narrow_429", title="silent, 1 %/s, 429", silent=True, capacity_percent=1.0, status=429),
    Scenario(name="unbounded", title="refused, all served", capacity_percent=None),
    Scenario(name="silent_unbounded", title="silent, all served", silent=True, capacity_percent=None),
    Scenario(name="old", title="old, refused, 5 %/s", old=True),
    Scenario(name="old_silent", title="old, silent, 5 %/s", old=True, silent=True),
    Scenario(name="token_away", title="token, refused, 5 %/s", token_s=150.0),
    Scenario(name="token", title="token, 5 %/s", outage_s=0.0, token_s=0.0),
    Scenario(name="told", title="told 60 s, 5 %/s", outage_s=1.0, limiting=True, status=429, retry_after_s=60),
)
"""Most of them after five minutes."""
AT_ONCE: Final = (
    Scenario(name="restart", title="cut only, 5 %/s", outage_s=0.0),
    Scenario(name="site", title="site, refused, 5 %/s", network=True),
    Scenario(name="site_silent", title="site, silent, 5 %/s", network=True, silent=True),
)
"""Where everybody has a reason to come back at the same moment."""
FIXED: Final = (
    Scenario(name="fixed_1s", title="fixed 1 s, refused, 5 %/s", fixed_s=1.0),
    Scenario(name="fixed_3s", title="fixed 3 s, refused, 5 %/s", fixed_s=3.0),
    Scenario(name="silent_fixed_1s", title="fixed 1 s, silent, 5 %/s", fixed_s=1.0, silent=True),
    Scenario(name="silent_fixed_3s", title="fixed 3 s, silent, 5 %/s", fixed_s=3.0, silent=True),
)


@dataclass(frozen=True)
class Result:
    """What came of a scenario."""

    scenario: Scenario
    devices: int
    record: Record

    @property
    def first_second_percent(self) -> float:
        """Requests in the second after the cut, of the fleet."""
        times_s = self.record.requests_s
        return 100.0 * float(np.count_nonzero((times_s >= 0.0) & (times_s < 1.0))) / self.devices

    @property
    def peak_percent_per_s(self) -> float:
        """Requests in the busiest second that begins after the backend's return, of the fleet."""
        return 100.0 * most_in_a_second(self._requests_after_s) / self.devices

    @property
    def half_back_s(self) -> float:
        """From the backend's return until half of the fleet streamed, or had the sessions they wanted."""
        return float(np.median(self._late_s))

    @property
    def all_back_s(self) -> float:
        """The same of the last device; where it wanted another session later than that, from then on."""
        return float(np.max(self._late_s))

    @property
    def refused_percent(self) -> float:
        """Requests after the backend's return that were one too many, of the fleet."""
        accepted = np.count_nonzero(self.record.accepted_s >= self.scenario.outage_s)
        return 100.0 * (len(self._requests_after_s) - accepted) / self.devices

    @property
    def _late_s(self) -> NDArray[np.float64]:
        """Of those that the outage kept, or could have kept, from a session."""
        back_s, record = self.scenario.outage_s, self.record
        late_s: NDArray[np.float64] = record.streaming_s - np.maximum(record.wanted_s, back_s)
        return late_s[record.streaming_s >= back_s]

    @property
    def _requests_after_s(self) -> NDArray[np.float64]:
        return self.record.requests_s[self.record.requests_s >= self.scenario.outage_s]


def most_in_a_second(times_s: NDArray[np.float64]) -> int:
    """How many of these times, which are in order, lie in the fullest second."""
    if not len(times_s):
        return 0
    return int(np.max(np.searchsorted(times_s, times_s + 1.0) - np.arange(len(times_s))))


def run(
    scenarios: Sequence[Scenario], devices: int, seed: int, done: Callable[[Result], None] = lambda _: None
) -> list[Result]:
    """Simulates one after the other, seconds each; `done` hears of each as it ends."""
    results = []
    for scenario in scenarios:
        result = run_scenario(scenario, devices, seed)
        done(result)
        results.append(result)
    return results


def run_scenario(scenario: Scenario, devices: int, seed: int) -> Result:
    """Simulates one scenario."""
    chance = random.Random(seed)
    rtts_s = [chance.uniform(*_RTT_S) for _ in range(devices)]
    percent = scenario.capacity_percent
    capacity = None if percent is None else max(1, round(devices * percent / 100.0))
    busy = refusal(scenario.status, scenario.retry_after_s)
    service = Service(scenario.outage_s, scenario.silent, capacity, busy, scenario.limiting)
    network = NetworkReturn(scenario.outage_s, chance.random, DEFAULT) if scenario.network else None
    policies = [_policy(scenario, chance) for _ in range(devices)]
    renewals_s = _renewals_s(scenario, devices, chance)
    return Result(scenario, devices, simulate(service, policies, rtts_s, network, renewals_s))


def _renewals_s(scenario: Scenario, devices: int, chance: random.Random) -> list[float] | None:
    if scenario.old:
        return of_old_sessions(devices, chance.random)
    return None if scenario.token_s is None else of_a_new_token(devices, chance.random, scenario.token_s)


def _policy(scenario: Scenario, chance: random.Random) -> Policy:
    return Ours(chance.random, DEFAULT) if scenario.fixed_s is None else Fixed(scenario.fixed_s)
