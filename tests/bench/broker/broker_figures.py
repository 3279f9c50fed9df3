"""The figures of `scripts/bench broker`, and what is promised of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.bench.broker.coming_back import Return
from tests.bench.broker.kills import Outcome
from tests.bench.broker.load import Result
from tests.bench.broker.rates import Rate, Rates
from tests.bench.broker.returns import WITHIN_S
from tests.rig.figures import Figures

_SHARES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_LEAST_HEADROOM: Final = 5.0
"""So many times what a broker gives, the service that stands in the bench has to give alone."""
_MOST_LOAD_PERCENT: Final = 50.0
"""Of one processor: with more, the load would be what is measured."""
_LEAST_ACKNOWLEDGED: Final = 500
"""Webhooks; with fewer, little could be lost."""


def add_rates(figures: Figures, name: str, rates: Rates, registered_s: float) -> None:
    """One scene's."""
    prefix = f"broker_{name}_"
    figures.add(f"{prefix}registered_s", registered_s)
    figures.add(f"{prefix}sessions_per_s", rates.fastest.result.per_second)
    for kind, rate in (("", rates.fastest), ("half_", rates.half)):
        for share, part in _SHARES.items():
            figures.add(f"{prefix}{kind}{share}_ms", rate.latency_ms(part))
        figures.add(f"{prefix}{kind}not_answered_200", rate.result.others, max=0)
    fastest = rates.fastest
    figures.add(f"{prefix}cpu_ms_per_session", fastest.cpu_ms_per_session(fastest.broker_cpu_s))
    figures.add(f"{prefix}database_cpu_ms_per_session", fastest.cpu_ms_per_session(fastest.database_cpu_s))
    figures.add(f"{prefix}responder_cpu_percent", fastest.cpu_percent(fastest.responder_cpu_s))
    figures.add(f"{prefix}load_cpu_percent", fastest.cpu_percent(fastest.result.cpu_s), max=_MOST_LOAD_PERCENT)


def add_slow(figures: Figures, rate: Rate) -> None:
    """A broker whose service takes its time."""
    figures.add("broker_slow_service_sessions_per_s", rate.result.per_second)
    figures.add("broker_slow_service_p95_ms", rate.latency_ms(0.95))
    figures.add("broker_slow_service_not_answered_200", rate.result.others, max=0)


def add_others(figures: Figures, rates: Mapping[str, Rates], responder: Result, standin: Result) -> None:
    """What stands for the service, without a broker."""
    fastest = max(one.fastest.result.per_second for one in rates.values())
    figures.add("broker_responder_alone_per_s", responder.per_second)
    figures.add("broker_responder_headroom", responder.per_second / max(1.0, fastest), min=_LEAST_HEADROOM)
    figures.add("broker_standin_alone_per_s", standin.per_second)


def add_return(figures: Figures, name: str, back: Return) -> None:
    """A fleet's way back."""
    prefix = f"broker_{name}_"
    figures.add(f"{prefix}all_back_s", back.all_back_s, max=WITHIN_S)
    figures.add(f"{prefix}half_back_s", back.back_within_s(0.5))
    figures.add(f"{prefix}p95_back_s", back.back_within_s(0.95))
    figures.add(f"{prefix}answers_5xx", back.faults, max=0)
    figures.add(f"{prefix}answers_429", back.count(429))
    figures.add(f"{prefix}retry_after_most_s", max(back.told_s, default=0.0))
    figures.add(f"{prefix}unanswered", back.unanswered, max=0)
    figures.add(f"{prefix}most_answers_per_s", back.most_per_s)
    figures.add(f"{prefix}latency_p95_ms", back.latency_ms(0.95))


def add_kills(figures: Figures, name: str, outcome: Outcome) -> None:
    """What kills took."""
    prefix = f"broker_kills_{name}_"
    verdict = outcome.verdict
    figures.add(f"{prefix}kills", sum(outcome.kills.values()))
    figures.add(f"{prefix}webhooks_acknowledged", outcome.acknowledged, min=_LEAST_ACKNOWLEDGED)
    figures.add(f"{prefix}webhooks_lost", len(verdict.lost), max=0)
    figures.add(f"{prefix}webhooks_twice", len(verdict.twice), max=0)
    figures.add(f"{prefix}sessions_given", outcome.calls)
    figures.add(f"{prefix}faults", verdict.faults, max=0)
    figures.add(f"{prefix}unsound", len(outcome.unsound), max=0)
    figures.add(f"{prefix}unforeseen_answers", outcome.unforeseen, max=0)
    figures.add(f"{prefix}slowest_start_s", outcome.slowest_start_s)
    figures.add(f"{prefix}slowest_again_s", outcome.slowest_again_s)
