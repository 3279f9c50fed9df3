"""How often one device may have a session: the generic cell rate algorithm (ATM Forum, Traffic Management 4.0).

All its state is when a device's next request would be due at the even rate (`devices.due_ms`), changed by one UPDATE:
so it holds exactly, however many brokers share the database.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BindParameter, Connection, bindparam, case, or_, select, update

from ingestd.broker.model import DEVICES

_MINUTE_MS: Final = 60_000
_NEVER: Final = (0, 0)
_CLOCKS_APART_MS: Final = 60_000
"""How far brokers' clocks may differ. What is due later than that allows, was said before a clock was set back."""


class Admission:
    """The rate of every device alike. Any thread."""

    def __init__(self, per_minute: int, burst: int) -> None:
        """`per_minute`: requests at the even rate; `burst`: requests at once before that."""
        self._even_ms = -(-_MINUTE_MS // per_minute)
        self._early_ms = (burst - 1) * self._even_ms
        self._latest_ms = self._early_ms + self._even_ms + _CLOCKS_APART_MS
        due = DEVICES.c.due_ms
        now: BindParameter[int] = bindparam("now_ms")
        self._admit = (
            update(DEVICES)
            .where(DEVICES.c.id == bindparam("device"))
            .where(or_(due <= bindparam("early_ms"), due > bindparam("latest_ms")))
            .values(
                due_ms=bindparam("even_ms") + case((due > bindparam("latest_ms"), now), (due > now, due), else_=now)
            )
        )
        self._due = select(due).where(DEVICES.c.id == bindparam("device"))
        # As many as there are devices, at most. What is due only ever grows, so no other broker makes it less.
        self._refused_ms: dict[int, tuple[int, int]] = {}

    def refused_s(self, device_id: int, now_ms: int) -> float:
        """Seconds that this process knows a device to have to wait yet, 0.0 where `admit` is to be asked.

        Without the database: one device that asks without end would keep the others waiting for it.
        """
        since_ms, until_ms = self._refused_ms.get(device_id, _NEVER)
        return (until_ms - now_ms) / 1000 if since_ms <= now_ms < until_ms else 0.0

    def admit(self, connection: Connection, device_id: int, now_ms: int) -> float:
        """Takes a request at `now_ms`: 0.0 where it is admitted, else the seconds until one would be.

        `connection` is within a transaction, which keeps what was taken.
        """
        if connection.execute(self._admit, self._values(device_id, now_ms)).rowcount:
            return 0.0
        due_ms = int(connection.execute(self._due, {"device": device_id}).scalar() or 0)
        until_ms = max(due_ms - self._early_ms, now_ms + 1)
        self._refused_ms[device_id] = now_ms, until_ms
        return (until_ms - now_ms) / 1000

    def _values(self, device_id: int, now_ms: int) -> dict[str, Any]:
        return {
            "device": device_id,
            "now_ms": now_ms,
            "early_ms": now_ms + self._early_ms,
            "latest_ms": now_ms + self._latest_ms,
            "even_ms": self._even_ms,
        }
