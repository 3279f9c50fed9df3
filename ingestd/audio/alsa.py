"""The sound devices of ALSA, for whoever puts the daemon together. Only alsa_*.py import alsaaudio."""

from ingestd.audio.alsa_mixer import MixerLevel
from ingestd.audio.alsa_sink import AlsaSink
from ingestd.audio.alsa_source import AlsaSource

__all__ = ["AlsaSink", "AlsaSource", "MixerLevel"]
