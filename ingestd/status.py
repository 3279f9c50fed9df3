"""The status of the daemon as JSON, read off the counters of every part without stopping any. Any thread."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from ingestd.core.wire import SAMPLE_RATE_HZ
from ingestd.reporter import Reporter
from ingestd.threads.capture import Microphone
from ingestd.threads.mailbox import Mailbox
from ingestd.threads.receiver import ReceiverThread
from ingestd.threads.sender import SenderThread
from ingestd.threads.supervisor import Supervisor


def snapshot(
    supervisor: Supervisor,
    reporter: Reporter,
    microphone: Microphone,
    sender: SenderThread,
    receiver: ReceiverThread,
    mailbox: Mailbox,
) -> dict[str, Any]:
    """What `ingestctl --json status` shows; the keys are an interface."""
    link = supervisor.link
    speaker = receiver.speaker
    playout = receiver.playout
    return {
        "state": supervisor.state.value,
        "reason": reporter.reason,
        "since": _time(reporter.since),
        "next_attempt_in_s": supervisor.next_attempt_in_s,
        "session": {
            "call_id": link.call_id if link else None,
            "epoch": supervisor.epoch,
            "started": _time(supervisor.started) if link else None,
            "joined": link.joined if link else False,
            "rtt_ms": link.liveness.rtt_ms if link else None,
            "reconnects": max(0, supervisor.connections - 1),
        },
        "uplink": {
            "frames": sender.frames,
            "silence": sender.silence_frames,
            "dropped": sender.dropped_frames,
            "backlog_ms": round(sender.backlog_ms, 1) if link else 0.0,
            "latency_ms": {
                "p50": round(sender.latency.percentile_ms(50), 2),
                "p95": round(sender.latency.percentile_ms(95), 2),
                "max": round(sender.latency.max_ms, 2),
            },
            "ppm": round(microphone.clock.drift_ppm, 1),
            "xruns": microphone.overruns + microphone.clock.gaps,
        },
        "downlink": {
            "frames": receiver.frames,
            "delay_ms": round(playout.delay_ms, 1),
            "target_ms": round(playout.target_ms, 1),
            "concealed": playout.concealed_samples * 1000 // SAMPLE_RATE_HZ,
            "dropped_ms": playout.dropped_samples * 1000 // SAMPLE_RATE_HZ,
            "underruns": playout.underruns,
            "device_underruns": speaker.underruns,
            "played_s": round(speaker.played_samples / SAMPLE_RATE_HZ, 1),
        },
        "devices": {
            "capture": {"device": microphone.device, "lost": microphone.lost},
            "playback": {"device": speaker.device, "lost": speaker.lost},
        },
        "messaging": {
            "sent": supervisor.messages_sent + (link.messages_sent if link else 0),
            "refused": dict(supervisor.wire_faults + Counter(dict(link.wire_faults) if link else {})),
            "discarded": mailbox.discarded_events,
        },
        "faults": [
            {"what": fault.what, "last": _time(fault.last), "count": fault.count} for fault in reporter.faults.all()
        ],
    }


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
