"""The demo, short: the daemon as it ships, real ALSA on a virtual sound card, TLS, a cut, and figures that hold."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.rig.wav import read_wav, rms

EXPECTED = {
    "recovery_s",
    "uplink_frames_per_second",
    "downlink_frames_per_second",
    "correlation_at_room_utterance_1",
    "correlation_at_speaker_utterance_1",
    "messages_device_to_room",
    "messages_room_to_device",
}


@pytest.mark.alone
def test_the_demo_keeps_its_promises(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    command = [sys.executable, "-m", "tests.demo", "--seconds", "24", "--json", str(out), "--out", str(tmp_path)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    measured = json.loads(out.read_text())
    assert set(measured["bounds"]) >= EXPECTED
    assert all(bound["met"] for bound in measured["bounds"].values())
    for name in ("heard-in-room", "heard-from-speaker"):
        samples, rate = read_wav(tmp_path / f"{name}.wav")
        assert rate == 8000
        assert len(samples) > 20 * rate
        assert rms(samples) > 0.01
        assert np.abs(samples.astype(int)).max() > 3000


def test_the_demo_refuses_to_be_too_short() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "tests.demo", "--seconds", "5"], capture_output=True, text=True, timeout=30
    )
    assert shown.returncode == 2
    assert "--seconds" in shown.stdout
