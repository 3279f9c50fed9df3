"""ingestctl devices in a real terminal: the list, the live meter, and what is said where there is none."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.rig.busy_pcm import OtherProgram
from tests.rig.fixed_pcm import FixedHardware
from tests.rig.terminal import Terminal

REPO = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ALSA settings with a microphone, and one that another program has."""
    folder = tmp_path_factory.mktemp("alsa")
    hardware = FixedHardware(folder)
    hardware.add("mic", channels=1)
    other = OtherProgram(folder)
    with hardware.settings.open("a") as file:
        file.write('pcm.mic.hint { show on description "The microphone\n at the door" }\n')
        file.write(other.alsa_definition(busy="mic"))
    other.hold()
    return hardware.settings


@contextmanager
def devices(settings: Path, folder: Path, *words: str, columns: int = 80) -> Iterator[Terminal]:
    command = [sys.executable, "-m", "ingestd.ctl.main", "--socket", str(folder / "none"), "devices"]
    config = folder / "ingestd.yaml"
    config.write_text("backend: {url: https://a.example/}\naudio: {capture: {device: mic}}\n")
    command += ["--config", str(config), *words]
    with Terminal(command, env={"ALSA_CONFIG_PATH": str(settings)}, cwd=REPO, columns=columns) as terminal:
        yield terminal


def test_the_list(settings: Path, tmp_path: Path) -> None:
    with devices(settings, tmp_path, columns=120) as terminal:
        assert terminal.status() == 0
        assert " * mic      The microphone, at the door" in terminal.text
        assert "   default  what ALSA's configuration takes where nothing is named" in terminal.text


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_meter_moves_in_one_line_until_ctrl_c(settings: Path, tmp_path: Path, columns: int) -> None:
    with devices(settings, tmp_path, "--meter", columns=columns) as terminal:
        terminal.wait_for("-30.3 dBFS", 20)
        terminal.type("\x03")
        assert terminal.status() == 130
        shown = [line for line in terminal.screen() if line]
        assert shown[0].startswith("mic (8000 Hz")
        assert sum("dBFS" in line for line in shown) == 1
        assert terminal.output.endswith(b"\n")
        assert b"Traceback" not in terminal.output


@pytest.mark.parametrize(
    ("device", "explained"),
    [("busy", "another program has it")]
    + [(absent, "is it plugged in?") for absent in ("plughw:CARD=Absent", "no\x1b[31msuch")],
)
def test_a_device_that_can_not_be_had_is_named_with_what_to_do(
    settings: Path, tmp_path: Path, device: str, explained: str
) -> None:
    with devices(settings, tmp_path, "--meter", device) as terminal:
        assert terminal.status() == 1
        seen = " ".join(terminal.text.split())
        assert "can't open capture device" in seen
        assert explained in seen
        assert b"\x1b[31m" not in terminal.output
