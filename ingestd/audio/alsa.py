"""The sound devices of ALSA, for whoever puts the daemon together. Only alsa_*.py import alsaaudio."""

from __future__ import annotations

from ingestd.audio.alsa_mixer import MixerLevel
from ingestd.audio.alsa_sink import AlsaSink
from ingestd.audio.alsa_source import AlsaSource
from ingestd.audio.ports import Source
from ingestd.audio.silent_source import DEVICE, SilentSource
from ingestd.core.channels import Channel

__all__ = ["AlsaSink", "AlsaSource", "MixerLevel", "source_of"]


def source_of(device: str, channel: Channel = "mix", mixer: MixerLevel | None = None) -> Source:
    """The microphone of that name; `null` is none, and silent."""
    return SilentSource() if device == DEVICE else AlsaSource(device, channel, mixer)
