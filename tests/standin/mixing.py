"""Mixing: each listener hears the sum of the others, saturating at 16 bits."""

from __future__ import annotations

import base64
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tests.standin.jitter import FRAME_BYTES

SILENCE = bytes(FRAME_BYTES)
"""A tick of silence (PCM)."""


class Mix:
    """One tick of audio; encoded at most once, however many listeners get it."""

    def __init__(self, pcm: bytes) -> None:
        self.pcm = pcm
        """16-bit little-endian PCM at 8 kHz mono."""

    @cached_property
    def message(self) -> bytes:
        """The media frame as JSON (UTF-8)."""
        return media_message(self.pcm)


def media_message(pcm: bytes) -> bytes:
    """A media frame of the page's shape as JSON (UTF-8)."""
    return b'{"event":"media","payload":"' + base64.b64encode(pcm) + b'"}'


class TickMixer:
    """Mixes one tick: give it every voice, then ask for what each listener hears."""

    def __init__(self, voices: list[bytes]) -> None:
        self._voices = voices
        self._silence = Mix(SILENCE)
        self._all: Mix | None = None

    @cached_property
    def _total(self) -> NDArray[np.int32]:
        frames = [np.frombuffer(voice, "<i2") for voice in self._voices]
        total: NDArray[np.int32] = np.stack(frames).sum(axis=0, dtype=np.int32)
        return total

    def without(self, own: bytes | None) -> Mix:
        """The mix without the listener's `own` voice, one of those given or None if it is not speaking."""
        if own is None:
            if self._all is None:
                self._all = self._mix_all()
            return self._all
        if len(self._voices) == 1:
            return self._silence
        if len(self._voices) == 2:
            return Mix(self._voices[1] if self._voices[0] is own else self._voices[0])
        return _saturated(self._total - np.frombuffer(own, "<i2"))

    def _mix_all(self) -> Mix:
        if not self._voices:
            return self._silence
        return Mix(self._voices[0]) if len(self._voices) == 1 else _saturated(self._total)


def _saturated(total: NDArray[np.int32]) -> Mix:
    return Mix(np.clip(total, -32768, 32767).astype("<i2").tobytes())
