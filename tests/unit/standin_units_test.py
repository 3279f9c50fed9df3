"""The parts of the stand-in that need no socket."""

from __future__ import annotations

import asyncio
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.standin import frames, tokens, topics
from tests.standin.clock import TICK_S, Ticker
from tests.standin.jitter import JitterQueue
from tests.standin.mixing import SILENCE, TickMixer
from tests.standin.outbox import Outbox
from tests.standin.people import Utterance
from tests.standin.records import FrameLog, KeptFrames
from tests.standin.settings import Settings, SettingsError
from tests.standin.sounds import level, tone
from tests.standin.wav import open_recording, read_pcm


def _constant(value: int) -> bytes:
    return np.full(160, value, "<i2").tobytes()


# --- the clock


def test_ticks_keep_their_grid_through_a_stall() -> None:
    async def run() -> tuple[Ticker, list[int], float]:
        ticks: list[int] = []
        ticker = Ticker(ticks.append)
        ticker.start()
        while len(ticks) < 3:
            await asyncio.sleep(0.005)
        time.sleep(0.1)  # the stall
        while len(ticks) < 12:
            await asyncio.sleep(0.005)
        ended_s = time.monotonic()
        ticker.stop()
        return ticker, ticks, ended_s

    ticker, ticks, ended_s = asyncio.run(run())
    assert ticks == list(range(1, len(ticks) + 1))
    assert ticker.made_up >= 3
    assert ticker.time_of(len(ticks)) <= ended_s


def test_a_tick_is_found_by_its_time() -> None:
    ticker = Ticker(lambda _: None)
    for tick in (1, 2, 50, 180_000):
        assert ticker.tick_at(ticker.time_of(tick)) == tick
        assert ticker.tick_at(ticker.time_of(tick) + 0.001) == tick + 1
        assert ticker.tick_at(ticker.time_of(tick) - 0.001) == tick
    assert ticker.time_of(10) - ticker.time_of(9) == pytest.approx(TICK_S)


# --- audio


def test_a_jitter_queue_primes_plays_and_primes_again() -> None:
    queue = JitterQueue(prime_ms=60, cap_ms=400)
    queue.push(_constant(1), 0.00)
    assert queue.pull(0.01) is None
    queue.push(_constant(2), 0.02)
    queue.push(_constant(3), 0.04)
    assert [queue.pull(0.05), queue.pull(0.07), queue.pull(0.09)] == [_constant(1), _constant(2), _constant(3)]
    assert queue.pull(0.11) is None
    assert (queue.primed, queue.ran_dry) == (False, 1)
    queue.push(_constant(4), 0.12)
    assert queue.pull(0.13) is None


def test_a_jitter_queue_plays_a_remainder_once_it_is_old_enough() -> None:
    queue = JitterQueue(prime_ms=60, cap_ms=400)
    queue.push(_constant(1)[:100], 1.0)
    assert queue.pull(1.059) is None
    assert queue.pull(1.060) == _constant(1)[:100] + bytes(220)
    assert queue.held_bytes == 0


def test_a_jitter_queue_drops_the_oldest_at_its_cap() -> None:
    queue = JitterQueue(prime_ms=0, cap_ms=40)
    for value in range(1, 5):
        queue.push(_constant(value), 0)
    assert queue.dropped_bytes == 640
    assert queue.pull(0) == _constant(3)


def test_each_listener_gets_the_mix_without_its_own_voice() -> None:
    a, b, c = _constant(100), _constant(20), _constant(3)
    mixer = TickMixer([a, b, c])
    assert mixer.without(None).pcm == _constant(123)
    assert mixer.without(a).pcm == _constant(23)
    assert mixer.without(b).pcm == _constant(103)
    assert TickMixer([a, b]).without(a).pcm == b
    assert TickMixer([a, b]).without(b).pcm == a
    assert TickMixer([a]).without(a).pcm == SILENCE
    assert TickMixer([]).without(None).pcm == SILENCE


