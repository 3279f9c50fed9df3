"""The running of a soak: a quiet spell, faults one after another, another quiet spell, then nothing that works."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from tests.rig.resources import Resources
from tests.soak.faults import KINDS, Kind, NotHereError
from tests.soak.judging import recovered_s
from tests.soak.plan import Planned, plan
from tests.soak.records import Evidence, Ledger, Outage, Strike
from tests.soak.world import World, world

CAP_S = 60.0
"""What has not recovered by then is left to recover while the next fault strikes."""
QUIET_S = 12.0
_SETTLED_S = 20.0
_LOOK_S = 0.2
_SAMPLE_S = 1.0
_STATUS_S = 5.0

Say = Callable[[str], None]


def run(minutes: float, seed: int, only: Sequence[str], log_to: Path, say: Say) -> Evidence:
    """Lives through it; `only` names the kinds that may strike (empty: all), `say` is told what happens."""
    with world(log_to) as here:
        kinds = [kind for kind in KINDS if not only or kind.name in only]
        evidence = Evidence()
        able = [kind for kind in kinds if here.site is not None or not kind.root]
        evidence.missing = {kind.name: "it needs root" for kind in kinds if kind not in able}
        soak = _Soak(here, evidence, say)
        soak.faults(minutes * 60, seed, able)
        soak.nothing_works(min(120.0, max(30.0, minutes * 12)))
        soak.stop()
    return evidence


class _Soak:
    def __init__(self, here: World, evidence: Evidence, say: Say) -> None:
        self._here = here
        self._evidence = evidence
        self._say = say
        self._ledger = Ledger()
        evidence.calls = self._ledger.calls
        self._pid = here.device.process.pid
        self._next_sample_s = 0.0
        self._next_status_s = 0.0

    def faults(self, seconds: float, seed: int, kinds: Sequence[Kind]) -> None:
        """Lets them strike for so long."""
        evidence = self._evidence
        evidence.shown.append(Path(f"/proc/{self._pid}/cmdline").read_text())
        self._watch(QUIET_S / 2)
        evidence.before = self._look_unasked()
        evidence.begin_s = evidence.end_s = time.monotonic()
        end_s = evidence.begin_s + seconds
        absent: set[str] = set()
        for planned in plan(seed, kinds):
            if time.monotonic() + planned.pause_s + planned.lasts_s >= end_s or len(absent) == len(kinds):
                break
            if planned.kind.name in absent:
                continue
            self._watch(planned.pause_s)
            try:
                self._strike(planned)
            except NotHereError as error:
                absent.add(planned.kind.name)
                evidence.missing[planned.kind.name] = str(error)
        self._watch(QUIET_S)
        evidence.end_s = time.monotonic()
        if evidence.strikes:
            evidence.strikes[-1].next_s = evidence.end_s
        evidence.after = self._look_unasked()

    def nothing_works(self, seconds: float) -> None:
        """The backend is down and both sound devices are missing: how much is logged."""
        here, log = self._here, self._here.device.log_path
        self._say(f"now {seconds:.0f} s without a backend and without sound devices")
        start_bytes = log.stat().st_size
        for proxy in (here.backend, here.wire):
            proxy.refuse()
        here.wire.reset()
        here.plugs.unplug("microphone")
        here.plugs.unplug("speaker")
        settled_s = min(_SETTLED_S, seconds / 2)
        self._watch(settled_s)
        settled_bytes = log.stat().st_size
        self._watch(seconds - settled_s)
        end_bytes = log.stat().st_size
        self._evidence.outage = Outage(seconds, settled_s, settled_bytes - start_bytes, end_bytes - settled_bytes)

    def stop(self) -> None:
        """Ends the daemon, and takes down what it leaves."""
        began_s = time.monotonic()
        self._evidence.exit_status = self._here.device.stop()["exit"]
        self._evidence.stop_s = time.monotonic() - began_s
        self._evidence.log = self._here.device.log
        self._evidence.tokens = self._here.tokens

    # --- one fault ----------------------------------------------------------------------------------------------

    def _strike(self, planned: Planned) -> None:
        kind = planned.kind
        strikes = self._evidence.strikes
        struck_s = time.monotonic()
        detail = kind.strike(self._here, Random(planned.detail))
        if strikes:
            strikes[-1].next_s = struck_s
        strike = Strike(kind.name, struck_s, struck_s)
        strikes.append(strike)
        first_call = len(self._ledger.calls)
        if planned.lasts_s:
            self._watch(struck_s + planned.lasts_s - time.monotonic())
            strike.gone_s = time.monotonic()
        if kind.undo is not None:
            kind.undo(self._here)
        while (found := self._recovered_s(kind, strike.gone_s)) is None and time.monotonic() < strike.gone_s + CAP_S:
            self._watch(_LOOK_S)
        if found is not None:
            strike.recovered_s = found
        self._tell(strike, planned, detail, len(self._ledger.calls) - first_call)

    def _recovered_s(self, kind: Kind, from_s: float) -> float | None:
        calls = self._ledger.calls
        if kind.device == "speaker":
            return next((at_s for at_s in self._here.plugs.heard_s() if at_s >= from_s), None)
        if kind.device == "microphone":
            return recovered_s([call.times_s[call.numbers > 0] for call in calls], from_s)
        return recovered_s([call.times_s for call in calls], from_s)

    def _tell(self, strike: Strike, planned: Planned, detail: str | None, sessions: int) -> None:
        lasted = f"{planned.lasts_s:3.0f} s" if planned.lasts_s else "     "
        what = f", {detail}" if detail else ""
        if strike.recovered_s < float("inf"):
            self._say(f"{strike.kind:<15} {lasted}  back after {strike.recovery_s:5.2f} s, sessions {sessions}{what}")
            return
        status = self._here.ask("status")
        stands = f"{status['state']}, {status['reason']}"
        self._say(f"{strike.kind:<15} {lasted}  NOT BACK after {CAP_S:.0f} s{what}: {stands}")

    # --- meanwhile ----------------------------------------------------------------------------------------------

    def _watch(self, seconds: float) -> None:
        """Lets so much time pass, and looks at everything meanwhile."""
        until_s = time.monotonic() + seconds
        while True:
            self._look()
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(_LOOK_S, left_s))

    def _look(self) -> None:
        self._here.check_device()
        self._ledger.update(self._here.room)
        now = time.monotonic()
        if now >= self._next_sample_s:
            self._next_sample_s = now + _SAMPLE_S
            self._evidence.memory.append((now, Resources.of(self._pid).memory_bytes))
        if now >= self._next_status_s:
            self._next_status_s = now + _STATUS_S
            self._evidence.shown.append(json.dumps(self._here.ask("status")))

    def _look_unasked(self) -> Resources:
        """What the daemon holds while nobody asks it anything."""
        self._next_status_s = time.monotonic() + _STATUS_S
        self._watch(_STATUS_S / 2)
        return Resources.of(self._pid)
