"""Half duplex: what the loudspeaker says does not go back, and nobody's first syllable is lost."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ingestd.core.ducking import Ducker, RoomVoice, Span
from tests.rig.echo import down_db
from tests.rig.speech import conversation, speak
from tests.unit.ducking_case import Place

Samples = NDArray[np.int16]
RATE = 8000


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.int16)


def noise(seconds: float, dbfs: float, seed: int = 3) -> Samples:
    samples = np.random.default_rng(seed).standard_normal(round(seconds * RATE)) * 32768 * 10 ** (dbfs / 20)
    return np.rint(samples).astype(np.int16)


def quieter(samples: Samples, by_db: float) -> Samples:
    softer: Samples = np.rint(samples * 10 ** (-by_db / 20)).astype(np.int16)
    return softer


def last_loud(samples: Samples) -> int:
    return int(np.flatnonzero(np.abs(samples.astype(int)) > 200)[-1])


@pytest.mark.parametrize("voice", ["en-gb", "en-us"])
@pytest.mark.parametrize("by_db", [0, 15])
@pytest.mark.parametrize(
    ("block", "hidden_out_s", "hidden_in_s"), [(160, 0.0, 0.0), (80, 0.05, 0.0), (441, 0.0, 0.02), (160, 0.05, 0.02)]
)
def test_the_echo_of_speech_is_thirty_decibels_down(
    voice: str, by_db: float, block: int, hidden_out_s: float, hidden_in_s: float
) -> None:
    room = quieter(conversation(20.0, voice=voice)[0], by_db)
    place = Place(room, block=block, hidden_out_s=hidden_out_s, hidden_in_s=hidden_in_s)
    assert down_db(room, place.microphone) == pytest.approx(10, abs=2), "the coupling is real"
    assert down_db(room, place.sent) >= 40
    assert down_db(place.microphone, place.sent) >= 30


@pytest.mark.parametrize("block", [80, 160, 441])
def test_who_speaks_when_the_room_is_through_is_heard_whole(block: int) -> None:
    said = speak("The gate is open.")
    reply = speak("Yes, I can hear you.")
    begin = last_loud(said) + round(0.25 * RATE)
    room = np.concatenate([said[: last_loud(said) + 1], silence(4.0)])
    near = np.concatenate([np.zeros(begin, np.int16), reply])
    place = Place(room, near, block=block)
    end = begin + len(reply)
    assert np.array_equal(place.sent[begin:end], place.microphone[begin:end])
    assert down_db(said, place.sent[:begin]) >= 40


def test_the_microphone_closes_before_the_voice_can_be_heard() -> None:
    tone = np.rint(8000 * np.sin(np.arange(RATE) * 0.5)).astype(np.int16)
    room = np.concatenate([silence(1.0), tone, silence(1.0)])
    hum = np.full(len(room), 1000, np.int16)
    place = Place(room, hum)
    closed = np.flatnonzero(place.sent == 0)
    assert 0 < RATE - closed[0] <= 0.06 * RATE, "closed before, but not long before"
    assert np.all(place.sent[RATE : 2 * RATE] == 0)
    opened = closed[-1] - 2 * RATE
    assert 0.06 * RATE < opened <= 0.2 * RATE, "past the echo's tail, and soon"
    assert np.array_equal(place.sent[: RATE - 500], place.microphone[: RATE - 500])
    assert np.array_equal(place.sent[2 * RATE + 1700 :], place.microphone[2 * RATE + 1700 : len(place.sent)])


def test_it_closes_and_opens_without_a_click() -> None:
    tone = np.rint(8000 * np.sin(np.arange(RATE) * 0.5)).astype(np.int16)
    room = np.concatenate([silence(1.0), tone, silence(1.0)])
    hum = np.full(len(room), 4000, np.int16)
    ducked = np.diff(np.where(np.abs(Place(room, hum).sent) > 4000, 4000, Place(room, hum).sent).astype(int))
    assert np.max(np.abs(ducked[: RATE - 5])) <= 4000 / 40 + 1, "5 ms down"
    assert np.max(np.abs(ducked[2 * RATE + 600 :])) <= 4000 / 160 + 1, "20 ms up"


def test_a_quiet_consonant_before_the_voice_is_covered_too() -> None:
    """25 ms of an f, 40 dB below the vowel after it."""
    vowel = np.rint(12_000 * np.sin(np.arange(RATE // 2) * 0.12)).astype(np.int16)
    consonant = noise(0.025, -52)
    room = np.concatenate([silence(1.0), consonant, vowel, silence(1.0)])
    place = Place(room)
    assert np.any(place.microphone[RATE : RATE + 200])
    assert not np.any(place.sent)


def test_a_room_that_only_hums_keeps_the_microphone_open_after_a_while() -> None:
    room = np.concatenate([silence(2.0), noise(20.0, -35)])
    near = np.full(len(room), 500, np.int16)
    place = Place(room, near)
    settled = round(6.0 * RATE)
    assert np.array_equal(place.sent[settled:], place.microphone[settled : len(place.sent)])


def test_a_voice_in_a_noisy_room_closes_it_all_the_same() -> None:
    speech = conversation(20.0)[0]
    hum = noise(20.0, -45)
    room = np.clip(speech.astype(int) + hum, -32768, 32767).astype(np.int16)
    place = Place(room)
    assert down_db(room[5 * RATE :], place.sent[5 * RATE :]) >= 30
    quiet = Place(hum)
    assert np.any(quiet.sent[5 * RATE :]), "it is not simply shut"


def test_noise_of_one_speaker_is_forgotten_for_the_next() -> None:
    """Somebody with a machine beside him leaves; who comes then, two seconds later, is not below his noise."""
    next_voice = quieter(conversation(6.0)[0], 14)
    room = np.concatenate([noise(8.0, -20), silence(2.5), next_voice])
    start = round(10.5 * RATE)
    place = Place(room)
    assert down_db(next_voice, place.sent[start:]) >= 40


def test_an_underrun_does_not_make_constant_noise_a_voice() -> None:
    hum = noise(20.0, -35)
    hum[10 * RATE : 10 * RATE + 5000] = 0  # the network's stall
    place = Place(hum, np.full(len(hum), 500, np.int16))
    assert np.array_equal(place.sent[6 * RATE :], place.microphone[6 * RATE : len(place.sent)])


# --- the parts --------------------------------------------------------------------------------------------------


def loud(samples: int) -> bytes:
    return np.full(samples, 8000, np.int16).tobytes()


def spans(voice: RoomVoice) -> list[tuple[float, float]]:
    return [(round(span.from_s, 9), round(span.until_s, 9)) for span in voice.spans]


def test_a_span_lasts_to_the_last_voiced_sample_and_the_hold() -> None:
    voice = RoomVoice()
    voice.played(loud(80) + bytes(2 * 320), 50.0, 400)
    assert spans(voice) == [(50.0, round(50.0 + 480 / RATE + 0.18, 9))]
    voice.played(bytes(2 * 160), 50.1, 400)
    assert len(voice.spans) == 1
    voice.played(loud(80), 50.2, 400)
    assert spans(voice) == [(50.0, round(50.2 + 480 / RATE + 0.18, 9))], "it goes on"
    voice.played(loud(80), 51.0, 0)
    assert spans(voice)[1:] == [(51.0, round(51.0 + 80 / RATE + 0.18, 9))]
    for second in range(100):
        voice.played(loud(80), 60.0 + second, 0)
    assert len(voice.spans) == 3


@pytest.mark.parametrize("count", [1, 79, 80, 159, 160, 1000])
def test_a_block_may_have_any_length(count: int) -> None:
    voice = RoomVoice()
    voice.played(b"", 1.0, 0)
    voice.played(loud(count), 1.0, 0)
    assert spans(voice) == [(1.0, round(1.0 + count / RATE + 0.18, 9))]


def test_an_open_microphone_is_not_copied() -> None:
    voice = RoomVoice()
    ducker = Ducker(voice)
    assert ducker.apply(b"", 5.0) == b""
    pcm = loud(160)
    assert ducker.apply(pcm, 10.0) is pcm
    voice.spans = (Span(1.0, 2.0), Span(30.0, 31.0))
    assert ducker.apply(pcm, 10.0) is pcm


def test_a_block_that_was_read_late_is_closed_where_each_span_was() -> None:
    voice = RoomVoice()
    voice.spans = (Span(1.0, 1.2), Span(1.4, 1.6))
    pcm = np.full(RATE, 1000, np.int16).tobytes()
    out = np.frombuffer(Ducker(voice).apply(pcm, 2.0), np.int16)
    assert len(out) == RATE
    at = {second: int(out[round((second - 1) * RATE)]) for second in (1.01, 1.19, 1.3, 1.42, 1.59, 1.7)}
    assert at == {1.01: 0, 1.19: 0, 1.3: 1000, 1.42: 0, 1.59: 0, 1.7: 1000}
