"""The simulated fleet loses no device, exceeds no capacity, and does what arithmetic says where there is no chance."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from array import array
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ingestd.core.retry import Retry
from ingestd.core.times import DEFAULT, Times
from ingestd.core.waits import Waits
from ingestd.errors import BackendError, BackendFault, ChannelClosed
from ingestd.threads.mailbox import AttemptFailed
from tests.bench import fleet
from tests.bench.fleet import AT_ONCE, FIXED, MAIN, OURS, Result, Scenario, most_in_a_second, run_scenario
from tests.bench.fleet_figures import add_figures
from tests.bench.fleet_policies import Fixed, Ours, Policy
from tests.bench.fleet_renewals import (
    CONNECTED_FROM_S,
    CONNECTED_WITHIN_S,
    MAX_AGE_S,
    of_a_new_token,
    of_old_sessions,
)
from tests.bench.fleet_service import RETRY_AFTER_S, UNREACHABLE, Service, refusal
from tests.bench.fleet_simulation import NetworkReturn, Record, simulate
from tests.rig.figures import Figures
from tests.unit.supervisor_case import START_S, Case

ROOT = Path(__file__).parents[2]
DEVICES = 400
ALL = [*OURS, *AT_ONCE, *FIXED]


class Counting:
    """A policy that counts how often it is asked."""

    def __init__(self, policy: Policy) -> None:
        self.asked = 0
        self._policy = policy

    def wait_s(self, error: Exception, took_s: float) -> float:
        self.asked += 1
        return self._policy.wait_s(error, took_s)


class Forgetful:
    """The daemon's policy, were its waits to begin anew each time."""

    def __init__(self, random: Callable[[], float], times: Times) -> None:
        self._random = random
        self._times = times

    def wait_s(self, error: Exception, took_s: float) -> float:
        return Ours(self._random, self._times).wait_s(error, took_s)


def lockstep(wait_s: float, rtt_s: float, service: Service, devices: int = 50) -> Record:
    return simulate(service, [Fixed(wait_s)] * devices, [rtt_s] * devices)


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name or "main")
def test_every_device_streams_at_the_end_once(scenario: Scenario) -> None:
    record = run_scenario(scenario, DEVICES, seed=5).record
    assert len(record.streaming_s) == len(record.accepted_s) == DEVICES
    assert np.all(record.streaming_s > record.wanted_s)
    assert np.all((record.streaming_s > scenario.outage_s) | (record.wanted_s < 0.0))
    assert np.all(np.diff(record.requests_s) >= 0.0)


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name or "main")
def test_never_more_is_served_than_the_capacity(scenario: Scenario) -> None:
    record = run_scenario(scenario, DEVICES, seed=5).record
    assert not np.any((record.accepted_s >= 0.0) & (record.accepted_s < scenario.outage_s))
    if scenario.capacity_percent is not None:
        assert most_in_a_second(record.accepted_s) <= DEVICES * scenario.capacity_percent / 100.0


def test_a_device_that_streams_asks_again_when_the_real_call_does() -> None:
    case = Case(max_age_s=MAX_AGE_S)
    case.call.waits = Waits(Retry(random.Random(3).random), lambda: 1.0, DEFAULT)
    link = case.streaming()
    began_s, fails_s = array("d"), math.inf
    while len(began_s) < 12:
        case.after(min(case.supervisor.due_s(), fails_s) - case.now)
        case.hear(link)
        if case.now >= fails_s:
            fails_s = math.inf
            case.post(AttemptFailed(case.call.epoch, UNREACHABLE))
        elif len(case.attempts) > 1 + len(began_s):
            began_s.append(case.now)
            fails_s = case.now + 0.1
    assert case.link is link
    away = Service(3600.0, False, None, refusal(503))
    model = simulate(away, [Ours(random.Random(3).random, DEFAULT)], [0.1], renewals_s=[0.0])
    assert began_s[0] == START_S + MAX_AGE_S
    assert np.allclose(np.array(began_s) - began_s[0], model.requests_s[:12])


def test_waits_that_begin_anew_while_the_first_session_streams_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = next(scenario for scenario in OURS if scenario.old)
    monkeypatch.setattr(fleet, "Ours", Forgetful)
    assert run_scenario(scenario, DEVICES, seed=1).peak_percent_per_s > 50.0


