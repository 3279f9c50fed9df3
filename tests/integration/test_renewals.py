"""Sessions renewed under way: the room hears every frame exactly once, and the device hears the room throughout."""

from __future__ import annotations

import contextlib
import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingestd.control.client import ControlClient
from tests.bench.clicks import clicks
from tests.rig.figures import Figures
from tests.rig.heard import Heard
from tests.rig.memory_device import device_config
from tests.rig.process import wait_until
from tests.rig.recording_device import RecordingDevice
from tests.rig.renewing import RenewedCall
from tests.rig.resources import Resources
from tests.rig.speech import conversation
from tests.rig.wav import Pcm
from tests.standin.client import StandIn

pytestmark = pytest.mark.calm

WARM_UP = 5
"""Renewals after which a process holds all that it ever will."""
RENEWALS = 100
APART = 15
"""So many of them not at once, but a moment after the one before."""
EVICTIONS = 20
GUARD_S = 20.0
NOBODY: dict[str, Any] = {"id": None, "metadata": {}}
"""A participant whose id the service chooses, anew for each session."""


def speech(seconds: float) -> Pcm:
    """A voice with some noise behind it, so that every piece of it is unlike all other."""
    pcm, _ = conversation(seconds)
    noise = np.random.default_rng(1).normal(0.0, 12.0, len(pcm))
    return np.clip(pcm * 0.7 + noise, -32768, 32767).astype(np.int16)


@contextmanager
def streaming(
    room: StandIn, directory: Path, session: Mapping[str, Any], times: Mapping[str, Any] | None = None
) -> Iterator[RecordingDevice]:
    config = device_config(room.base_url, room.token, room.ca_file, directory, **session)
    with RecordingDevice(directory, config, {"reconnect_every_s": 0.0, **(times or {})}) as device:
        room.wait_joined()
        yield device


def one_left(room: StandIn) -> None:
    """No session but the last stays open."""
    wait_until(lambda: len(room.state()["open_connections"]) == 1, GUARD_S, "the end of all sessions but one")


def left_behind(pid: int, held: Resources) -> str:
    """What a process holds more, once it has had the time to let go of it."""
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not Resources.of(pid).more_than(held), GUARD_S, "nothing more", every=0.2)
    return Resources.of(pid).more_than(held)


def lost(heard: Heard, status: Mapping[str, Any]) -> int:
    """Frames that never came, but for those that the device dropped because this machine had stood still."""
    return max(0, len(heard.lost) - int(status["uplink"]["dropped"]))


def exactly_once(heard: Heard, status: Mapping[str, Any]) -> None:
    late = int(np.argmax(heard.numbers > 0))
    assert np.all(heard.numbers[late:] > 0), "no frame is torn, none is silence"
    assert not np.any(heard.numbers[:late]), "but of a microphone that was late"
    assert late <= status["uplink"]["silence"]
    assert lost(heard, status) == 0, heard.lost
    assert heard.doubled == 0


def test_a_hundred_in_a_row(tmp_path: Path, figures: Figures) -> None:
    pcm = speech(90.0)
    draw = random.Random(4)
    pauses_s = [0.0] * (RENEWALS - WARM_UP - APART) + [draw.uniform(0.0, 0.3) for _ in range(APART)]
    with StandIn(tls=True) as room, streaming(room, tmp_path, {"participant": NOBODY}) as device:
        alice = room.add("Alice")
        with RenewedCall(room, device, alice) as call:
            room.say(alice, pcm.astype("<i2").tobytes())
            call.renew([0.2] * WARM_UP)
            call.settle()
            held = Resources.of(device.process.pid)
            call.renew(pauses_s)
            call.go_on(0.5)
            one_left(room)
            call.settle()
            more = left_behind(device.process.pid, held)
            arrived = Counter(call.arrived())
            handled = Counter(call.handled)
            published, said = call.published, call.said
        status = device.counted_status()
        ended = device.stop()
        heard = Heard(room, ended["start_s"], ended["frame_s"])
        calls = len(room.calls())
    found = clicks(device.played.astype(np.int16), pcm)

    figures.add("renewals", calls - 1, min=RENEWALS, max=RENEWALS)
    figures.add("renewal_frames", len(heard.numbers))
    figures.add("renewal_frames_lost", lost(heard, status), max=0)
    figures.add("renewal_frames_dropped_after_stalls", status["uplink"]["dropped"])
    figures.add("renewal_frames_doubled", heard.doubled, max=0)
    figures.add("renewal_uplink_gap_max_ms", heard.longest_gap_s * 1000)
    figures.add("renewal_messages_sent_missing", published - len(arrived), max=0)
    figures.add("renewal_messages_received_missing", said - len(handled), max=0)
    figures.add("renewal_downlink_underruns", status["downlink"]["underruns"])
    figures.add("renewal_downlink_concealed_ms", status["downlink"]["concealed"])
    figures.add("renewal_downlink_dropped_ms", status["downlink"]["dropped_ms"])
    figures.add("renewal_downlink_clicks", len(found))
    assert calls == RENEWALS + 1
    exactly_once(heard, status)
    assert arrived == Counter(str(number) for number in range(published))
    assert handled == Counter(str(number) for number in range(said))
    assert not more, f"left behind: {more}"
    assert status["faults"] == []
    assert (status["session"]["renewals"], status["session"]["reconnects"]) == (RENEWALS, 0)
    assert ended["exit"] == 0


