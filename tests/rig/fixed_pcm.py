"""Sound hardware that knows one rate, one format and one number of channels, behind the real ALSA API.

Channel k of what it captures is always 1000 k, so that it is known after any conversion; the plugin is in C.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

_SOURCE: Final = Path(__file__).with_suffix(".c")


class FixedHardware:
    """ALSA devices of that kind, and a /proc/asound that shows them. Nothing runs: they live in whoever opens them."""

    def __init__(self, folder: Path) -> None:
        """Builds the ALSA plugin in `folder`."""
        self.proc_asound = folder / "asound"
        self.settings = folder / "fixed.conf"
        self._folder = folder
        plugin = folder / "libasound_module_pcm_fixed.so"
        subprocess.run(["gcc", "-DPIC", "-shared", "-fPIC", "-o", plugin, _SOURCE, "-lasound"], check=True)
        self.settings.write_text(f'</usr/share/alsa/alsa.conf>\npcm_type.fixed {{ lib "{plugin}" }}\n')

    def add(self, name: str, rate_hz: int = 48000, channels: int = 2, form: str = "S32_LE") -> None:
        """Another device, for whoever reads `settings` (by ALSA_CONFIG_PATH) from now on."""
        with self.settings.open("a") as settings:
            settings.write(
                f'pcm."{name}" {{ type fixed rate {rate_hz} channels {channels} format {form} '
                f'record "{self.played(name)}" }}\n'
            )

    def played(self, name: str) -> Path:
        """The file with all that was played on a device, in its own format."""
        return self._folder / f"{name}.raw"

    def show(self, thread_id: int, direction: str, rate_hz: int = 48000, channels: int = 2) -> None:
        """Lets `proc_asound` say, as the kernel would, that a thread has hardware open. `direction` is c or p."""
        card = self.proc_asound / "card1" / f"pcm0{direction}"
        other = self.proc_asound / "card0" / f"pcm0{direction}"
        for folder in (card / "sub0", other / "sub0", card / "sub1"):
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("hw_params", "status"):
                (folder / name).write_text("closed\n")
        (card / "sub0" / "hw_params").write_text(
            "access: MMAP_INTERLEAVED\nformat: S32_LE\nsubformat: STD\n"
            f"channels: {channels}\nrate: {rate_hz} ({rate_hz}/1)\nperiod_size: 960\nbuffer_size: 19200\n"
        )
        (card / "sub0" / "status").write_text(
            f"state: RUNNING\nowner_pid   : {thread_id}\ntrigger_time: 77.100000000\ntstamp      : 0.000000000\n"
            "delay       : 480\navail       : 480\navail_max   : 960\n-----\nhw_ptr      : 4800\nappl_ptr    : 4320\n"
        )
