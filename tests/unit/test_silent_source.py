"""A device without a microphone sends silence, and nothing else."""

from __future__ import annotations

import itertools
import time

import pytest

from ingestd.audio.alsa import AlsaSource, source_of
from ingestd.audio.silent_source import SilentSource
from tests.unit.peers import GUARD_S


def test_null_is_silence_by_the_clock() -> None:
    source = source_of("null")
    assert isinstance(source, SilentSource)
    assert isinstance(source_of("hw:0"), AlsaSource)
    assert source.open().period_samples == 160
    blocks = []
    for _ in range(5):
        block = source.read(1.0)
        assert block is not None
        assert block.time_s <= time.monotonic(), "a frame is there once its time is over, not before"
        blocks.append(block)
    assert [block.pcm for block in blocks] == [bytes(320)] * 5
    gaps_s = [later.time_s - block.time_s for block, later in itertools.pairwise(blocks)]
    # What was missed while this process stood still for more than a second is not caught up on.
    assert all(abs(gap_s - 0.02) < 1e-9 or gap_s > 1.0 for gap_s in gaps_s)
    source.close()


def test_a_read_ends_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    source = SilentSource()
    with monkeypatch.context() as slowed:
        slowed.setattr("ingestd.audio.silent_source.FRAME_S", GUARD_S)  # none is due, however late the read begins
        source.open()
        assert source.read(0.001) is None
    source.open()
    assert source.read(1.0) is not None
