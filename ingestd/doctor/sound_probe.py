"""Opens a sound device as the daemon does, for a moment: a program of its own, `python -m ingestd.doctor.sound_probe`.

libasound can hang inside a sound server, with the interpreter's lock held: whoever asked ends this program then. It
reads one JSON object from standard input and writes one to standard output: see `ingestd.doctor.sound`.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import Any, Final, Literal

from ingestd.audio.alsa import AlsaSink, source_of
from ingestd.audio.alsa_mixer import mixer_states
from ingestd.audio.ports import Negotiated
from ingestd.core.soundcheck import measured
from ingestd.core.tone import tone
from ingestd.core.wire import SAMPLE_RATE_HZ
from ingestd.errors import DeviceError, UnfitDeviceError

LONGEST_S: Final = 15
"""It ends by itself after that, whoever asked."""
_COLD_START_S: Final = 3.0
_SILENCE_S: Final = 0.2

Kind = Literal["capture", "playback"]


def main() -> int:
    """One question, one answer."""
    # Ends by Ctrl-C even inside libasound, where Python would not get to see it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(LONGEST_S)
    asked = json.load(sys.stdin)
    kind: Kind = asked["kind"]
    answer: dict[str, Any] = {"controls": [state._asdict() for state in mixer_states(kind, asked["device"])]}
    if asked["open"]:
        try:
            answer |= _microphone(asked) if kind == "capture" else _speaker(asked)
        except DeviceError as error:
            answer["error"] = str(error).removesuffix(f"; it is tried again every {UnfitDeviceError.RETRY_S:.0f} s")
    json.dump(answer, sys.stdout)
    return 0


def _microphone(asked: dict[str, Any]) -> dict[str, Any]:
    """Listens for `seconds`."""
    source = source_of(asked["device"], asked["channel"])
    try:
        negotiated = source.open()
        pcm = bytearray()
        wanted = int(asked["seconds"] * SAMPLE_RATE_HZ) * 2
        until_s = time.monotonic() + asked["seconds"] + _COLD_START_S
        while len(pcm) < wanted and time.monotonic() < until_s:
            block = source.read(0.1)
            if block is not None:
                pcm += block.pcm
    finally:
        source.close()
    found = measured(bytes(pcm), asked["gain_db"])
    return _opened(negotiated) | {"heard_s": len(pcm) / 2 / SAMPLE_RATE_HZ, **found._asdict()}


def _speaker(asked: dict[str, Any]) -> dict[str, Any]:
    """Plays silence, or a tone, and sees whether the device moves."""
    sink = AlsaSink(asked["device"])
    try:
        negotiated = sink.open()
        pcm = tone() if asked["tone"] else bytes(2 * int(_SILENCE_S * SAMPLE_RATE_HZ))
        samples, written, queued = len(pcm) // 2, 0, 0
        until_s = time.monotonic() + samples / SAMPLE_RATE_HZ + _COLD_START_S
        while time.monotonic() < until_s:
            written += sink.write(pcm[2 * written :]) if written < samples else 0
            queued = sink.queued()
            if written == samples and queued == 0:
                break
            time.sleep(0.02)
    finally:
        sink.close()
    return _opened(negotiated) | {"wanted_s": samples / SAMPLE_RATE_HZ, "played_s": (written - queued) / SAMPLE_RATE_HZ}


def _opened(negotiated: Negotiated) -> dict[str, Any]:
    return {
        "device": negotiated.device,
        "period_ms": negotiated.period_samples * 1000 / SAMPLE_RATE_HZ,
        "buffer_ms": negotiated.buffer_samples * 1000 / SAMPLE_RATE_HZ,
        "hardware_rate_hz": negotiated.hardware_rate_hz,
        "converter": negotiated.converter,
        "warnings": list(negotiated.warnings),
    }


if __name__ == "__main__":
    sys.exit(main())
