"""Broker and database killed (kill -9) at any moment under load: what was acknowledged is kept, and all is sound."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.bench.broker import kept, kills
from tests.bench.broker.kept import Stored, Verdict
from tests.bench.broker.kills import Outcome
from tests.bench.broker.responder import Responder
from tests.bench.broker.scene import broker_of, signing_key
from tests.bench.broker.senders import Senders
from tests.rig.broker import BrokerProcess
from tests.rig.postgres import Postgres, needs_postgres
from tests.rig.process import wait_until

pytestmark = pytest.mark.alone  # beside others a start takes longer than the moments that are hit

_ROUNDS = 5
_MANY_ROUNDS = 60
_WEBHOOKS = 100


def assert_kept(outcome: Outcome) -> None:
    """Much was acknowledged while much was killed, and all of it is there, once."""
    assert outcome.verdict.faults == 0, outcome.verdict
    assert not outcome.unsound
    assert outcome.unforeseen == 0, outcome.statuses
    assert {"running", "starting", "worker"} <= set(outcome.kills), outcome.kills
    assert outcome.statuses[0] > 50, "nobody noticed the kills"
    assert outcome.acknowledged > _WEBHOOKS


@pytest.mark.timeout(240)
def test_nothing_acknowledged_is_lost_on_sqlite(tmp_path: Path) -> None:
    outcome = kills.run(tmp_path, _ROUNDS, seed=1, webhooks=_WEBHOOKS)
    assert_kept(outcome)
    assert outcome.calls > 20


@needs_postgres
@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kill_server", [False, True], ids=["broker", "broker and server"])
def test_nothing_acknowledged_is_lost_on_postgresql(tmp_path: Path, kill_server: bool) -> None:
    with Postgres() as server:
        outcome = kills.run(tmp_path, _MANY_ROUNDS, seed=2, server=server, kill_server=kill_server)
    assert_kept(outcome)
    assert (outcome.kills["server"] > 10) == kill_server


@pytest.mark.full
@pytest.mark.timeout(600)
def test_nothing_acknowledged_is_lost_in_many_rounds_on_sqlite(tmp_path: Path) -> None:
    assert_kept(kills.run(tmp_path, 3 * _MANY_ROUNDS, seed=3))


# --- the judge can find what it looks for


def test_a_row_that_is_lost_is_found(tmp_path: Path) -> None:
    public_key = tmp_path / "public.pem"
    key = signing_key(public_key)
    with Responder(public_key) as responder, broker_of(tmp_path / "broker", responder, None) as broker:
        device_keys = broker.add_devices([f"device-{number}" for number in range(50)])
        with Senders(broker.port, key, device_keys) as senders:
            wait_until(lambda: len(senders.acknowledged) > 20 and len(senders.calls) > 5, 30.0, "some load")
        assert judged(senders, broker).faults == 0, judged(senders, broker)

        body = senders.acknowledged.copy().pop()
        change(broker, "DELETE FROM events WHERE body = ?", body)
        assert judged(senders, broker).lost == {body}
        call = senders.calls.copy().pop()
        change(broker, "UPDATE sessions SET status = NULL WHERE call_id = ?", call)
        assert judged(senders, broker).lost_calls == {call}
        other = (senders.acknowledged - {body}).pop()
        change(broker, "UPDATE events SET body = body || ' ' WHERE body = ?", other)
        verdict = judged(senders, broker)
        assert (verdict.lost, verdict.strange, verdict.mislabelled) == ({body, other}, {f"{other} "}, {f"{other} "})
        assert verdict.faults == 5


def test_a_row_that_is_there_twice_is_found() -> None:
    def digest(body: str) -> bytes:
        return hashlib.sha256(body.encode()).digest()

    found = Stored([(digest("a"), "a"), (digest("a"), "a"), (digest("b"), "b")], ["call", "call"])
    verdict = kept.judge({"a", "b"}, {"a", "b"}, {"call"}, found)
    assert (verdict.twice, verdict.twice_calls, verdict.faults) == ({"a"}, {"call"}, 2)
    assert str(verdict) == "twice: ['a'], twice_calls: ['call']"
    assert str(kept.judge({"a"}, set(), set(), Stored([], []))) == "all is kept", "nobody promised to keep it"


def test_a_damaged_file_is_found(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE some (id INTEGER PRIMARY KEY, word TEXT UNIQUE)")
        connection.executemany("INSERT INTO some (word) VALUES (?)", [(f"word {number}",) for number in range(2000)])
    assert kept.unsound(f"sqlite:///{path}") == []
    damaged = bytearray(path.read_bytes())
    at = damaged.rindex(b"word 777")
    damaged[at : at + 4] = b"WORD"
    path.write_bytes(damaged)
    assert kept.unsound(f"sqlite:///{path}")


def judged(senders: Senders, broker: BrokerProcess) -> Verdict:
    """What is in the database, against what was acknowledged."""
    return kept.judge(senders.sent, senders.acknowledged, senders.calls, kept.stored(broker.database))


def change(broker: BrokerProcess, statement: str, value: str) -> None:
    """Does that to one row of the broker's database."""
    with closing(sqlite3.connect(broker.database.removeprefix("sqlite:///"))) as connection, connection:
        assert connection.execute(statement, (value,)).rowcount == 1
