"""What the kernel says of its sound hardware, in files written like its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestd.audio.proc_asound import Hardware, hardware_of, rate_converter

PARAMETERS = """\
access: RW_INTERLEAVED
format: S16_LE
subformat: STD
channels: 2
rate: 48000 (48000/1)
period_size: 960
buffer_size: 19200
"""
RUNNING = "state: RUNNING\nowner_pid   : {}\ntrigger_time: 5.1\ntstamp      : 0.0\ndelay       : 3\n-----\nhw_ptr : 4\n"
US = 4711


def substream(root: Path, path: str, status: str = "closed\n", parameters: str = PARAMETERS) -> Path:
    folder = root / path
    folder.mkdir(parents=True)
    (folder / "status").write_text(status)
    (folder / "hw_params").write_text(parameters if status != "closed\n" else "closed\n")
    return folder


def test_the_hardware_is_the_threads_own(tmp_path: Path) -> None:
    substream(tmp_path, "card0/pcm0c/sub0")
    substream(tmp_path, "card0/pcm0p/sub0", RUNNING.format(US), PARAMETERS.replace("channels: 2", "channels: 6"))
    substream(tmp_path, "card1/pcm0c/sub0", RUNNING.format(12), PARAMETERS.replace("48000", "16000"))
    substream(tmp_path, "card1/pcm1c/sub3", RUNNING.format(US))
    (tmp_path / "Mic").symlink_to(tmp_path / "card1")
    assert hardware_of("capture", US, tmp_path) == Hardware(48000, 2)
    assert hardware_of("playback", US, tmp_path) == Hardware(48000, 6)
    assert hardware_of("capture", 12, tmp_path) == Hardware(16000, 2)
    assert hardware_of("capture", 1, tmp_path) is None


def test_where_there_is_no_hardware_nothing_is_claimed(tmp_path: Path) -> None:
    assert hardware_of("capture", US, tmp_path / "none") is None
    assert hardware_of("capture", US, tmp_path) is None


@pytest.mark.parametrize("parameters", ["closed\n", "", "rate: 48000\n", "channels: 2\nrate: ? (?)\n"])
def test_a_device_that_is_just_being_closed_is_none(tmp_path: Path, parameters: str) -> None:
    folder = substream(tmp_path, "card0/pcm0c/sub0", RUNNING.format(US))
    (folder / "hw_params").write_text(parameters)
    assert hardware_of("capture", US, tmp_path) is None
    (folder / "hw_params").unlink()
    assert hardware_of("capture", US, tmp_path) is None


def test_two_devices_of_one_thread_are_told_apart_by_nobody(tmp_path: Path) -> None:
    substream(tmp_path, "card0/pcm0c/sub0", RUNNING.format(US))
    substream(tmp_path, "card1/pcm0c/sub0", RUNNING.format(US))
    assert hardware_of("capture", US, tmp_path) is None


@pytest.mark.parametrize(
    ("mapped", "converter"),
    [
        ([], "linear"),
        (["libasound.so.2.0.0", "alsa-lib/libasound_module_pcm_pulse.so"], "linear"),
        (["alsa-lib/libasound_module_rate_speexrate.so"] * 4, "speexrate"),
        ([f"alsa-lib/libasound_module_rate_{name}.so" for name in ("speexrate", "lavrate")], "lavrate+speexrate"),
    ],
)
def test_the_converter_is_the_one_that_is_loaded(tmp_path: Path, mapped: list[str], converter: str) -> None:
    maps = tmp_path / "maps"
    maps.write_text("".join(f"7f0000000000-7f0000001000 r-xp 00000000 08:01 77  /usr/lib/{name}\n" for name in mapped))
    assert rate_converter(maps) == converter


def test_without_a_list_of_what_is_loaded_nobody_can_tell(tmp_path: Path) -> None:
    assert rate_converter(tmp_path / "none") is None
