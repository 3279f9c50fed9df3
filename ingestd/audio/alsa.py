"""ALSA by pyalsaaudio 0.10 (Debian 13) and 0.11. The only importer of alsaaudio.

Both devices are opened non-blocking: a blocking read or write on a device that hangs would keep its thread for
ever. The two versions report xruns in different ways and not always, so every odd result is read with suspicion:
a count below zero, zero, short or an exception.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import time
from typing import Any, Final

import alsaaudio

from ingestd.audio.ports import Block, Negotiated
from ingestd.core.wire import FRAME_SAMPLES, SAMPLE_RATE_HZ
from ingestd.errors import DeviceError

_CAPTURE_PERIOD: Final = FRAME_SAMPLES
_CAPTURE_PERIODS: Final = 20
"""400 ms: what may pile up while something holds this process back, before samples are lost."""
_PLAYBACK_PERIOD: Final = FRAME_SAMPLES // 2
_PLAYBACK_PERIODS: Final = 40
_SPURIOUS_WAKE_S: Final = 0.002
_MAX_XRUNS_IN_A_ROW: Final = 5
"""Some plugins report every fault as an xrun; so many without a sample between them mean the device is gone."""


# ALSA's own libraries write to standard error at every attempt to open what is absent: 1.4 million lines a day.
# The exceptions say the same once.
_silent: Final = ctypes.CFUNCTYPE(None)(lambda: None)
with contextlib.suppress(OSError, AttributeError):
    ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler(_silent)


def _open(direction: int, device: str, period: int, periods: int) -> tuple[Any, Negotiated]:
    name = "capture" if direction == alsaaudio.PCM_CAPTURE else "playback"
    try:
        pcm = alsaaudio.PCM(
            direction,
            alsaaudio.PCM_NONBLOCK,
            device=device,
            rate=SAMPLE_RATE_HZ,
            channels=1,
            format=alsaaudio.PCM_FORMAT_S16_LE,
            periodsize=period,
            periods=periods,
        )
        info = pcm.info()
    except alsaaudio.ALSAAudioError as error:
        raise DeviceError(f"can't open {name} device {device!r}: {error}; see `arecord -L` and `aplay -L`") from None
    got = (info["rate"], info["channels"], info["format_name"])
    if got != (SAMPLE_RATE_HZ, 1, "S16_LE"):
        pcm.close()
        raise DeviceError(
            f"{name} device {device!r} gives {got[0]} Hz, {got[1]} channels, {got[2]}; "
            f"name it plug:{device} so that ALSA converts to 8000 Hz mono"
        )
    return pcm, Negotiated(device, int(info["period_size"]), int(info["buffer_size"]))


class AlsaSource:
    """A capture PCM (`ports.Source`)."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._pcm: Any = None
        self._poll = select.poll()
        self._xruns_in_a_row = 0

    def open(self) -> Negotiated:
        """See `ports.Source`."""
        self._pcm, negotiated = _open(alsaaudio.PCM_CAPTURE, self._device, _CAPTURE_PERIOD, _CAPTURE_PERIODS)
        self._poll = select.poll()
        for descriptor, events in self._pcm.polldescriptors():
            self._poll.register(descriptor, events)
        self._xruns_in_a_row = 0
        self._read_some()  # the first read starts the stream
        return negotiated

    def read(self, timeout_s: float) -> Block | None:
        """See `ports.Source`."""
        deadline = time.monotonic() + timeout_s
        overrun = False
        while (left_s := deadline - time.monotonic()) > 0:
            self._poll.poll(left_s * 1000.0)
            count, pcm = self._read_some()
            if count > 0:
                self._xruns_in_a_row = 0
                return Block(pcm, time.monotonic(), overrun)
            if count == -errno.EPIPE:
                overrun = True
                self._xruns_in_a_row += 1
                if self._xruns_in_a_row >= _MAX_XRUNS_IN_A_ROW:
                    raise DeviceError(f"capture device {self._device!r} reports nothing but overruns")
            elif count < 0:
                raise DeviceError(f"capture device {self._device!r} is lost: error {-count}")
            else:
                # Some plugins wake the poll without having samples.
                time.sleep(_SPURIOUS_WAKE_S)
        return None

    def _read_some(self) -> tuple[int, bytes]:
        try:
            count, pcm = self._pcm.read()
        except alsaaudio.ALSAAudioError as error:
            raise DeviceError(f"capture device {self._device!r} is lost: {error}") from None
        return count, pcm

    def close(self) -> None:
        """See `ports.Source`."""
        _close(self._pcm)
        self._pcm = None


class AlsaSink:
    """A playback PCM (`ports.Sink`)."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._pcm: Any = None
        self._buffer = 0
        self._underruns = 0
        self._xruns_in_a_row = 0

    @property
    def underruns(self) -> int:
        """See `ports.Sink`."""
        return self._underruns

    def open(self) -> Negotiated:
        """See `ports.Sink`."""
        self._pcm, negotiated = _open(alsaaudio.PCM_PLAYBACK, self._device, _PLAYBACK_PERIOD, _PLAYBACK_PERIODS)
        self._buffer = negotiated.buffer_samples
        self._xruns_in_a_row = 0
        return negotiated

    def queued(self) -> int:
        """See `ports.Sink`."""
        try:
            if self._pcm.state() != alsaaudio.PCM_STATE_RUNNING:
                return 0
            available = int(self._pcm.htimestamp()[2])
            if self._pcm.state() != alsaaudio.PCM_STATE_RUNNING:
                return 0
        except alsaaudio.ALSAAudioError as error:
            raise DeviceError(f"playback device {self._device!r} is lost: {error}") from None
        # htimestamp discards its return code: after an xrun or unplug the number is whatever was in memory.
        return self._buffer - available if 0 <= available <= self._buffer else 0

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
            raise DeviceError(f"playback device {self._device!r} is lost: {error}") from None
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
            if str(error).startswith(os.strerror(errno.EPIPE)):
                return -errno.EPIPE
            raise

    def close(self) -> None:
        """See `ports.Sink`."""
        _close(self._pcm)
        self._pcm = None


def _close(pcm: Any) -> None:
    if pcm is None:
        return
    with contextlib.suppress(alsaaudio.ALSAAudioError):
        # close() drains, for ever on an unplugged speaker.
        pcm.drop()
    with contextlib.suppress(alsaaudio.ALSAAudioError):
        pcm.close()
