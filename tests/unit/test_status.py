"""The status: every key that users and scripts may rely on, and whole while everything moves."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from ingestd import status
from ingestd.audio.ports import Negotiated
from ingestd.core import wire
from ingestd.core.lifecycle import State
from ingestd.core.outbox import Outbox, Outcome, Waiting
from ingestd.core.playout import Playout
from ingestd.errors import ChannelClosed, MeetingEnded
from ingestd.reporter import Reporter
from ingestd.system.notify import Notifier
from ingestd.threads.capture import Microphone
from ingestd.threads.mailbox import LinkEnded
from ingestd.threads.receiver import ReceiverThread
from ingestd.threads.sender import SenderThread
from ingestd.threads.speaker import Speaker
from tests.rig.scripted_ports import ScriptedSink
from tests.unit.reporter_case import WHERE
from tests.unit.supervisor_case import Case

KEYS = {
    "": {"state", "reason", "since", "session", "uplink", "downlink", "devices", "messaging", "faults"},
    "session": {"call_id", "epoch", "start", "started", "reconnects", "failed"},
    "uplink": {"frames", "dropped", "backlog_ms", "latency_ms", "ppm", "level_dbfs", "peak_dbfs", "xruns"},
    "downlink": {
        "frames",
        "delay_ms",
        "target_ms",
        "concealed",
        "accelerated",
        "expanded",
        "underruns",
        "ppm",
        "level_dbfs",
        "peak_dbfs",
    },
    "devices": {"capture", "playback"},
    "clocks": {"capture_ppm", "playback_ppm", "server_ppm"},
    "control": {"clients", "cut_off", "refused", "missed", "dropped"},
}


class Parts:
    """What a status is read off."""

    def __init__(self) -> None:
        self.case = Case()
        self.microphone = Microphone()
        self.outbox = Outbox()
        self.sender = SenderThread(self.microphone, self.case.mailbox, self.outbox)
        self.playout = Playout(400)
        self.speaker = Speaker(ScriptedSink(), self.playout, self.case.mailbox)
        self.receiver = ReceiverThread(self.speaker, self.playout, self.case.mailbox)
        self.reporter = Reporter(Notifier(), lambda _method, _params: None, lambda _now: [], WHERE)

    def snapshot(self) -> dict[str, Any]:
        return status.snapshot(
            self.case.call,
            self.reporter,
            self.microphone,
            self.sender,
            self.receiver,
            self.case.mailbox,
            self.outbox,
            ("CHAT",),
            (),
            {"clients": 1, "cut_off": 0, "refused": 0, "missed": 0, "dropped": 0},
        )


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    return Parts()


def test_every_key_of_the_interface_is_there_in_every_state(parts: Parts) -> None:
    def check(shown: dict[str, Any]) -> None:
        for group, keys in KEYS.items():
            assert keys <= set(shown[group] if group else shown), group
        assert set(shown["uplink"]["latency_ms"]) == {"p50", "p95", "max"}
        assert json.loads(json.dumps(shown, allow_nan=False)) == shown

    check(parts.snapshot())
    parts.case.streaming()
    check(parts.snapshot())
    parts.case.post(LinkEnded(1, ChannelClosed("cut")))
    check(parts.snapshot())


def test_before_the_first_session(parts: Parts) -> None:
    shown = parts.snapshot()
    assert shown["state"] == "idle"
    session = shown["session"]
    assert (session["call_id"], session["epoch"], session["started"], session["reconnects"]) == (None, 0, None, 0)
    assert shown["uplink"]["latency_ms"] == {"p50": 0.0, "p95": 0.0, "max": 0.0}
    assert shown["devices"]["capture"] == {"device": None, "lost": True, "lost_since": None}
    assert shown["faults"] == []


def test_whether_a_call_is_wanted_by_itself(parts: Parts) -> None:
    assert parts.snapshot()["session"]["start"] == "auto"
    parts.case.call.plan = parts.case.call.plan._replace(demand=True)
    assert parts.snapshot()["session"]["start"] == "demand"


def test_failures_are_counted_by_what_was_wrong(parts: Parts) -> None:
    for epoch, error in enumerate((ChannelClosed("away", 1001), ChannelClosed("away again", 1001), OSError("x")), 1):
        parts.reporter.state(State.WAITING, epoch, str(error), error)
    parts.reporter.state(State.STANDBY, 4, "over", MeetingEnded("the meeting has ended"))
    parts.reporter.state(State.WAITING, 5, "no failure", None)
    assert parts.snapshot()["session"]["failed"] == {"closed-1001": 2, "unforeseen": 1}


def test_a_call_and_its_end(parts: Parts) -> None:
    link = parts.case.streaming()
    link.joined = True
    link.liveness.rtt_ms = 12.3456
    link.wire_faults["oversize"] = 1
    shown = parts.snapshot()
    session = shown["session"]
    assert (shown["state"], session["call_id"], session["epoch"], session["joined"]) == ("streaming", "call", 1, True)
    assert session["rtt_ms"] == 12.3
    assert session["started"].endswith("+00:00")
    assert shown["messaging"]["refused"] == {"oversize": 1}
    parts.case.post(LinkEnded(1, ChannelClosed("cut")))
    shown = parts.snapshot()
    assert (shown["state"], shown["session"]["call_id"], shown["session"]["started"]) == ("waiting", None, None)
    assert shown["next_attempt_in_s"] == pytest.approx(0.5)
    assert shown["messaging"]["refused"] == {"oversize": 1}, "what was, was"
    parts.case.after(1)
    again = parts.case.connect()
    again.wire_faults["oversize"] = 1
    shown = parts.snapshot()
    assert shown["messaging"]["refused"] == {"oversize": 2}
    assert (shown["session"]["epoch"], shown["session"]["reconnects"]) == (2, 1)
    assert shown["next_attempt_in_s"] is None


def test_messages_are_counted_by_what_became_of_them(parts: Parts) -> None:
    told: list[Outcome] = []
    for until_s in (1.0, 2.0, 3.0):
        assert parts.outbox.put(Waiting(b"x", 0.0, until_s, told.append))
    parts.outbox.expire(1.0)
    taken = parts.outbox.take(1.0)
    assert taken is not None
    parts.outbox.sent(taken)
    parts.reporter.room_event(wire.Message("CHAT", "x", None, None, None, None))
    shown = parts.snapshot()["messaging"]
    assert {key: shown[key] for key in ("topics", "sent", "received", "waiting", "expired")} == {
        "topics": ["CHAT"],
        "sent": 1,
        "received": 1,
        "waiting": 1,
        "expired": 1,
    }


def test_what_was_counted_is_shown_in_its_unit(parts: Parts) -> None:
    parts.case.streaming()
    parts.sender.frames, parts.sender.silence_frames, parts.sender.dropped_frames = 100, 10, 3
    parts.microphone.ring.write(bytes(2 * 800))
    parts.microphone.overruns = 2
    parts.microphone.clock.gaps = 1
    parts.receiver.frames = 50
    parts.receiver.playout.push(bytes(2 * 800))
    parts.playout.concealed_samples, parts.playout.dropped_samples, parts.playout.underruns = 800, 4160, 1
    parts.playout.accelerated, parts.playout.expanded = 4, 5
    parts.microphone.meter.add(b"\x00\x40" * 24_000)
    parts.microphone.gain.set(-3.5)
    parts.microphone.mute.on = True
    parts.microphone.full_scale.add(b"\xff\x7f" * 3)
    parts.speaker.meter.add(b"\x00\x20" * 24_000)
    parts.speaker.gain.set(6)
    parts.speaker.gain.apply(b"\xff\x7f" * 100)
    shown = parts.snapshot()
    uplink, downlink = shown["uplink"], shown["downlink"]
    assert (uplink["frames"], uplink["silence"], uplink["dropped"], uplink["xruns"]) == (100, 10, 3, 3)
    assert uplink["backlog_ms"] == 100.0
    assert (downlink["frames"], downlink["concealed"], downlink["underruns"]) == (50, 100, 1)
    assert (downlink["delay_ms"], downlink["dropped_ms"]) == (100.0, 520)
    assert downlink["target_ms"] == parts.playout.target_ms > 0
    assert (downlink["accelerated"], downlink["expanded"]) == (4, 5)
    assert (uplink["level_dbfs"], uplink["peak_dbfs"]) == (-6.0, -6.0)
    assert (uplink["clipped"], uplink["muted"], uplink["gain_db"]) == (3, True, -3.5)
    assert (downlink["level_dbfs"], downlink["peak_dbfs"]) == (-12.0, -12.0)
    assert (downlink["clipped"], downlink["gain_db"]) == (100, 6)


def test_what_nobody_knows_yet_is_null_and_silence_is_a_number(parts: Parts) -> None:
    shown = parts.snapshot()
    assert shown["clocks"] == {"capture_ppm": None, "playback_ppm": None, "server_ppm": None}
    assert (shown["uplink"]["ppm"], shown["downlink"]["ppm"]) == (None, None)
    assert (shown["uplink"]["level_dbfs"], shown["uplink"]["peak_dbfs"]) == (-96.0, -96.0)
    assert (shown["downlink"]["level_dbfs"], shown["downlink"]["peak_dbfs"]) == (-96.0, -96.0)


def test_the_clocks_are_shown_against_this_machines_and_the_downlinks_against_each_other(parts: Parts) -> None:
    for number in range(1, 50 * 60):
        parts.speaker.drift.observe(number * 0.02 / (1 - 50e-6), 160 * number)
        parts.receiver.drift.observe(number * 0.02 / (1 + 100e-6), 160 * number)
        parts.microphone.drift.observe(number * 0.02 / (1 + 20e-6), 160 * number)
    shown = parts.snapshot()
    assert shown["clocks"] == {
        "capture_ppm": pytest.approx(20, abs=1),
        "playback_ppm": pytest.approx(-50, abs=1),
        "server_ppm": pytest.approx(100, abs=1),
    }
    assert shown["downlink"]["ppm"] == pytest.approx(150, abs=1)
    assert shown["uplink"]["ppm"] == shown["clocks"]["capture_ppm"]


def test_a_device_shows_what_it_agreed_to(parts: Parts) -> None:
    parts.microphone.device, parts.microphone.lost = "mic", False
    parts.microphone.negotiated = Negotiated("mic", 160, 3200, 48_000, 2, "speexrate", ("see to it",))
    parts.speaker.feed(1000.0)
    parts.speaker.queued_samples = 400
    shown = parts.snapshot()["devices"]
    assert shown["capture"] == {
        "device": "mic",
        "lost": False,
        "lost_since": None,
        "period_ms": 20.0,
        "buffer_ms": 400.0,
        "hardware_rate_hz": 48_000,
        "hardware_channels": 2,
        "converter": "speexrate",
        "warnings": ["see to it"],
    }
    assert shown["playback"] == {
        "device": "scripted",
        "lost": False,
        "lost_since": None,
        "period_ms": 10.0,
        "buffer_ms": 400.0,
        "hardware_rate_hz": None,
        "hardware_channels": None,
        "converter": None,
        "warnings": [],
        "queued_ms": 50.0,
    }


def test_a_lost_device_shows_since_when(parts: Parts) -> None:
    parts.microphone.loss.goes_on("lost", time.monotonic() - 3600)
    shown = parts.snapshot()["devices"]
    assert shown["playback"]["lost_since"] is None, "not looked for yet"
    since = datetime.fromisoformat(shown["capture"]["lost_since"])
    assert abs(time.time() - 3600 - since.timestamp()) < 60
    parts.microphone.loss.over()
    assert parts.snapshot()["devices"]["capture"]["lost_since"] is None


def test_faults_say_what_how_often_and_when(parts: Parts) -> None:
    wall = 1_700_000_000.25
    parts.reporter.faults.add("session", "k", "can't reach it", 1.0, wall - 60)
    parts.reporter.faults.add("session", "k", "can't reach it; check the network", 61.0, wall, "means", "helps", "dns")
    last = "2023-11-14T22:13:20.250+00:00"
    kind = {"area": "session", "name": "dns"}
    what = {**kind, "what": "can't reach it; check the network", "meaning": "means", "remedy": "helps"}
    shown = {**what, "last": last, "count": 2, "over": False}
    assert parts.snapshot()["faults"] == [shown]
    parts.reporter.faults.over("session", 62.0)
    assert parts.snapshot()["faults"] == [{**shown, "over": True}]


def test_it_stays_whole_while_other_threads_count(parts: Parts) -> None:
    link = parts.case.streaming()
    stop = threading.Event()
    broke: list[BaseException] = []

    def disturb() -> None:
        number = 0
        try:
            while not stop.is_set():
                number += 1
                link.wire_faults[f"fault {number % 3000}"] += 1
                if number % 3000 == 0:
                    link.wire_faults = Counter()
                parts.reporter.faults.add("session", str(number % 100), f"what {number % 100}", number, 1e9)
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            broke.append(error)

    interval = sys.getswitchinterval()
    other = threading.Thread(target=disturb)
    sys.setswitchinterval(1e-6)
    try:
        other.start()
        end_s = time.monotonic() + 1.0
        while time.monotonic() < end_s:
            faults = parts.snapshot()["faults"]
            assert len({fault["what"] for fault in faults}) == len(faults) <= 16
    finally:
        stop.set()
        other.join()
        sys.setswitchinterval(interval)
    assert broke == []


def test_how_long_the_first_room_audio_took_is_of_the_present_link(parts: Parts) -> None:
    link = parts.case.streaming()
    assert parts.snapshot()["session"]["first_audio_s"] is None
    parts.receiver.first_media = (link.epoch, parts.case.connections.opened_s + 0.25)
    assert parts.snapshot()["session"]["first_audio_s"] == 0.25
    parts.receiver.first_media = (link.epoch + 1, parts.case.connections.opened_s + 0.25)
    assert parts.snapshot()["session"]["first_audio_s"] is None