def test_mixing_saturates_on_both_sides() -> None:
    loud, quiet = _constant(30000), _constant(-30000)
    assert TickMixer([loud, loud]).without(None).pcm == _constant(32767)
    assert TickMixer([quiet, quiet]).without(None).pcm == _constant(-32768)
    assert TickMixer([loud, loud, quiet]).without(loud).pcm == _constant(0)


def test_a_mix_is_encoded_once_for_all_its_listeners() -> None:
    mixer = TickMixer([_constant(1), _constant(2)])
    assert mixer.without(None) is mixer.without(None)
    assert mixer.without(None).message is mixer.without(None).message


def test_an_utterance_ends_with_silence_and_loops_whole_ticks() -> None:
    pcm = _constant(1) + _constant(2)[:100]
    once = Utterance(5, pcm, loop=False)
    assert [once.frame(5), once.frame(6)] == [_constant(1), _constant(2)[:100] + bytes(220)]
    assert not once.over(6)
    assert once.over(7)
    assert Utterance(5, pcm, loop=True).frame(7) == _constant(1)


def test_a_wav_of_any_rate_becomes_8_khz_mono(tmp_path: Path) -> None:
    at_s = np.arange(44100) / 44100
    both = np.stack([8000 * np.sin(2 * np.pi * 440 * at_s), 8000 * np.sin(2 * np.pi * 6000 * at_s)], axis=1)
    path = tmp_path / "stereo.wav"
    with wave.open(str(path), "wb") as target:
        target.setnchannels(2)
        target.setsampwidth(2)
        target.setframerate(44100)
        target.writeframes(both.astype("<i2").tobytes())
    pcm = read_pcm(path)
    assert len(pcm) == 16000
    assert level(pcm, 440) == pytest.approx(4000, rel=0.01)
    assert level(pcm, 2000) < 10, "6 kHz must not fold down to 2 kHz"


def test_a_wav_of_the_room_s_own_format_is_read_as_written(tmp_path: Path) -> None:
    with open_recording(tmp_path / "own.wav") as target:
        target.writeframes(tone(440, 0.1))
    assert read_pcm(tmp_path / "own.wav") == tone(440, 0.1)


