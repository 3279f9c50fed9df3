"""The status of the daemon as JSON, read off the counters of every part without stopping any. Any thread."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from ingestd.core.outbox import Outbox
from ingestd.core.wire import SAMPLE_RATE_HZ
from ingestd.reporter import Reporter
from ingestd.threads.call import Call
from ingestd.threads.capture import Microphone
from ingestd.threads.mailbox import Mailbox
from ingestd.threads.receiver import ReceiverThread
from ingestd.threads.sender import SenderThread
from ingestd.threads.speaker import Speaker


def snapshot(
    call: Call,
    reporter: Reporter,
    microphone: Microphone,
    sender: SenderThread,
    receiver: ReceiverThread,
    mailbox: Mailbox,
    outbox: Outbox,
    topics: Sequence[str],
    config_faults: Sequence[str],
    control: Mapping[str, int],
) -> dict[str, Any]:
    """What `ingestctl --json status` shows; the keys are an interface.

    `topics`: what the room is asked for. `config_faults`: what is wrong with the configuration, where the device runs
    on the last good one. `control`: the figures of the control socket.
    """
    connections = call.connections
    link = connections.carrying
    speaker = receiver.speaker
    playout = receiver.playout
    first_epoch, first_s = receiver.first_media
    capture_ppm, playback_ppm, server_ppm = microphone.drift.ppm, speaker.drift.ppm, receiver.drift.ppm
    return {
        "state": call.state.value,
        "reason": reporter.reason,
        "remedy": reporter.remedy,
        "since": _time(reporter.since),
        "room_since": _time(reporter.room_since),
        "next_attempt_in_s": call.next_attempt_in_s,
        "session": {
            "call_id": link.call_id if link else None,
            "epoch": link.epoch if link else call.epoch,
            "start": "demand" if call.plan.demand else "auto",
            "started": _time(connections.started) if link else None,
            "joined": link.joined if link else False,
            # From the opening of the connection to the first room audio that was taken from it.
            "first_audio_s": round(max(0.0, first_s - connections.opened_s), 3)
            if link and first_epoch == link.epoch
            else None,
            "rtt_ms": _rounded(link.liveness.rtt_ms) if link else None,
            "reconnects": max(0, connections.count - 1 - connections.renewals),
            "renewals": connections.renewals,
            "failed": dict(reporter.failed),
        },
        "room": reporter.room._asdict() if link and reporter.room else None,
        "config": {"last_good": bool(config_faults), "faults": list(config_faults)},
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
            "ppm": _rounded(capture_ppm),
            "xruns": microphone.overruns + microphone.clock.gaps,
            "level_dbfs": round(microphone.meter.level_dbfs, 1),
            "peak_dbfs": round(microphone.meter.peak_dbfs, 1),
            "clipped": microphone.clipped,
            "muted": microphone.mute.on,
            "mute_kept": microphone.mute.kept,
            "gain_db": microphone.gain.gain_db,
        },
        "downlink": {
            "frames": receiver.frames,
            "delay_ms": round(playout.delay_ms, 1),
            "target_ms": round(playout.target_ms, 1),
            # What the playout has to make up for.
            "ppm": None if server_ppm is None or playback_ppm is None else _rounded(server_ppm - playback_ppm),
            "accelerated": playout.accelerated,
            "expanded": playout.expanded,
            "concealed": playout.concealed_samples * 1000 // SAMPLE_RATE_HZ,
            "dropped_ms": (playout.dropped_samples + speaker.unplayed_samples) * 1000 // SAMPLE_RATE_HZ,
            "underruns": playout.underruns,
            "device_underruns": speaker.underruns,
            "played_s": round(speaker.played_samples / SAMPLE_RATE_HZ, 1),
            "level_dbfs": round(speaker.meter.level_dbfs, 1),
            "peak_dbfs": round(speaker.meter.peak_dbfs, 1),
            "clipped": speaker.gain.clipped,
            "gain_db": speaker.gain.gain_db,
        },
        "devices": {
            "capture": _device(microphone),
            "playback": {
                **_device(speaker),
                "queued_ms": round(speaker.queued_samples * 1000 / SAMPLE_RATE_HZ, 1),
            },
        },
        # Each against this machine's clock, so that any two can be compared.
        "clocks": {
            "capture_ppm": _rounded(capture_ppm),
            "playback_ppm": _rounded(playback_ppm),
            "server_ppm": _rounded(server_ppm),
        },
        "messaging": {
            "topics": list(topics),
            "sent": outbox.count,
            "received": reporter.messages,
            "waiting": len(outbox),
            "expired": outbox.expired,
            "refused": dict(connections.wire_faults),
            "discarded": mailbox.discarded_events,
        },
        "control": dict(control),
        "faults": [
            {
                "area": fault.area,
                "name": fault.name,
                "what": fault.what,
                "meaning": fault.meaning,
                "remedy": fault.remedy,
                "last": _time(fault.last),
                "count": fault.count,
                "over": fault.over,
            }
            for fault in reporter.faults.all()
        ],
    }


def _device(device: Microphone | Speaker) -> dict[str, Any]:
    since_s = device.loss.since_s
    shown: dict[str, Any] = {
        "device": device.device,
        "lost": device.lost,
        # By how long it is lost: a machine that boots in the past learns the time only later.
        "lost_since": None if since_s is None else _time(round(time.time() - (time.monotonic() - since_s))),
    }
    if (negotiated := device.negotiated) is not None:  # what it agreed to when it was opened last
        shown |= {
            "period_ms": negotiated.period_samples * 1000 / SAMPLE_RATE_HZ,
            "buffer_ms": negotiated.buffer_samples * 1000 / SAMPLE_RATE_HZ,
            "hardware_rate_hz": negotiated.hardware_rate_hz,
            "hardware_channels": negotiated.hardware_channels,
            "converter": negotiated.converter,
            "warnings": list(negotiated.warnings),
        }
    return shown


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _time(seconds: float) -> str:
    from datetime import UTC, datetime  # a quarter of a MiB: for who asks for the status

    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
