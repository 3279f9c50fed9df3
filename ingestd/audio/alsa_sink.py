"""A speaker by pyalsaaudio 0.10 (Debian 13) and 0.11, which report underruns in different ways and not always."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any, Final

import alsaaudio

from ingestd.audio.alsa_errors import code_of, lost
from ingestd.audio.alsa_mixer import MixerLevel
from ingestd.audio.alsa_open import Opener, Stream, close_pcm
from ingestd.audio.ports import Negotiated
from ingestd.audio.proc_asound import PROC_ASOUND
from ingestd.core.wire import FRAME_SAMPLES
from ingestd.errors import DeviceError

_STREAM: Final = Stream("playback", period_samples=FRAME_SAMPLES // 2, periods=40)
_MAX_XRUNS_IN_A_ROW: Final = 5
"""Some plugins report every fault as an xrun; so many without a sample between them mean the device is gone."""


class AlsaSink:
    """A playback PCM (`ports.Sink`)."""

    def __init__(self, device: str, mixer: MixerLevel | None = None, *, proc_asound: Path = PROC_ASOUND) -> None:
        """`mixer` is set at every opening."""
        self._device = device
        self._opener = Opener(device, _STREAM, mixer, proc_asound)
        self._pcm: Any = None
        self._buffer_samples = 0
        self._underruns = 0
        self._xruns_in_a_row = 0

    @property
    def underruns(self) -> int:
        """See `ports.Sink`."""
        return self._underruns

    def open(self) -> Negotiated:
        """See `ports.Sink`."""
        opened = self._opener.open(channels=1)
        self._pcm = opened.pcm
        self._buffer_samples = opened.negotiated.buffer_samples
        self._xruns_in_a_row = 0
        return opened.negotiated

    def queued(self) -> int:
        """See `ports.Sink`."""
        try:
            if not self._running():
                return 0
            available = int(self._pcm.htimestamp()[2])
            if not self._running():
                return 0
        except alsaaudio.ALSAAudioError as error:
            raise lost("playback", self._device, error) from None
        # htimestamp discards its return code: after an xrun or unplug the number is whatever was in memory.
        return self._buffer_samples - available if 0 <= available <= self._buffer_samples else 0

    def _running(self) -> bool:
        state = self._pcm.state()
        if state == alsaaudio.PCM_STATE_DISCONNECTED:
            raise lost("playback", self._device, errno.ENODEV)
        return bool(state == alsaaudio.PCM_STATE_RUNNING)

    def write(self, pcm: bytes) -> int:
        """See `ports.Sink`."""
        try:
            # 0.10 hides most underruns: in state XRUN its write prepares, writes and returns the count.
            dry = self._pcm.state() == alsaaudio.PCM_STATE_XRUN
            count = self._write_once(pcm)
            if count == -errno.EPIPE:
                dry = True
                count = self._write_once(pcm)
        except alsaaudio.ALSAAudioError as error:
            raise lost("playback", self._device, error) from None
        if dry:
            self._underruns += 1
            self._xruns_in_a_row += 1
            if self._xruns_in_a_row >= _MAX_XRUNS_IN_A_ROW and count <= 0:
                raise DeviceError(f"playback device {self._device!r} reports nothing but underruns")
        elif count > 0:
            self._xruns_in_a_row = 0
        return max(0, count)

    def _write_once(self, pcm: bytes) -> int:
        """−EPIPE for an underrun, after which nothing is written and the next try prepares the device again."""
        try:
            return int(self._pcm.write(pcm))  # 0.11 returns −EPIPE
        except alsaaudio.ALSAAudioError as error:  # 0.10 raises it, by its text alone
            if code_of(error) == errno.EPIPE:
                return -errno.EPIPE
            raise

    def close(self) -> None:
        """See `ports.Sink`."""
        close_pcm(self._pcm)
        self._pcm = None
