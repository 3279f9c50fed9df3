"""Who has no good key learns nothing: not which devices there are, not which of them are disabled, not even by time."""

from __future__ import annotations

import random
import re
import statistics
import time
from collections.abc import Mapping
from pathlib import Path

from ingestd.broker.devices import Registry
from tests.rig.broker import BrokerProcess
from tests.rig.figures import Figures
from tests.rig.raw_http import RawClient, request
from tests.standin.client import StandIn

pytest_plugins = ("tests.standin.fixtures",)

ROUNDS = 1000
APART_PERCENT = 5.0
BODY = b'{"participant":{"name":"field-1"}}'


def keys(broker: BrokerProcess) -> dict[str, str]:
    """One that is refused of each kind."""
    good = broker.add_device("enabled", participant_metadata={"site": 7}, agent={"id": "helper"})
    disabled = broker.add_device("disabled", participant_metadata={"site": 8})
    rotated = broker.add_device("rotated")
    with broker.open_storage() as storage:
        registry = Registry(storage, time.time)
        registry.disable("disabled")
        registry.rotate_key("rotated")
    start, key_id, secret = good.split("_")
    return {
        "wrong secret": f"{start}_{key_id}_{secret[::-1]}",
        "unknown": f"{start}_{key_id[::-1]}_{secret}",
        "disabled": disabled,
        "rotated": rotated,
        "garbage": "g" * len(good),
    }


def asked_by(name: str) -> bytes:
    return request("/v1/sessions", {"Authorization": f"Bearer {name}", "Content-Type": "application/json"}, BODY)


def told(port: int, requests: Mapping[str, bytes]) -> set[tuple[bytes, bytes]]:
    """The answers, each with its head as it came but for its date."""
    answers = set()
    for one in requests.values():
        with RawClient(port) as client:
            answer = client.ask(one)
            answers.add((re.sub(rb"\r\nDate: [^\r]*", b"", answer.head), answer.body))
    return answers


def medians_s(port: int, requests: Mapping[str, bytes], rounds: int) -> dict[str, float]:
    """Seconds to the whole answer for each kind, asked one after the other in an order drawn anew each round."""
    draw = random.Random(5)
    took_s: dict[str, list[float]] = {kind: [] for kind in requests}
    order = list(requests)
    with RawClient(port) as client:
        for _ in range(rounds):
            draw.shuffle(order)
            for kind in order:
                begun_s = time.perf_counter()
                answer = client.ask(requests[kind])
                took_s[kind].append(time.perf_counter() - begun_s)
                assert answer.status == 401
    return {kind: statistics.median(all_s) for kind, all_s in took_s.items()}


def test_every_refused_key_is_answered_alike(
    standin: StandIn, tmp_path: Path, database_url: str, figures: Figures
) -> None:
    kind = "sqlite" if database_url.startswith("sqlite") else "postgresql"
    with BrokerProcess(tmp_path / "broker", standin, database=database_url) as broker:
        requests = {name: asked_by(key) for name, key in keys(broker).items()}
        answers = told(broker.port, {**requests, "none": request("/v1/sessions", body=BODY), "empty": asked_by("")})
        medians_s(broker.port, requests, 50)  # the first ones warm it
        medians = medians_s(broker.port, requests, ROUNDS)
    assert len(answers) == 1, "the same headers, the same bytes"
    assert b" 401 " in answers.pop()[0]
    middle_s = statistics.median(medians.values())
    apart = {name: (value / middle_s - 1) * 100 for name, value in medians.items()}
    print(apart, middle_s)
    furthest = max(apart.values()) - min(apart.values())
    figures.add(f"broker_refusal_median_{kind}_ms", middle_s * 1000)
    assert figures.add(f"broker_refusals_apart_{kind}_percent", furthest, max=APART_PERCENT), apart