def test_devices_renew_at_the_first_beat_after_their_own_age() -> None:
    assert of_old_sessions(1, lambda: 0.0) == [CONNECTED_FROM_S + MAX_AGE_S]
    # A half each of the greatest spread, of the minute, and of a beat.
    old_s = CONNECTED_FROM_S + CONNECTED_WITHIN_S / 2 + 0.95 * MAX_AGE_S
    assert of_old_sessions(1, lambda: 0.5) == [old_s + 0.5]
    many = np.array(of_old_sessions(2000, random.Random(1).random))
    assert np.mean((many >= 0.0) & (many < 300.0)) == pytest.approx(300.0 / 360.0, abs=0.03)


def test_a_renewal_asks_when_it_is_due_and_is_late_from_then_on() -> None:
    away = Service(60.0, False, None, refusal(503))
    record = simulate(away, [Fixed(7.0)] * 3, [0.1] * 3, renewals_s=[-9.0, 50.0, 70.0])
    assert np.allclose(record.requests_s, [-9.0, 50.0, 57.1, 64.2, 70.0])
    assert np.allclose(record.streaming_s, [-8.2, 65.0, 70.8])
    result = Result(Scenario(name="x", title="x", outage_s=60.0), 3, record)
    assert (result.all_back_s, result.half_back_s) == pytest.approx((5.0, 2.9))
    assert (result.first_second_percent, result.refused_percent) == (0.0, 0.0)


def test_all_take_a_new_token_within_a_beat_and_the_jitter() -> None:
    seen_s = of_a_new_token(DEVICES, random.Random(1).random, 150.0)
    assert min(seen_s) >= 150.0
    assert 149.0 + DEFAULT.renew_jitter_s < max(seen_s) < 151.0 + DEFAULT.renew_jitter_s


def test_all_who_are_told_to_wait_wait_as_long_at_least() -> None:
    scenario = next(scenario for scenario in OURS if scenario.limiting)
    requests_s = run_scenario(scenario, DEVICES, seed=1).record.requests_s
    assert np.count_nonzero(requests_s < 1.0) == np.count_nonzero(requests_s < 60.0) == DEVICES
    assert np.count_nonzero(requests_s < 160.0) >= 2 * DEVICES


def test_every_request_is_either_served_or_followed_by_a_wait() -> None:
    chance = random.Random(3)
    policies = [Counting(Ours(chance.random, DEFAULT)) for _ in range(DEVICES)]
    service = Service(60.0, False, 10, refusal(503))
    record = simulate(service, policies, [0.1] * DEVICES)
    # One wait for the cut and one for each request that failed: as many as there were requests, as each device's
    # last one was served.
    assert sum(policy.asked for policy in policies) == len(record.requests_s)


def test_the_same_seed_is_the_same_fleet() -> None:
    first, again, other = (run_scenario(MAIN, DEVICES, seed).record for seed in (1, 1, 2))
    assert np.array_equal(first.requests_s, again.requests_s)
    assert not np.array_equal(first.streaming_s, other.streaming_s)


def test_fixed_timers_that_are_refused_alike_come_all_at_once() -> None:
    record = lockstep(1.0, 0.25, Service(60.0, False, None, refusal(503)))
    # A request at 1 s, and then every 1.25 s; that of 61 s is the first to be served, after eight round trips.
    assert np.allclose(np.unique(record.requests_s), 1.0 + 1.25 * np.arange(49))
    assert len(record.requests_s) == 49 * 50
    assert most_in_a_second(record.requests_s) == 50
    assert np.allclose(record.streaming_s, 63.0)


def test_fixed_timers_after_time_outs_come_all_at_once() -> None:
    record = lockstep(3.0, 0.25, Service(60.0, True, None, refusal(503)))
    period_s = 3.0 + DEFAULT.answer_s
    assert np.allclose(np.unique(record.requests_s), 3.0 + period_s * np.arange(6))


def test_fixed_timers_spread_by_their_ways_ask_as_often_as_arithmetic_says() -> None:
    scenario = next(scenario for scenario in FIXED if scenario.name == "fixed_1s")
    result = run_scenario(scenario, 2000, seed=1)
    before_s = result.record.requests_s[(result.record.requests_s >= 280.0) & (result.record.requests_s < 300.0)]
    # The mean of 1 / (1 s + round trip) over round trips from 20 to 200 ms.
    each_per_s = math.log(1.2 / 1.02) / 0.18
    assert len(before_s) / 20.0 / 2000 == pytest.approx(each_per_s, rel=0.01)
    assert 100.0 * each_per_s - 2.0 < result.peak_percent_per_s < 100.0 * each_per_s + 2.0


