"""What the watchdog is fed by: every thread goes round, and samples and bytes move where there is work to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ingestd.core.progress import Progress, Watch
from ingestd.net.ports import Link
from ingestd.threads.capture import Microphone
from ingestd.threads.sender import SenderThread
from ingestd.threads.speaker import Speaker
from ingestd.threads.worker import Worker

_ROUND_WITHIN_S: Final = 5.0
_MOVES_WITHIN_S: Final = 10.0
"""A device or link that stands still is given up long before; this is for where that does not happen."""
_RECEIVES_WITHIN_S: Final = 90.0
"""A server pings every 30 s, and what has been silent for 70 s is given up."""


def progress(
    workers: Sequence[Worker],
    microphone: Microphone,
    sender: SenderThread,
    speaker: Speaker,
    link: Callable[[], Link | None],
) -> Progress:
    """All that has to advance in a daemon made of these."""

    def received() -> int:
        current = link()
        return 0 if current is None else round(current.liveness.last_inbound_s * 1000.0)

    def out_of_the_room() -> bool:
        return link() is None

    return Progress(
        (
            *(_round(worker) for worker in workers),
            Watch("captured samples", lambda: microphone.ring.written, lambda: microphone.lost, _MOVES_WITHIN_S),
            Watch("frames sent", lambda: sender.frames, out_of_the_room, _MOVES_WITHIN_S),
            Watch("bytes received", received, out_of_the_room, _RECEIVES_WITHIN_S),
            Watch("samples played", lambda: speaker.played_samples, lambda: speaker.lost, _MOVES_WITHIN_S),
        )
    )


def _round(worker: Worker) -> Watch:
    return Watch(f"the {worker.name} thread", lambda: round(worker.progress_s * 1000.0), lambda: False, _ROUND_WITHIN_S)
