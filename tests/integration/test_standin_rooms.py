"""The stand-in's rooms: who hears whom, when, and what is recorded of it."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.standin import frames
from tests.standin.client import StandIn
from tests.standin.mixing import media_message
from tests.standin.probe import Probe
from tests.standin.sounds import contains, level, tone

pytest_plugins = ("tests.standin.fixtures",)

_FRAME = tone(440, 0.02)


def test_everyone_hears_everyone_else_and_never_themselves(standin: StandIn) -> None:
    frequencies = (400, 1000, 2300)
    standin.configure(cap_ms=0)
    sessions = [standin.create_session(name=str(f)) for f in frequencies]
    devices = [Probe(session.ws_url) for session in sessions]
    for device, frequency in zip(devices, frequencies, strict=True):
        device.wait("meeting-joined")
        device.raw(_media_frames(tone(frequency, 10), 320))
    for session in sessions:
        standin.wait_received(session.call_id, 500)
    for device, session, own in zip(devices, sessions, frequencies, strict=True):
        all_speak = standin.call(session.call_id).sent_frames  # as of this frame
        heard = device.wait_heard((all_speak + 15) * 320)[all_speak * 320 :]
        for frequency in frequencies:
            if frequency == own:
                assert level(heard, frequency) < 100
            else:
                assert level(heard, frequency) > 4000
    for device in devices:
        device.cut()


def test_what_one_says_is_heard_bit_for_bit(standin: StandIn) -> None:
    alice = standin.add("Alice")
    said = tone(700, 0.5)
    standin.configure(cap_ms=0)
    session = standin.create_session()
    with Probe(session.ws_url) as device:
        device.wait("meeting-joined")
        standin.say(alice, said)
        assert device.wait_heard(len(said)) == said
        device.raw(_media_frames(said, 320))
        standin.wait_for(lambda: contains(standin.hear(alice).pcm, said))


@pytest.mark.parametrize(("said", "heard"), [(30000, 32767), (-30000, -32768)])
def test_the_mix_saturates(standin: StandIn, said: int, heard: int) -> None:
    loud = np.full(1600, said, "<i2").tobytes()
    speakers = [standin.add(name) for name in ("a", "b")]
    listener = standin.add("listener")
    for speaker in speakers:
        standin.say(speaker, loud, loop=True)
    standin.wait_for(lambda: np.full(1600, heard, "<i2").tobytes() in standin.hear(listener).pcm)
    standin.wait_for(lambda: loud in standin.hear(speakers[0]).pcm)


@pytest.mark.parametrize("quiet", ["nothing", "silence"])
def test_a_quiet_room_sends_nothing_or_silence(standin: StandIn, quiet: str) -> None:
    standin.configure(quiet=quiet)
    listener = standin.add("listener")
    session = standin.create_session()
    with Probe(session.ws_url) as device:
        device.wait("meeting-joined")
        already = len(standin.hear(listener).pcm)
        standin.wait_for(lambda: len(standin.hear(listener).pcm) >= already + 10 * 320)
        if quiet == "silence":
            assert device.wait_heard(3200).strip(b"\0") == b""
        else:
            assert standin.call(session.call_id).sent_frames == 0


def test_an_open_microphone_sends_silence(standin: StandIn) -> None:
    standin.add("Alice", publishing=True)
    with Probe(standin.create_session().ws_url) as device:
        assert device.wait_heard(3200).strip(b"\0") == b""


def test_a_pause_in_a_device_s_stream_is_filled_with_silence_only_for_a_moment(standin: StandIn) -> None:
    standin.configure(publishing_hold_ms=100)
    session = standin.create_session()
    with Probe(session.ws_url) as listener, Probe(standin.create_session().ws_url) as speaker:
        listener.wait("meeting-joined")
        speaker.send_media(_FRAME)
        listener.read_until(lambda: contains(listener.heard, _FRAME + bytes(320)))
        standin.wait_for(lambda: _steady(standin, session.call_id))


def _steady(standin: StandIn, call_id: str) -> bool:
    """Whether a tick passes without a frame being sent."""
    tick, sent = standin.state()["tick"], standin.call(call_id).sent_frames
    standin.wait_for(lambda: standin.state()["tick"] >= tick + 3)
    return standin.call(call_id).sent_frames == sent


def test_a_queue_primes_before_it_plays(standin: StandIn) -> None:
    standin.configure(prime_ms=200)
    listener = standin.add("listener")
    session = standin.create_session()
    with Probe(session.ws_url) as device:
        device.wait("meeting-joined")
        sent_s = time.monotonic()
        device.send_media(_FRAME)
        heard = standin.wait_for(lambda: _when_heard(standin, listener, _FRAME))
        assert heard >= sent_s + 0.2 - 0.02


def _when_heard(standin: StandIn, person: str, pcm: bytes) -> float | None:
    """The monotonic time (seconds) of the tick at which `pcm` was heard."""
    heard = standin.hear(person)
    at = heard.pcm.find(pcm)
    return heard.first_s + at / 16000 if at >= 0 else None


@pytest.mark.parametrize(("cap_ms", "dropped_bytes"), [(400, 9600), (0, 0)])
def test_a_queue_is_bounded_and_drops_the_oldest(standin: StandIn, cap_ms: int, dropped_bytes: int) -> None:
    standin.configure(cap_ms=cap_ms, join_delay_s=0.3)
    listener = standin.add("listener")
    session = standin.create_session()
    burst = tone(440, 1.0)
    with Probe(session.ws_url) as device:
        device.raw(_media_frames(burst, 320))
        kept = burst[dropped_bytes:]
        standin.wait_for(lambda: contains(standin.hear(listener).pcm, kept))
        assert not dropped_bytes or not contains(standin.hear(listener).pcm, burst)
        assert standin.call(session.call_id).jitter_dropped_bytes == dropped_bytes


@pytest.mark.parametrize("frame_bytes", [2, 160, 400, 3200])
def test_frames_of_another_length_are_played_and_counted(standin: StandIn, frame_bytes: int) -> None:
    listener = standin.add("listener")
    session = standin.create_session()
    said = tone(440, 0.2)[: 640 * frame_bytes]  # of more frames than that some might come in later than others
    with Probe(session.ws_url) as device:
        device.raw(_media_frames(said, frame_bytes))
        standin.wait_for(lambda: contains(standin.hear(listener).pcm, said))
        assert standin.connection().counts["other_frame_size"] == len(said) / frame_bytes


def _media_frames(pcm: bytes, frame_bytes: int) -> bytes:
    """PCM in media frames, to be written at once: no moment between two of them lets the queue run dry."""
    payloads = [media_message(pcm[at : at + frame_bytes]) for at in range(0, len(pcm), frame_bytes)]
    return b"".join(frames.encode(frames.TEXT, payload, mask=b"\x01\x02\x03\x04") for payload in payloads)


def test_frames_of_another_length_may_be_dropped(standin: StandIn) -> None:
    standin.configure(other_frame_sizes="drop")
    session = standin.create_session()
    with Probe(session.ws_url) as device:
        device.send_media(bytes(160))
        info = standin.wait_received(session.call_id, 1)
        assert info.queued_bytes == 0


@pytest.mark.parametrize(("frame_ms", "burst"), [(20, 1), (60, 1), (30, 1), (10, 1), (20, 4)])
def test_the_length_of_sent_frames_and_bursts_are_switches(standin: StandIn, frame_ms: int, burst: int) -> None:
    standin.configure(send_frame_ms=frame_ms, send_burst_frames=burst)
    alice = standin.add("Alice")
    session = standin.create_session()
    said = tone(440, 0.48)
    with Probe(session.ws_url) as device:
        device.wait("meeting-joined")
        standin.say(alice, said)
        sent: list[int] = []

        def all_sent() -> bool:
            sent.append(standin.call(session.call_id).sent_frames)
            return sent[-1] == 480 / frame_ms

        standin.wait_for(all_sent)
        assert not any(count % burst for count in sent), "it answers between two of its steps: no burst is half out"
        assert device.wait_heard(len(said)) == said
        assert set(device.media_sizes) == {frame_ms * 16}
        assert len(standin.sent(session.call_id).times_s) == 480 / frame_ms


# --- local participants


def test_a_person_begins_to_speak_at_the_time_asked_for(standin: StandIn) -> None:
    alice, bob = standin.add("Alice"), standin.add("Bob")
    at_s = time.monotonic() + 60
    assert at_s <= standin.say(alice, _FRAME, at_monotonic=at_s) <= at_s + 0.02 + 1e-6
    standin.hush(alice)
    at_s = time.monotonic() + 0.2
    began_s = standin.say(alice, _FRAME, at_monotonic=at_s)
    assert began_s >= at_s
    heard_s = standin.wait_for(lambda: _when_heard(standin, bob, _FRAME))
    assert heard_s == pytest.approx(began_s, abs=1e-6)


def test_a_person_says_one_thing_after_the_other(standin: StandIn) -> None:
    alice, bob = standin.add("Alice"), standin.add("Bob")
    first_s = standin.say(alice, tone(440, 0.1), at_monotonic=time.monotonic() + 5)
    second_s = standin.say(alice, tone(880, 0.1))
    assert second_s == pytest.approx(first_s + 0.1, abs=1e-6)
    assert standin.speaking(alice)
    standin.wait_for(lambda: not standin.speaking(alice))
    assert contains(standin.hear(bob).pcm, tone(440, 0.1) + tone(880, 0.1))


def test_a_loop_plays_until_it_is_hushed(standin: StandIn) -> None:
    alice, bob = standin.add("Alice"), standin.add("Bob")
    standin.say(alice, _FRAME, loop=True)
    standin.wait_for(lambda: contains(standin.hear(bob).pcm, _FRAME * 4))
    with pytest.raises(RuntimeError, match="hush"):
        standin.say(alice, _FRAME)
    standin.hush(alice)
    assert not standin.speaking(alice)


def test_a_person_hears_every_tick_silence_included(standin: StandIn) -> None:
    before = standin.state()
    alice = standin.add("Alice")
    standin.wait_for(lambda: len(standin.hear(alice).pcm) >= 25 * 320)
    heard = standin.hear(alice)
    after = standin.state()
    assert heard.missed_ticks == 0
    assert before["now_s"] - 0.02 <= heard.first_s
    last_s = heard.first_s + (len(heard.pcm) // 320 - 1) * 0.02
    assert last_s <= after["now_s"]
    later = standin.hear(alice, start=20)
    assert later.first_s == pytest.approx(heard.first_s + 0.4, abs=1e-6)
    assert later.pcm.startswith(heard.pcm[20 * 320 :])


def test_a_person_leaves_and_what_was_heard_stays(standin: StandIn) -> None:
    alice = standin.add("Alice")
    standin.wait_for(lambda: standin.hear(alice).pcm)
    standin.remove(alice)
    heard = standin.hear(alice)
    assert heard.pcm
    assert standin.gone(alice) == "removed"
    assert standin.look().participants == []


# --- coming and going


def test_the_others_learn_who_comes_and_goes(standin: StandIn) -> None:
    alice = standin.add("Alice", participant_id="alice-1", metadata={"role": "host"})
    described = {"id": "alice-1", "name": "Alice", "metadata": {"role": "host"}}
    with Probe(standin.create_session(name="Device", participant_id="dev").ws_url) as device:
        assert device.wait("participant-joined") == {"event": "participant-joined", "participant": described}
        standin.remove(alice)
        assert device.wait("participant-left") == {"event": "participant-left", "participant": described}
    notice = standin.wait_for(lambda: standin.notices(alice))[0]
    assert notice["participant"] == {"id": "dev", "name": "Device", "metadata": {}}


@pytest.mark.parametrize(
    ("switch", "event"),
    [
        ("send_meeting_joined", "meeting-joined"),
        ("send_participant_joined", "participant-joined"),
        ("send_participant_left", "participant-left"),
        ("send_meeting_left", "meeting-left"),
    ],
)
def test_each_further_frame_can_be_switched_off(standin: StandIn, switch: str, event: str) -> None:
    every = {"meeting-joined", "participant-joined", "participant-left", "meeting-left"}
    standin.configure(**{switch: False})
    with Probe(standin.create_session().ws_url) as device:
        standin.wait_for(lambda: standin.look().participants)
        standin.remove(standin.add("Alice"))
        standin.end_room()
        assert device.wait_closed() == (1000, "")
        assert {frame["event"] for frame in device.frames} == every - {event}


def test_further_frames_may_lack_their_fields(standin: StandIn) -> None:
    standin.configure(sparse_frames=True)
    with Probe(standin.create_session().ws_url) as device:
        standin.wait_for(lambda: standin.look().participants)
        standin.add("Alice")
        standin.end_room()
        device.wait_closed()
        assert all(set(frame) == {"event"} for frame in device.frames)


def test_the_end_of_a_meeting_ends_every_session(standin: StandIn) -> None:
    with Probe(standin.create_session().ws_url) as one, Probe(standin.create_session().ws_url) as two:
        for device in (one, two):
            device.wait("meeting-joined")
        standin.end_room(message="over")
        for device in (one, two):
            assert device.wait("meeting-left") == {"event": "meeting-left", "message": "over"}
            assert device.wait_closed() == (1000, "")


def test_after_meeting_left_the_connection_may_stay(standin: StandIn) -> None:
    standin.configure(close_after_meeting_left=False)
    with Probe(standin.create_session().ws_url) as device:
        device.wait("meeting-joined")
        standin.end_room()
        device.wait("meeting-left")
        device.send("stop")
        assert device.wait_closed() == (1000, "")


def test_a_second_participant_with_the_same_id_evicts_the_first(standin: StandIn) -> None:
    with Probe(standin.create_session(participant_id="twin").ws_url) as first:
        first.wait("meeting-joined")
        with Probe(standin.create_session(participant_id="twin").ws_url) as second:
            second.wait("meeting-joined")
            assert first.wait("meeting-left")["message"] == "DUPLICATE_PARTICIPANT"
            assert first.wait_closed() == (1000, "")
            assert len(standin.look().participants) == 1


def test_twins_may_be_kept(standin: StandIn) -> None:
    standin.configure(same_participant_id="keep")
    with (
        Probe(standin.create_session(participant_id="twin").ws_url) as first,
        Probe(standin.create_session(participant_id="twin").ws_url) as second,
    ):
        first.wait("meeting-joined")
        second.wait("meeting-joined")
        assert [p["id"] for p in standin.look().participants] == ["twin", "twin"]
        second.stream(tone(440, 0.1))
        assert first.wait_heard(1600)


# --- records


def test_every_frame_s_arrival_and_pcm_is_recorded(standin: StandIn) -> None:
    session = standin.create_session()
    said = tone(440, 0.2)
    with Probe(session.ws_url) as device:
        device.wait("meeting-joined")
        before_s = time.monotonic()
        device.stream(said)
        call = standin.wait_received(session.call_id, 10)
    after_s = time.monotonic()
    received = standin.received(session.call_id)
    assert received.times_s.dtype == np.float64
    assert before_s <= received.times_s[0]
    assert received.times_s[-1] <= after_s
    assert np.all(np.diff(received.times_s) >= 0)
    assert list(received.sizes_bytes) == [320] * 10
    assert received.pcm == said
    assert received.samples.tobytes() == said
    assert (call.received_frames, call.received_bytes) == (10, len(said))
    assert standin.received(call.index, start=7).pcm == said[7 * 320 :]


def test_every_frame_sent_is_recorded(standin: StandIn) -> None:
    alice = standin.add("Alice")
    session = standin.create_session()
    said = tone(440, 0.2)
    with Probe(session.ws_url) as device:
        device.wait("meeting-joined")
        began_s = standin.say(alice, said)
        device.wait_heard(len(said))
    sent = standin.sent(session.call_id)
    assert sent.pcm == said
    assert sent.times_s[0] >= began_s
    assert standin.call(session.call_id).sent_frames == 10


def test_recording_is_bounded_and_counting_is_not(standin: StandIn) -> None:
    standin.configure(recorded_s=0.1)
    session = standin.create_session()
    with Probe(session.ws_url) as device:
        for _ in range(10):
            device.send_media(_FRAME)
        assert standin.wait_received(session.call_id, 10).received_bytes == 3200
    received = standin.received(session.call_id)
    assert len(received.times_s) == 5
    assert received.pcm == _FRAME * 5


def test_only_the_newest_calls_keep_their_audio(standin: StandIn) -> None:
    session = standin.create_session()
    with Probe(session.ws_url) as device:
        device.send_media(_FRAME)
        standin.wait_received(session.call_id, 1)
        device.send("stop")
        device.wait_closed()
    standin.configure(kept_calls=1)
    standin.create_session()
    assert standin.call(session.call_id).received_frames == 1
    assert standin.received(session.call_id).pcm == b""
