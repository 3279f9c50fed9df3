"""Opens a PCM at 8 kHz and 16 bits, as it is or through ALSA's conversion, and tells what is behind it.

Devices are opened non-blocking: a blocking read or write on a device that hangs would keep its thread for ever.
"""

from __future__ import annotations

import contextlib
import errno
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import alsaaudio

from ingestd.audio import libasound
from ingestd.audio.alsa_errors import cant_open, code_of
from ingestd.audio.alsa_mixer import MixerLevel, set_mixer
from ingestd.audio.alsa_names import through_plug
from ingestd.audio.ports import Negotiated
from ingestd.audio.proc_asound import LINEAR, PROC_ASOUND, Hardware, hardware_of, rate_converter
from ingestd.core.wire import SAMPLE_RATE_HZ
from ingestd.errors import UnfitDeviceError

_FORMAT: Final = "S16_LE"
_SAMPLE_BITS: Final = 16


@dataclass(frozen=True, slots=True)
class Stream:
    """Which PCMs an `Opener` opens: the direction, and the buffer it asks for."""

    kind: Literal["capture", "playback"]
    period_samples: int
    periods: int


@dataclass(frozen=True, slots=True)
class OpenPcm:
    """An open PCM of `channels` interleaved channels."""

    pcm: Any
    channels: int
    hardware: Hardware | None
    """What it ends in, where that can be seen."""
    negotiated: Negotiated


class _Found:
    """A PCM that was opened, whatever it agreed to."""

    def __init__(self, pcm: Any, name: str) -> None:
        self.pcm = pcm
        self.name = name
        try:
            info = pcm.info()
        except alsaaudio.ALSAAudioError:
            close_pcm(pcm)
            raise
        self.rate_hz = int(info["rate"])
        self.channels = int(info["channels"])
        self.format = str(info["format_name"])
        self.period_samples = int(info["period_size"])
        self.buffer_samples = int(info["buffer_size"])
        # 0.10 makes its buffers by the significant bits: of fewer than 16 they would be too small.
        bits = _SAMPLE_BITS if "physical_bits" in info else info.get("significant_bits", _SAMPLE_BITS)
        self.samples_fit = (self.rate_hz, self.format, bits) == (SAMPLE_RATE_HZ, _FORMAT, _SAMPLE_BITS)

    def __str__(self) -> str:
        return f"{self.rate_hz} Hz, {self.channels} channel{'s' * (self.channels != 1)}, {self.format}"


class Opener:
    """Opens one device, again and again through its losses. The thread that uses the device."""

    def __init__(self, device: str, stream: Stream, mixer: MixerLevel | None, proc_asound: Path = PROC_ASOUND) -> None:
        self._device = device
        self._stream = stream
        self._mixer = mixer
        self._proc_asound = proc_asound
        self._direction = alsaaudio.PCM_CAPTURE if stream.kind == "capture" else alsaaudio.PCM_PLAYBACK
        self._tried = False

    def open(self, channels: int) -> OpenPcm:
        """Opens the device for so many channels; to capture, for as many as its hardware turns out to have.

        After the first time the device is looked for in passing, since an open by pyalsaaudio holds up every thread.
        Raises DeviceError where it is absent or busy, UnfitDeviceError where it is unfit.
        """
        if self._tried and (code := libasound.probe(self._device, self._direction, channels)):
            raise cant_open(self._stream.kind, self._device, code)
        self._tried = True
        converted = through_plug(self._device)
        found = self._first_that_fits([self._device, *([converted] if converted else [])], channels)
        hardware = self._hardware()
        if self._stream.kind == "capture" and hardware is not None and hardware.channels != found.channels:
            # Something between mixes or copies channels, by rules of its own: take them as they come.
            close_pcm(found.pcm)
            found = self._first_that_fits([found.name], hardware.channels)
            hardware = self._hardware()
        return OpenPcm(found.pcm, found.channels, hardware, self._negotiated(found, hardware))

    def _first_that_fits(self, names: list[str], channels: int) -> _Found:
        kind = self._stream.kind
        refusal = ""
        for name in names:
            try:
                found = _Found(self._open_as(name, channels), name)
            except alsaaudio.ALSAAudioError as error:
                if code_of(error) != errno.EINVAL:
                    raise cant_open(kind, self._device, code_of(error), str(error)) from None
                refusal = refusal or f"can't open {kind} device {self._device!r}: it refuses 8000 Hz, 16 bits"
                continue
            if found.samples_fit and (kind == "capture" or found.channels == channels):
                return found
            close_pcm(found.pcm)
            refusal = f"{kind} device {self._device!r} gives {found}"
        raise UnfitDeviceError(f"{refusal}, and ALSA's plug can't convert it; `ingestctl devices` lists others")

    def _open_as(self, name: str, channels: int) -> Any:
        return alsaaudio.PCM(
            self._direction,
            alsaaudio.PCM_NONBLOCK,
            device=name,
            rate=SAMPLE_RATE_HZ,
            channels=channels,
            format=alsaaudio.PCM_FORMAT_S16_LE,
            periodsize=self._stream.period_samples,
            periods=self._stream.periods,
        )

    def _hardware(self) -> Hardware | None:
        return hardware_of(self._stream.kind, threading.get_native_id(), self._proc_asound)

    def _negotiated(self, found: _Found, hardware: Hardware | None) -> Negotiated:
        converter = rate_converter() if hardware is not None and hardware.rate_hz != SAMPLE_RATE_HZ else None
        warnings = []
        if hardware is not None and converter == LINEAR:
            warnings.append(
                f"{self._stream.kind} device {self._device!r} runs at {hardware.rate_hz} Hz, and ALSA converts that "
                "by interpolation, which sounds poor: install libasound2-plugins"
            )
        if self._mixer is not None and (warning := set_mixer(self._stream.kind, self._device, self._mixer)):
            warnings.append(warning)
        return Negotiated(
            device=found.name,
            period_samples=found.period_samples,
            buffer_samples=found.buffer_samples,
            hardware_rate_hz=hardware.rate_hz if hardware else None,
            hardware_channels=hardware.channels if hardware else None,
            converter=converter,
            warnings=tuple(warnings),
        )


def close_pcm(pcm: Any) -> None:
    """Lets go of a PCM in any state; None is none."""
    if pcm is None:
        return
    with contextlib.suppress(alsaaudio.ALSAAudioError):
        # close() drains, for ever on an unplugged speaker.
        pcm.drop()
    with contextlib.suppress(alsaaudio.ALSAAudioError):
        pcm.close()
