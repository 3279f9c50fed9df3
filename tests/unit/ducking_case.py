"""A loudspeaker, the air and a microphone in simulated time, sample by sample; the real parts duck it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ingestd.core.ducking import Ducker, RoomVoice
from tests.rig.echo import echo, response

Samples = NDArray[np.int16]
RATE = 8000
FILL = 400
"""What the loudspeaker's queue is kept at."""


class Place:
    """The room says `room`, which is heard from `at_s` of simulated time on; somebody here says `near`."""

    def __init__(
        self,
        room: Samples,
        near: Samples | None = None,
        *,
        block: int = 160,
        hidden_out_s: float = 0.0,
        hidden_in_s: float = 0.0,
        feed_every: int = 160,
        fill: int = FILL,
        seed: int = 1,
    ) -> None:
        """`hidden_…_s`: what the devices hold back without saying so; `fill`: the queue before the loudspeaker."""
        self.room = room
        late = round(hidden_out_s * RATE)
        played = np.concatenate([np.zeros(late, np.int16), room])
        air = echo(played, response())[: len(room)]
        voice = near if near is not None else np.zeros(0, np.int16)
        at_microphone = air + np.pad(voice, (0, len(room) - len(voice)))
        self.microphone: Samples = np.clip(np.rint(at_microphone), -32768, 32767).astype(np.int16)
        self.sent = self._run(block, hidden_in_s, feed_every, fill, np.random.default_rng(seed))

    def _run(
        self, block: int, hidden_in_s: float, feed_every: int, fill: int, random: np.random.Generator
    ) -> Samples:
        voice = RoomVoice()
        ducker = Ducker(voice)
        # Samples written and played by then, in time 1000 s + sample / RATE.
        written, feed_at, out = 0, 0, []
        for end in range(block, len(self.microphone) + 1, block):
            # A block is read a little after it is complete; the loudspeaker is fed whenever its thread gets to it.
            read_at = end + round(hidden_in_s * RATE) + int(random.integers(0, 40))
            while feed_at <= read_at:
                written = max(written, feed_at)  # it ran dry
                wanted = max(0, feed_at + fill - written)
                piece = self.room[written : written + wanted]
                voice.played(piece.tobytes(), self.time(feed_at), written - feed_at)
                written += wanted
                feed_at += feed_every + int(random.integers(0, 30))
            out.append(ducker.apply(self.microphone[end - block : end].tobytes(), self.time(read_at)))
        return np.frombuffer(b"".join(out), np.int16)

    @staticmethod
    def time(sample: int) -> float:
        """The moment at which so many samples were played and captured."""
        return 1000.0 + sample / RATE
