"""Whether a database holds what the broker acknowledged, read without the broker's code; and whether it is sound."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from sqlalchemy import Connection, NullPool, create_engine, text

from tests.rig.postgres import Postgres

_AMCHECK: Final = (
    "CREATE EXTENSION IF NOT EXISTS amcheck",
    "SELECT bt_index_check(i.indexrelid, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
    " JOIN pg_am a ON a.oid = (SELECT relam FROM pg_class WHERE oid = i.indexrelid)"
    " WHERE c.relnamespace = 'public'::regnamespace AND a.amname = 'btree'",
    "DO $$ DECLARE found text; BEGIN"
    " SELECT string_agg(c.relname || ': ' || v.msg, '; ') INTO found"
    " FROM pg_class c, LATERAL verify_heapam(c.oid) v"
    " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r';"
    " IF found IS NOT NULL THEN RAISE EXCEPTION '%', found; END IF; END $$",
)


class Stored(NamedTuple):
    """What is in a database."""

    events: Sequence[tuple[bytes, str]]
    """Digest and body of each event."""
    calls: Sequence[str]
    """The call of each session that was answered 200."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is wrong with it; all of it is nothing where nothing is."""

    lost: Collection[str]
    """Webhooks that were answered 200 and are not there."""
    twice: Collection[str]
    """Webhooks that are there more than once."""
    strange: Collection[str]
    """Bodies that nobody sent."""
    mislabelled: Collection[str]
    """Bodies under another one's digest."""
    lost_calls: Collection[str]
    """Sessions that a device was given and that are not there."""
    twice_calls: Collection[str]
    """Sessions that are there more than once."""

    @property
    def faults(self) -> int:
        """How many."""
        found = (self.lost, self.twice, self.strange, self.mislabelled, self.lost_calls, self.twice_calls)
        return sum(map(len, found))

    def __str__(self) -> str:
        return ", ".join(f"{name}: {sorted(found)[:5]}" for name, found in vars(self).items() if found) or "all is kept"


def judge(sent: Collection[str], acknowledged: Collection[str], calls: Collection[str], stored: Stored) -> Verdict:
    """`sent` are the bodies of all webhooks, `acknowledged` those answered 200, `calls` what devices were given."""
    bodies = Counter(body for _, body in stored.events)
    made = Counter(stored.calls)
    return Verdict(
        lost=set(acknowledged) - set(bodies),
        twice={body for body, count in bodies.items() if count > 1},
        strange=set(bodies) - set(sent),
        mislabelled={body for digest, body in stored.events if hashlib.sha256(body.encode()).digest() != digest},
        lost_calls=set(calls) - set(made),
        twice_calls={call for call, count in made.items() if count > 1},
    )


def stored(url: str) -> Stored:
    """What is in the database of that URL, as the broker's configuration has it."""
    with _reading(url) as connection:
        events = [(bytes(digest), body) for digest, body in connection.execute(text("SELECT digest, body FROM events"))]
        calls = connection.execute(text("SELECT call_id FROM sessions WHERE status = 200")).scalars().all()
        return Stored(events, calls)


def unsound(url: str) -> list[str]:
    """What SQLite's own checks find wrong with its file."""
    with _reading(url) as connection:
        found = [line for line in connection.execute(text("PRAGMA integrity_check")).scalars() if line != "ok"]
        return found + [str(row) for row in connection.execute(text("PRAGMA foreign_key_check"))]


def check(server: Postgres, url: str) -> None:
    """Has PostgreSQL's own checks (amcheck) look at every table and index of that database; raises what they find."""
    database = urlsplit(url).path[1:]
    for statement in _AMCHECK:
        server.run(statement, database)


@contextmanager
def _reading(url: str) -> Iterator[Connection]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        yield connection
