"""What people set on the sound of a running device, as it is kept over restarts: mute and gains. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from ingestd.core.level import HIGHEST_GAIN_DB, LOWEST_GAIN_DB

_NO_GAINS: Mapping[str, tuple[float, float]] = MappingProxyType({})


class SoundSettings(NamedTuple):
    """`gains_db`: side (`capture_db`, `playback_db`) → what was set, and what the configuration said then."""

    muted: bool = False
    gains_db: Mapping[str, tuple[float, float]] = _NO_GAINS

    def gain_db(self, side: str, configured_db: float) -> float:
        """The gain to start with: what was set, unless the configuration has been changed since."""
        kept_db, then_db = self.gains_db.get(side, (configured_db, configured_db))
        return kept_db if then_db == configured_db else configured_db

    def encode(self) -> bytes:
        """For a file."""
        gains = {side: list(pair) for side, pair in self.gains_db.items()}
        return json.dumps({"muted": self.muted, "gains_db": gains}, sort_keys=True).encode() + b"\n"


def decode(content: bytes) -> SoundSettings:
    """What `encode` made. Raises ValueError; keys it does not know are a later version's, and passed over."""
    try:
        value = json.loads(content)
    except RecursionError:
        raise ValueError("nested too deep") from None
    muted, gains = (value.get("muted"), value.get("gains_db", {})) if isinstance(value, dict) else (None, {})
    if not isinstance(muted, bool) or not isinstance(gains, dict):
        raise ValueError("neither muted nor unmuted")
    return SoundSettings(muted, {side: pair for side, given in gains.items() if (pair := _pair(given)) is not None})


def _pair(given: object) -> tuple[float, float] | None:
    """A gain that can be set, and the one it was set over."""
    match given:
        case [int() | float() as kept_db, int() | float() as then_db] if (
            LOWEST_GAIN_DB <= kept_db <= HIGHEST_GAIN_DB and LOWEST_GAIN_DB <= then_db <= HIGHEST_GAIN_DB
        ):
            return float(kept_db), float(then_db)
        case _:
            return None
