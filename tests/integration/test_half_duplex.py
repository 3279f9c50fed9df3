"""A loudspeaker beside the microphone: in half duplex the room does not hear itself, and nobody loses a word."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from ingestd.core.wire import FRAME_S
from tests.rig.align import align
from tests.rig.coupled_device import NEAR
from tests.rig.coupled_ports import LOUD
from tests.rig.echo import COUPLING_DB, down_db
from tests.rig.figures import Figures
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.process import wait_until
from tests.rig.speech import TEXTS, speak
from tests.standin.client import StandIn

pytestmark = pytest.mark.calm

Duplex = Literal["half", "full"]
Samples = NDArray[np.int16]
DUPLEXES: Final[tuple[Duplex, ...]] = ("half", "full")
RATE = 8000
SAID = TEXTS[2]
REPLIED = TEXTS[3]
AFTER_S = 0.3
GUARD_S = 30.0


@dataclass(frozen=True)
class Call:
    """One side's words, then the other's."""

    said: Samples
    replied: Samples
    played: Samples
    """What the loudspeaker made of it."""
    before_reply: Samples
    """What came back to the room until somebody began to reply,"""
    after: Samples
    """and from then on."""


def call(folder: Path, duplex: Duplex) -> Call:
    said, replied = speak(SAID), speak(REPLIED, voice="en-us")
    (folder / "near.raw").write_bytes(replied.tobytes())
    with StandIn(tls=True) as room:
        config = device_config(room.base_url, room.token, room.ca_file, folder)
        config["audio"] = {"duplex": duplex}
        loud = round(0.9 * np.sum(np.abs(said.astype(int)) >= LOUD))
        arguments = ["--near", folder / "near.raw", "--after-loud", loud, "--after-s", AFTER_S, "--keep", folder]
        with MemoryDevice(
            folder, config, module="tests.rig.coupled_device", arguments=list(map(str, arguments))
        ) as device:
            room.wait_joined()
            person = room.add("Somebody")
            time.sleep(1.5)
            room.say(person, said.tobytes())
            wait_until((folder / NEAR).exists, len(said) / RATE + GUARD_S, "the reply")
            whole = (len(replied) / RATE + AFTER_S + 1.0) / FRAME_S
            room.wait_received(0, room.call(0).received_frames + round(whole), len(replied) / RATE + GUARD_S)
            done = device.stop()
        kept = room.received(0)
    assert done["exit"] == 0
    assert done["near_s"] is not None, "nobody replied"
    frames = kept.samples.reshape(-1, 160)
    before = kept.times_s <= done["near_s"]
    played = np.frombuffer((folder / "played.raw").read_bytes(), np.int16)
    return Call(said, replied, played, frames[before].reshape(-1), frames[~before].reshape(-1))


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> dict[Duplex, Call]:
    """One of each kind, both at the same time: what they do most is wait for the words' end."""
    with ThreadPoolExecutor(len(DUPLEXES)) as pool:
        going = {duplex: pool.submit(call, tmp_path_factory.mktemp(duplex), duplex) for duplex in DUPLEXES}
        return {duplex: one.result() for duplex, one in going.items()}


def test_in_half_duplex_the_room_does_not_hear_itself_and_the_reply_is_whole(
    calls: dict[Duplex, Call], figures: Figures
) -> None:
    heard = calls["half"]
    assert np.max(np.abs(heard.played.astype(int))) > 10_000, "the room's side is never touched"
    assert align(heard.played, heard.said).correlation > 0.9
    assert figures.add("half_duplex_echo_down_db", down_db(heard.said, heard.before_reply), min=30)
    whole = align(heard.after, heard.replied, block_s=0.25)
    assert figures.add("half_duplex_reply_correlation", whole.correlation, min=0.99)
    assert figures.add("half_duplex_reply_first_syllable_correlation", whole.blocks[0].correlation, min=0.99)


def test_in_full_duplex_it_does(calls: dict[Duplex, Call], figures: Figures) -> None:
    heard = calls["full"]
    down = down_db(heard.said, heard.before_reply)
    figures.add("full_duplex_echo_down_db", down)
    assert down == pytest.approx(-COUPLING_DB, abs=3), "or the other test would show nothing"
    assert align(heard.after, heard.replied).correlation > 0.99