def test_the_device_does_not_hear_itself(tmp_path: Path, figures: Figures) -> None:
    """Nobody else says a word: whatever the loudspeaker plays is the device's own microphone."""
    with StandIn(tls=True) as room, streaming(room, tmp_path, {"participant": NOBODY}) as device:
        alice = room.add("Alice", publishing=True)
        with RenewedCall(room, device, alice) as call:
            call.renew([0.1] * EVICTIONS)
            call.go_on(0.5)
        status = device.counted_status()
        ended = device.stop()
    assert ended["exit"] == 0
    assert status["downlink"]["frames"] > 50, "a silent room is heard"
    own_ms = np.count_nonzero(device.played) / 8
    figures.add("renewal_own_voice_ms", own_ms)
    assert own_ms == 0


def test_the_service_evicts_the_first_by_its_id(tmp_path: Path, figures: Figures) -> None:
    with StandIn(tls=True) as room, streaming(room, tmp_path, {}) as device:
        alice = room.add("Alice")
        with RenewedCall(room, device, alice) as call:
            call.renew([0.1] * EVICTIONS)
            call.go_on(0.5)
            one_left(room)
        status = device.counted_status()
        ended = device.stop()
        heard = Heard(room, ended["start_s"], ended["frame_s"])
        calls = len(room.calls())
    figures.add("evicted_frames_lost", lost(heard, status), max=EVICTIONS)
    figures.add("evicted_frames_doubled", heard.doubled, max=0)
    assert calls == EVICTIONS + 1
    assert lost(heard, status) <= EVICTIONS, "at most one a renewal"
    assert heard.doubled == 0
    assert status["faults"] == []
    assert ended["exit"] == 0


def test_a_service_that_takes_its_time_to_join_and_drops_what_comes_before(tmp_path: Path, figures: Figures) -> None:
    switches: dict[str, Any] = {"join_delay_s": 0.3, "media_before_join": "drop"}
    with StandIn(tls=True, **switches) as room, streaming(room, tmp_path, {"participant": NOBODY}) as device:
        alice = room.add("Alice")
        with RenewedCall(room, device, alice) as call:
            call.renew([0.1] * 10)
            call.go_on(0.5)
            one_left(room)
        status = device.counted_status()
        ended = device.stop()
        heard = Heard(room, ended["start_s"], ended["frame_s"])
        early = sum(connection.counts["media_before_join"] for connection in room.connections(1))
    figures.add("late_join_frames_lost", lost(heard, status) + early, max=0)
    exactly_once(heard, status)
    assert early == 0, "no frame is sent to a session that has not joined"
    assert status["faults"] == []


def test_an_agent_is_never_attached_twice(tmp_path: Path, figures: Figures) -> None:
    session = {"participant": NOBODY, "agent": {"id": "helper"}}
    with StandIn(tls=True) as room, streaming(room, tmp_path, session) as device:
        for number in range(8):
            room.wait_received(number, 10)
            with ControlClient(device.socket) as client:
                client.call("reconnect")
            room.wait_joined(number + 2)
        room.wait_received(8, 10)
        status = device.counted_status()
        ended = device.stop()
        heard = Heard(room, ended["start_s"], ended["frame_s"])
        connections = room.connections()
        agents = [call.body.get("agent") for call in room.calls()]
    assert agents == [{"id": "helper"}] * 9
    assert status["faults"] == []
    for before, after in itertools.pairwise(connections):
        assert before.closed_s is not None
        assert before.stopped_s is not None
        assert after.started_s is not None
        assert before.closed_s <= after.started_s, "two sessions with the agent at once"
    figures.add("agent_renewal_gap_max_ms", heard.longest_gap_s * 1000, max=1000)
    assert ended["exit"] == 0


@pytest.mark.parametrize("why", ["max_age", "token"])
def test_a_session_grows_old_or_its_token_is_replaced(tmp_path: Path, figures: Figures, why: str) -> None:
    session: dict[str, Any] = {"participant": NOBODY, "max_age_s": 2 if why == "max_age" else None}
    with StandIn(tls=True) as room, streaming(room, tmp_path, session, {"renew_jitter_s": 0.5}) as device:
        for number in range(2, 5):
            time.sleep(0.5)
            if why == "token":
                (tmp_path / "token").write_text(room.mint_token(expires_in_s=86400.0 + number))
            room.wait_joined(number)
        time.sleep(0.5)
        one_left(room)
        status = device.counted_status()
        said = device.log
        ended = device.stop()
        heard = Heard(room, ended["start_s"], ended["frame_s"])
        connections = room.connections()
    exactly_once(heard, status)
    assert status["faults"] == []
    assert ("session.max_age_s is 2" if why == "max_age" else "there is a new token") in said
    assert ended["exit"] == 0
    if why == "max_age":
        ages_s = [c.stopped_s - c.connected_s for c in connections[:-1] if c.stopped_s is not None]
        assert len(ages_s) == len(connections) - 1 >= 3  # one more where the machine was slow to end it
        span_s = connections[-1].connected_s - connections[0].connected_s
        assert len(ages_s) <= span_s / 1.75, "one each two seconds, and none besides"
        assert figures.add("max_age_2s_oldest_session_s", max(ages_s), max=2 + 2)
