"""The soak's sound devices: gone while they are unplugged, and the same ones afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ingestd.audio.ports import Block
from ingestd.errors import DeviceError
from tests.rig.memory_ports import frame_numbers
from tests.soak.device import PluggedSink, PluggedSource
from tests.soak.plugs import Plugs

SOUND = bytes([1, 0]) * 160


def number_of(block: Block | None) -> int:
    assert block is not None
    return int(frame_numbers(np.frombuffer(block.pcm, np.int16).reshape(1, -1))[0])


def test_an_unplugged_microphone_can_neither_be_read_nor_opened(tmp_path: Path) -> None:
    plugs = Plugs(tmp_path)
    microphone = PluggedSource(plugs)
    microphone.open()
    first = number_of(microphone.read(1.0))
    plugs.unplug("microphone")
    with pytest.raises(DeviceError):
        microphone.read(1.0)
    with pytest.raises(DeviceError):
        microphone.open()
    plugs.plug_in("microphone")
    microphone.open()
    assert number_of(microphone.read(1.0)) > first


def test_a_speaker_tells_once_that_it_was_heard_after_each_opening(tmp_path: Path) -> None:
    plugs = Plugs(tmp_path)
    speaker = PluggedSink(plugs)
    assert plugs.heard_s() == []
    speaker.open()
    speaker.write(bytes(320))
    assert plugs.heard_s() == []
    speaker.write(SOUND)
    speaker.write(SOUND)
    assert len(plugs.heard_s()) == 1
    plugs.unplug("speaker")
    for use in (speaker.queued, lambda: speaker.write(SOUND), speaker.open):
        with pytest.raises(DeviceError):
            use()
    plugs.plug_in("speaker")
    speaker.open()
    speaker.write(SOUND)
    assert len(plugs.heard_s()) == 2


def test_the_devices_are_unplugged_one_by_one(tmp_path: Path) -> None:
    plugs = Plugs(tmp_path)
    plugs.unplug("speaker")
    plugs.check("microphone")
    plugs.plug_in("microphone")  # which was never away
    with pytest.raises(DeviceError):
        plugs.check("speaker")


def test_a_soak_too_short_for_one_fault_is_refused() -> None:
    command = [sys.executable, "-m", "tests.soak", "--minutes", "0.5"]
    shown = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60)
    assert shown.returncode == 2
    assert "--minutes" in shown.stdout
