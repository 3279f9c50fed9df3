"""What a lost sound device or another part of the daemon means, and what helps: texts for the catalog, as data. Pure.

The error's own text tells more of the very device; these explain the kind of fault.
"""

from __future__ import annotations

from typing import Final

from ingestd.core.remedies_for_ends import Text

_PLUG: Final = "See that it is plugged in and that its sound server runs; it is looked for twice a second."

DEVICES: Final[dict[str, tuple[Text, Text]]] = {
    "capture": (
        (
            "capture-lost",
            "The microphone is absent, busy, was pulled out or delivers nothing; the room hears silence meanwhile.",
            _PLUG,
        ),
        (
            "capture-unfit",
            "The microphone is there, but can't record as it is configured.",
            "Name another device in audio.capture.device of {config}; `ingestctl devices` lists them.",
        ),
    ),
    "playback": (
        (
            "playback-lost",
            "The loudspeaker is absent, busy, was pulled out or plays nothing; the room is not heard meanwhile.",
            _PLUG,
        ),
        (
            "playback-unfit",
            "The loudspeaker is there, but can't play as it is configured.",
            "Name another device in audio.playback.device of {config}; `ingestctl devices` lists them.",
        ),
    ),
}
"""By the device: lost, and there but unfit."""

RELOAD: Final[Text] = (
    "reload-refused",
    "The configuration has faults and was not taken over: the device runs on as it was configured before.",
    "Mend what is named, see `ingestd --check` as root, then `systemctl reload ingestd`.",
)
LAST_GOOD: Final[Text] = (
    "last-good-configuration",
    "The configuration can't be used as it is now: what worked last, which is kept for that, is used in its place.",
    "Mend what the lines beside this one name, see `ingestd --check` as root, then `systemctl reload ingestd`.",
)
NOT_KEPT: Final[Text] = (
    "state-not-kept",
    "What is to outlive a restart could not be written; until it can, a restart knows what was written last.",
    "Look with `df -h` and `mount` for a disk that is full or read-only; it is written anew with the next change.",
)
LOGGED: Final = (LAST_GOOD, NOT_KEPT)
"""What only the log tells: the status has a field of its own for each."""
METRICS: Final[Text] = (
    "metrics-unavailable",
    "Figures for Prometheus can't be served; the call is not touched by that.",
    "Free the address that metrics.listen names, or install prometheus_client where its Python sees it; it is tried "
    "every 30 s.",
)
