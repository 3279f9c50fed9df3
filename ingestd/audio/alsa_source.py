"""A microphone by pyalsaaudio 0.10 (Debian 13) and 0.11, which report overruns in different ways and not always."""

from __future__ import annotations

import errno
import select
import time
from pathlib import Path
from typing import Any, Final

import alsaaudio

from ingestd.audio.alsa_errors import lost
from ingestd.audio.alsa_mixer import MixerLevel
from ingestd.audio.alsa_open import Opener, Stream, close_pcm
from ingestd.audio.ports import Block, Negotiated
from ingestd.audio.proc_asound import PROC_ASOUND
from ingestd.core.channels import Channel, position_of, to_mono
from ingestd.core.wire import FRAME_SAMPLES
from ingestd.errors import DeviceError, UnfitDeviceError

_STREAM: Final = Stream("capture", period_samples=FRAME_SAMPLES, periods=20)
"""400 ms: what may pile up while something holds this process back, before samples are lost."""
_LEAST_CHANNELS: Final = 2
"""What is asked for, as hardware that can do with one may take that from its first input alone."""
_SPURIOUS_WAKE_S: Final = 0.004
_MAX_XRUNS_IN_A_ROW: Final = 5
"""Some plugins report every fault as an xrun; so many without a sample between them mean the device is gone."""
_FAILED: Final = select.POLLERR | select.POLLHUP


class AlsaSource:
    """A capture PCM (`ports.Source`)."""

    def __init__(
        self,
        device: str,
        channel: Channel = "mix",
        mixer: MixerLevel | None = None,
        *,
        proc_asound: Path = PROC_ASOUND,
    ) -> None:
        """`channel` of the hardware's is what blocks have; `mixer` is set at every opening."""
        self._device = device
        self._channel = channel
        self._position = position_of(channel)
        self._opener = Opener(device, _STREAM, mixer, proc_asound)
        self._pcm: Any = None
        self._channels = 1
        self._poll = select.poll()
        self._descriptors: list[int] = []
        self._overrun = False
        self._xruns_in_a_row = 0

    def open(self) -> Negotiated:
        """See `ports.Source`."""
        opened = self._opener.open(max(_LEAST_CHANNELS, (self._position or 0) + 1))
        self._pcm, self._channels = opened.pcm, opened.channels
        if self._position is not None and self._position >= self._channels:
            raise self._no_such_channel()
        self._watch()
        self._overrun = False
        self._xruns_in_a_row = 0
        self._read_some()  # the first read starts the stream
        return opened.negotiated

    def _no_such_channel(self) -> UnfitDeviceError:
        if self._channels == 1:
            has, write = "one channel", "mix"
        else:
            has, write = f"{self._channels} channels", f"mix or 1 to {self._channels}"
        return UnfitDeviceError(
            f"capture device {self._device!r} has {has}, and audio.capture.channel is {self._channel}: write {write}"
        )

    def _watch(self) -> None:
        try:
            descriptors = self._pcm.polldescriptors()
        except alsaaudio.ALSAAudioError as error:
            raise lost("capture", self._device, error) from None
        self._poll = select.poll()
        self._descriptors = [descriptor for descriptor, _ in descriptors]
        for descriptor, events in descriptors:
            self._poll.register(descriptor, events)

    def read(self, timeout_s: float) -> Block | None:
        """See `ports.Source`."""
        deadline_s = time.monotonic() + timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            woken = self._poll.poll(left_s * 1000.0)
            count, pcm = self._read_some()
            if count > 0:
                now_s = time.monotonic()
                overrun, self._overrun = self._overrun, False
                self._xruns_in_a_row = 0
                return Block(to_mono(pcm, self._channels, self._position), now_s, overrun)
            if woken:
                self._settle(dict(woken))
        return None

    def _read_some(self) -> tuple[int, bytes]:
        """What is there, 0 for nothing. After an overrun the stream runs again, and `_overrun` is set."""
        try:
            # 0.10 hides most overruns: in state XRUN its read prepares, starts and returns 0.
            overrun = self._pcm.state() == alsaaudio.PCM_STATE_XRUN
            count, pcm = self._pcm.read()
            if count == -errno.EPIPE:
                overrun = True
                count, pcm = self._pcm.read()  # it was prepared: nothing but a read starts it, and no poll wakes before
        except alsaaudio.ALSAAudioError as error:
            raise lost("capture", self._device, error) from None
        if overrun:
            self._overrun = True
            self._xruns_in_a_row += 1
            if self._xruns_in_a_row >= _MAX_XRUNS_IN_A_ROW and count <= 0:
                raise DeviceError(f"capture device {self._device!r} reports nothing but overruns")
        if count < 0 and count != -errno.EPIPE:
            raise lost("capture", self._device, -count)
        return max(0, count), pcm

    def _settle(self, woken: dict[int, int]) -> None:
        """After a wake without samples: raises where the device is gone, else sees to it that it doesn't spin."""
        events = 0
        for event in woken.values():
            events |= event
        try:
            failed = events & _FAILED and self._pcm.state() == alsaaudio.PCM_STATE_DISCONNECTED
            if failed or events & select.POLLNVAL:
                raise lost("capture", self._device, errno.ENODEV)
            if hasattr(self._pcm, "polldescriptors_revents"):  # 0.11
                # A shared device (dsnoop) takes its wake back only here, and else wakes for ever.
                self._pcm.polldescriptors_revents([(fd, woken.get(fd, 0)) for fd in self._descriptors])
        except alsaaudio.ALSAAudioError as error:
            raise lost("capture", self._device, error) from None
        time.sleep(_SPURIOUS_WAKE_S)

    def close(self) -> None:
        """See `ports.Source`."""
        close_pcm(self._pcm)
        self._pcm = None
