"""What was played is kept however it was pulled, and a pause is found as if every pull had been filed at once."""

from __future__ import annotations

from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.concealment import HISTORY
from ingestd.core.pauses import PAUSE, Pauses
from ingestd.core.played import FILED_TOGETHER, Played
from ingestd.core.playout import Playout
from tests.rig.speech import conversation


@given(st.lists(st.integers(0, 400), max_size=120))
def test_the_last_of_it_is_there_whatever_the_sizes(sizes: list[int]) -> None:
    played, all_of_it, number = Played(), np.zeros(1000, np.int16), 0
    for size in sizes:
        samples = np.arange(number, number + size).astype(np.int16)
        number += size
        all_of_it = np.concatenate([all_of_it, samples])
        played.piled.append(samples.tobytes())
    history = played.history()
    assert len(history) >= HISTORY
    assert history.tolist() == all_of_it[-len(history) :].tolist()


def test_pulls_are_filed_before_they_are_many() -> None:
    playout = Playout(200)
    for _ in range(3 * FILED_TOGETHER):
        playout.push(bytes(320))
        playout.pull(160)
        assert len(playout._played.piled) < FILED_TOGETHER


def test_what_is_forgotten_is_silence() -> None:
    played = Played()
    played.piled.append(b"\x01\x02" * 1000)
    played.forget()
    assert not any(played.history())


@pytest.mark.parametrize("level", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("hum", [0, 30, 400])
def test_pauses_are_found_as_if_every_pull_was_filed_at_once(level: float, hum: int) -> None:
    speech, _ = conversation(20.0)
    noise = np.random.default_rng(1).normal(0, hum, len(speech)) if hum else 0.0
    pcm = array("h", np.clip(speech * level + noise, -32768, 32767).astype(np.int16).tobytes())
    played, pauses, history, found = Played(), Pauses(), array("h", bytes(2 * PAUSE)), []
    for at in range(0, len(pcm) - 480, 160):
        queue = pcm[at : at + 480]
        found.append(played.quiet_ahead(queue))
        assert found[-1] == pauses.quiet_ahead(queue, history)
        played.piled.append(queue[:160].tobytes())
        pauses.played(queue[:160])
        history = (history + queue[:160])[-PAUSE:]
    assert 0 < sum(map(bool, found)) < len(found)
