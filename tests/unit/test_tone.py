"""The tone that a loudspeaker is tried with."""

from __future__ import annotations

from ingestd.core.level import FLOOR_DBFS, Meter
from ingestd.core.tone import tone


def test_the_tone_is_heard_and_startles_nobody() -> None:
    pcm = tone()
    assert len(pcm) == 2 * 8000
    meter = Meter()
    meter.add(pcm[:8000])
    assert -21 < meter.peak_dbfs < -19
    assert pcm[:2] == b"\0\0"
    meter.clear()
    meter.add(pcm[-2:])
    assert meter.peak_dbfs <= FLOOR_DBFS + 30
