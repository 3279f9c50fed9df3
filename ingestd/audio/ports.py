"""What the threads know of sound devices. Adapters: `audio.alsa`, and scripted ones in the tests.

All audio here is 16-bit little-endian mono PCM at 8 kHz; counts are samples unless a name says otherwise.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Negotiated(NamedTuple):
    """What a device agreed to, read back from it after opening."""

    device: str
    period_samples: int
    buffer_samples: int
    hardware_rate_hz: int | None = None
    """What the hardware itself runs at; None where nobody can tell (a sound server, a test's device)."""
    hardware_channels: int | None = None
    converter: str | None = None
    """What converts between the hardware's rate and 8 kHz, None where nothing does or nobody can tell."""
    warnings: tuple[str, ...] = ()
    """What somebody should see to, although there is sound: one sentence each, with what to do."""


class Block(NamedTuple):
    """What one read brought, complete at `time_s` (CLOCK_MONOTONIC); `overrun`: samples before it are lost."""

    pcm: bytes
    time_s: float
    overrun: bool


class Source(Protocol):
    """A microphone. All calls from the capture thread."""

    def open(self) -> Negotiated:
        """Opens and starts the device. Raises DeviceError where it is absent or busy, UnfitDeviceError where unfit."""

    def read(self, timeout_s: float) -> Block | None:
        """Waits for the next samples; None where none came in time. Raises DeviceError when the device is lost."""

    def close(self) -> None:
        """Lets go of the device, in any state, without waiting for it."""


class Sink(Protocol):
    """A speaker. All calls from the receiver thread; none of them blocks."""

    def open(self) -> Negotiated:
        """Opens the device. Raises DeviceError where it is absent or busy, UnfitDeviceError where unfit."""

    def queued(self) -> int:
        """Samples written and not yet played; 0 after an underrun. Raises DeviceError when the device is lost."""

    def write(self, pcm: bytes) -> int:
        """Queues samples and returns how many the device took. Raises DeviceError when the device is lost."""

    @property
    def underruns(self) -> int:
        """How often the device ran dry since it was made."""

    def close(self) -> None:
        """Lets go of the device, in any state, without waiting for it."""