# --- WebSocket frames


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536])
def test_a_frame_comes_back_byte_by_byte_as_it_went(length: int) -> None:
    payload = bytes(index % 251 for index in range(length))
    data = frames.encode(frames.BINARY, payload, mask=b"\x01\x80\xff\x10")
    whole = list(frames.FrameReader(1 << 20).feed(data))
    assert whole == [(frames.BINARY, payload)]
    reader = frames.FrameReader(1 << 20)
    step = max(1, length // 50)
    pieces = [m for at in range(0, len(data), step) for m in reader.feed(data[at : at + step])]
    assert pieces == whole


def test_messages_before_a_broken_frame_are_still_read() -> None:
    reader = frames.FrameReader(1000)
    messages = reader.feed(frames.encode(frames.TEXT, b"{}", mask=bytes(4)) + b"\x83\x80\0\0\0\0")
    assert next(messages) == (frames.TEXT, b"{}")
    with pytest.raises(frames.BrokenRulesError, match="unknown opcode"):
        next(messages)


def test_fragments_add_up_to_the_limit_and_not_beyond() -> None:
    reader = frames.FrameReader(10)
    assert list(reader.feed(frames.encode(frames.TEXT, bytes(10), fin=False, mask=bytes(4)))) == []
    with pytest.raises(frames.BrokenRulesError) as caught:
        list(reader.feed(frames.encode(frames.CONTINUATION, b"x", mask=bytes(4))))
    assert caught.value.code == 1009


@pytest.mark.parametrize(
    ("payload", "read"), [(b"", (None, "")), (b"\x03\xe8", (1000, "")), (b"\x0f\xa0why", (4000, "why"))]
)
def test_a_close_frame_is_read(payload: bytes, read: tuple[int | None, str]) -> None:
    assert frames.parse_close(payload) == read


# --- outgoing


class _Wire(asyncio.Transport):
    """Keeps what is written; `waiting_bytes` says how much the client has not read."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.waiting_bytes = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return self.waiting_bytes


def test_media_is_dropped_while_the_client_does_not_read() -> None:
    wire = _Wire()
    outbox = Outbox(wire, limit_bytes=1000)
    outbox.media(SILENCE, b"{}")
    wire.waiting_bytes = 1001
    outbox.media(SILENCE, b"{}")
    outbox.text(b"{}")
    assert len(wire.written) == 2
    assert outbox.dropped_media == 1


def test_what_is_held_back_goes_out_in_order_and_is_logged_then() -> None:
    wire = _Wire()
    outbox = Outbox(wire, limit_bytes=1000)
    outbox.log = FrameLog(10)
    outbox.hold()
    outbox.media(_constant(1), b"1")
    outbox.text(b"2")
    assert (wire.written, outbox.log.frames) == ([], 0)
    outbox.resume()
    assert wire.written == [b"\x81\x011\x81\x012"]
    assert outbox.log.frames == 1


def test_nothing_goes_out_after_a_close() -> None:
    wire = _Wire()
    outbox = Outbox(wire, limit_bytes=1000)
    outbox.close(1000, "bye")
    outbox.text(b"late")
    outbox.close(1001, "again")
    assert wire.written == [b"\x88\x05\x03\xe8bye"]


# --- records, tokens, topics, switches


def test_kept_frames_survive_their_packing() -> None:
    log = FrameLog(10)
    log.add(1.25, b"\1\0")
    log.add(2.5, b"\2\0\3\0")
    kept = KeptFrames.unpacked(log.kept(0).packed())
    assert list(kept.times_s) == [1.25, 2.5]
    assert list(kept.sizes_bytes) == [2, 4]
    assert list(kept.samples) == [1, 2, 3]
    assert log.kept(1).pcm == b"\2\0\3\0"
    assert (log.first_s, log.last_s) == (1.25, 2.5)


@pytest.mark.parametrize("token", ["", "a", "a.b", "a.b.c", "ü.b.c", "a.b.c.d", "..", "eyJ9.eyJ9.x"])
def test_what_is_no_token_is_401(token: str) -> None:
    with pytest.raises(tokens.TokenRefusedError) as caught:
        tokens.judge(token, "key", "secret")
    assert caught.value.status == 401


def test_a_token_of_another_key_is_401() -> None:
    good = tokens.mint("key", "secret")
    tokens.judge(good, "key", "secret", "room")
    for key, secret in (("other", "secret"), ("key", "other")):
        with pytest.raises(tokens.TokenRefusedError):
            tokens.judge(good, key, secret)


def test_topics_and_payloads_have_the_page_s_limits() -> None:
    settings = Settings()
    assert topics.checked_topic("t" * 128, settings)
    assert topics.serialised("x" * 8192, settings)
    assert topics.serialised({"a": [1, 2]}, settings) == '{"a":[1,2]}'
    with pytest.raises(topics.TopicRefusedError, match="bad_topic"):
        topics.checked_topic("t" * 129, settings)
    with pytest.raises(topics.TopicRefusedError, match="message_too_large"):
        topics.serialised("x" * 8193, settings)


def test_switches_are_set_by_text() -> None:
    settings = Settings().changed_by_text(
        ["quiet=silence", "ping_interval_s=2", "cap_ms=0", "answer_pings=false", "known_rooms=a,b"]
    )
    assert (settings.quiet, settings.ping_interval_s, settings.cap_ms) == ("silence", 2.0, 0)
    assert (settings.answer_pings, settings.known_rooms) == (False, ("a", "b"))


@pytest.mark.parametrize("text", ["quiet", "quiet=loud", "cap_ms=much", "cap_ms=1.5", "answer_pings=yes", "no_such=1"])
def test_a_switch_that_can_t_be_set_is_named(text: str) -> None:
    with pytest.raises(SettingsError, match=text.partition("=")[0]):
        Settings().changed_by_text([text])


def test_every_switch_explains_itself() -> None:
    source = Path(__file__).parents[1].joinpath("standin", "settings.py").read_text()
    lines = source.splitlines()
    for name in Settings.__dataclass_fields__:
        at = next(i for i, line in enumerate(lines) if line.startswith(f"    {name}: "))
        assert lines[at + 1].startswith('    """'), f"{name} has no docstring"
