"""A status as a daemon of today gives it, for what is made of one."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def ago(seconds: float) -> str:
    """A time of the status."""
    return (NOW - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


_GOOD: dict[str, Any] = {
    "state": "streaming",
    "reason": "connected",
    "since": ago(60),
    "room_since": ago(11520),
    "next_attempt_in_s": None,
    "session": {
        "call_id": "call-7f3a",
        "epoch": 3,
        "started": ago(60),
        "joined": True,
        "rtt_ms": 24.3,
        "reconnects": 1,
        "renewals": 12,
    },
    "room": {"text": "joined, hearing the room", "joined": True, "others": 1, "alone_s": None},
    "config": {"last_good": False, "faults": []},
    "uplink": {
        "frames": 576000,
        "silence": 0,
        "dropped": 0,
        "backlog_ms": 0.0,
        "latency_ms": {"p50": 2.71, "p95": 2.9, "max": 5.13},
        "ppm": 12.3,
        "xruns": 0,
        "level_dbfs": -23.4,
        "peak_dbfs": -12.0,
        "clipped": 0,
        "muted": False,
        "gain_db": 6.0,
    },
    "downlink": {
        "frames": 575000,
        "delay_ms": 52.3,
        "target_ms": 60.0,
        "ppm": -3.4,
        "accelerated": 3,
        "expanded": 2,
        "concealed": 120,
        "dropped_ms": 0,
        "underruns": 1,
        "device_underruns": 0,
        "played_s": 11400.0,
        "level_dbfs": -31.0,
        "peak_dbfs": -20.2,
        "clipped": 0,
        "gain_db": 0.0,
    },
    "devices": {
        "capture": {
            "device": "plughw:CARD=Mic",
            "lost": False,
            "lost_since": None,
            "period_ms": 20.0,
            "buffer_ms": 80.0,
            "hardware_rate_hz": 48000,
            "hardware_channels": 2,
            "converter": "speexrate",
            "warnings": [],
        },
        "playback": {
            "device": "plughw:CARD=Speaker",
            "lost": False,
            "lost_since": None,
            "period_ms": 10.0,
            "buffer_ms": 100.0,
            "hardware_rate_hz": 8000,
            "hardware_channels": 1,
            "converter": None,
            "warnings": [],
            "queued_ms": 30.0,
        },
    },
    "clocks": {"capture_ppm": 12.3, "playback_ppm": 1.0, "server_ppm": -2.4},
    "messaging": {
        "topics": ["CHAT", "RELAY"],
        "sent": 3,
        "received": 5,
        "waiting": 0,
        "expired": 0,
        "refused": {},
        "discarded": 0,
    },
    "faults": [],
}


def good() -> dict[str, Any]:
    """All is well; changed at will."""
    return copy.deepcopy(_GOOD)


def fault(
    what: str, *, area: str = "session", over: bool = False, count: int = 1, age_s: float = 5.0, **advice: str
) -> dict[str, Any]:
    """An entry of `faults`; `advice` is meaning and remedy."""
    entry = {"area": area, "what": what, "meaning": "", "remedy": "", "last": ago(age_s), "count": count, "over": over}
    return {**entry, **advice}