def test_what_is_more_than_the_capacity_is_refused_until_the_second_is_over() -> None:
    service = Service(0.0, False, 2, refusal(503))
    assert [service.ask(at_s, 0.1)[1] is None for at_s in (5.0, 5.5, 5.75, 6.0, 6.25, 6.5)] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]


def test_the_errors_are_what_the_daemon_would_make_of_the_answers() -> None:
    assert refusal(503).fault is BackendFault.TRANSIENT
    limited = refusal(429)
    assert (limited.fault, limited.retry_after_s) == (BackendFault.RATE_LIMITED, RETRY_AFTER_S)
    ours = Ours(lambda: 0.0, DEFAULT)
    assert ours.wait_s(limited, 0.0) == RETRY_AFTER_S
    assert ours.wait_s(ChannelClosed("cut"), 0.0) == 0.0
    _, error = Service(1.0, False, None, refusal(503)).ask(0.5, 0.1)
    assert isinstance(error, BackendError)
    assert error.fault is BackendFault.UNREACHABLE


def test_a_network_that_comes_back_ends_waits_and_old_attempts_soon() -> None:
    # At 60 s the first has waited since 50 s, the second has tried for 5 s, the third for half a second.
    policies = [Fixed(40.0), Fixed(55.0), Fixed(59.5)]
    network = NetworkReturn(60.0, lambda: 0.5, DEFAULT)
    record = simulate(Service(60.0, True, None, refusal(503)), policies, [0.1] * 3, network)
    soon_s = 60.0 + 0.5 * DEFAULT.network_jitter_s
    young_s = 59.5 + DEFAULT.answer_s + 59.5
    assert np.allclose(record.requests_s, [40.0, 55.0, 59.5, soon_s, soon_s, young_s])
    assert np.allclose(record.streaming_s, [soon_s + 0.8, soon_s + 0.8, young_s + 0.8])


def test_the_busiest_second_is_found_wherever_it_begins() -> None:
    assert most_in_a_second(np.array([])) == 0
    assert most_in_a_second(np.array([0.0, 0.9, 1.1, 1.2, 1.8, 2.0])) == 4
    assert most_in_a_second(np.array([0.0, 1.0, 2.0])) == 1


def test_what_is_promised_is_judged_from_the_return_on() -> None:
    requests_s = np.concatenate((np.zeros(100), 300.0 + np.arange(10.0), np.full(6, 320.0)))
    streaming_s = np.linspace(301.0, 380.5, 100, dtype=np.float64)
    record = Record(requests_s, np.arange(300.0, 310.0, dtype=np.float64), streaming_s, np.zeros(100))
    figures = Figures()
    add_figures(figures, [Result(MAIN, 100, record)])
    assert figures.values["fleet_first_second_percent"] == 100.0
    assert figures.values["fleet_refused_percent"] == 6.0
    peak, back = figures.bounds["fleet_peak_requests_percent_per_s"], figures.bounds["fleet_all_back_s"]
    assert (peak.value, peak.max, peak.met) == (6.0, 5.0, False)
    assert (back.value, back.max, back.met) == (80.5, 80.0, False)


def test_a_small_fleet_ends_with_its_figures_and_a_picture(tmp_path: Path) -> None:
    options = ["--devices", "200", "--seed", "7", "--json", tmp_path / "out.json", "--plot", tmp_path / "a" / "f.png"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "fleet", *map(str, options)], cwd=ROOT, capture_output=True, text=True
    )
    written = json.loads((tmp_path / "out.json").read_text())
    assert done.returncode == (0 if all(bound["met"] for bound in written["bounds"].values()) else 1), done.stderr
    assert {"fleet_peak_requests_percent_per_s", "fleet_all_back_s"} <= set(written["bounds"])
    assert not any("fixed" in name or "site" in name for name in written["bounds"])
    assert "fleet_fixed_1s_peak_percent_per_s" in written["figures"]
    assert (tmp_path / "a" / "f.png").read_bytes().startswith(b"\x89PNG")
    assert "seed 7" in done.stdout


@pytest.mark.parametrize("words", [["--devices", "0"], ["--devices", "many"], ["--seed", "tea"]])
def test_a_fleet_that_makes_no_sense_is_refused(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "fleet", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "bench fleet" in done.stderr


def test_all_scenarios_have_names_of_their_own() -> None:
    assert len({scenario.name for scenario in ALL}) == len(ALL)
    assert len(fleet.run(ALL[:2], 20, 1)) == 2
