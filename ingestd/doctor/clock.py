"""This machine's clock: TLS, tokens and the journal all go by it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from ingestd.core.check import Check, failed, ok, warning
from ingestd.doctor.jwt import shown, spoken
from ingestd.system.programs import output_of, systemd_runs

_SET: Final = "set the clock, or let NTP set it (`timedatectl`; NTP needs UDP port 123 out)"
_BUILT: Final = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
"""No device with this program has seen an earlier day."""
CLOCK: Final = "clock against the backend"
_NOTED_S: Final = 30.0
_WRONG_S: Final = 300.0


def clock(now: float | None = None) -> Iterator[Check]:
    """Whether it can be right at all. `now` is in seconds since 1970; this machine's, if None."""
    stands = time.time() if now is None else now
    if stands < _BUILT:
        said = f"it stands at {shown(stands)}, which is past; a device without a battery for it boots there"
        yield failed("clock", said, _SET)
        return
    synchronised = output_of("timedatectl", "show", "--property=NTPSynchronized", "--value") if systemd_runs() else None
    if synchronised is not None and synchronised.strip() == "no":
        yield warning("clock", f"it stands at {shown(stands)}, and no NTP server has set it", _SET)
    else:
        yield ok("clock", f"it stands at {shown(stands)}")


def against_server(date: str | None, now: float, host: str) -> Check:
    """What an answer's Date header says of the clock, which stood at `now` when it came."""
    try:
        when = parsedate_to_datetime(date or "")
    except (TypeError, ValueError, OverflowError):
        return ok(CLOCK, f"{host} does not tell the time")
    ahead_s = now - (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    if abs(ahead_s) <= _NOTED_S:
        return ok(CLOCK, f"it agrees with {host} within {max(1.0, abs(ahead_s)):.0f} s")
    said = f"it is {spoken(abs(ahead_s))} {'ahead of' if ahead_s > 0 else 'behind'} {host}"
    return (failed if abs(ahead_s) > _WRONG_S else warning)(CLOCK, said, _SET)
