"""Whether the other end is still there."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingestd.core.liveness import Liveness
from ingestd.core.times import DEFAULT, Times

T = 1000.0
PING_EVERY_S = DEFAULT.ping_every_s
PONG_WITHIN_S = DEFAULT.pong_within_s
SILENT_FOR_S = DEFAULT.silent_for_s


def pinged(live: Liveness, now: float) -> bytes:
    """Sends the ping that is due."""
    payload = live.ping(now)
    assert payload is not None
    return payload


def answered() -> Liveness:
    """A connection whose first ping was answered at once."""
    live = Liveness(T)
    live.pong(pinged(live, T), T)
    return live


def test_the_first_ping_goes_at_once_and_the_next_after_its_time() -> None:
    live = answered()
    assert live.ping(T) is None
    assert live.ping(T + PING_EVERY_S - 0.001) is None
    assert live.ping(T + PING_EVERY_S) is not None


def test_one_ping_is_under_way_at_a_time_and_each_has_its_own_payload() -> None:
    live = answered()
    second = pinged(live, T + 3)
    assert live.ping(T + 60) is None
    live.pong(second, T + 60)
    assert pinged(live, T + 60) != second


def test_an_answered_ping_gives_the_round_trip() -> None:
    live = Liveness(T)
    assert (live.rtt_ms, live.min_rtt_ms) == (None, None)
    for now, trip_s, least_ms in ((T, 0.2, 200), (T + 3, 0.05, 50), (T + 6, 0.125, 50)):
        live.pong(pinged(live, now), now + trip_s)
        assert round(live.rtt_ms or 0, 6) == trip_s * 1000
        assert round(live.min_rtt_ms or 0, 6) == least_ms


def test_the_least_round_trip_may_be_none_at_all() -> None:
    live = answered()
    assert live.min_rtt_ms == 0.0
    live.pong(pinged(live, T + 3), T + 4)
    assert (live.rtt_ms, live.min_rtt_ms) == (1000.0, 0.0)


def test_strange_and_repeated_pongs_are_ignored() -> None:
    live = Liveness(T)
    live.pong(b"0", T)
    live.pong(b"", T)
    payload = pinged(live, T)
    live.pong(b"2", T + 1)
    assert live.rtt_ms is None
    live.pong(payload, T + 1)
    live.pong(payload, T + 2)
    assert live.rtt_ms == 1000.0
    second = pinged(live, T + 3)
    live.pong(payload, T + 4)
    assert live.verdict(T + 3 + PONG_WITHIN_S + 1) is not None
    live.pong(second, T + 9)
    assert live.verdict(T + 9) is None


def test_a_peer_that_answered_once_and_then_no_more_is_dead() -> None:
    live = answered()
    pinged(live, T + 3)
    live.inbound(T + 3 + PONG_WITHIN_S + 1)  # its media still comes
    assert live.verdict(T + 3 + PONG_WITHIN_S) is None
    verdict = live.verdict(T + 3 + PONG_WITHIN_S + 1)
    assert verdict is not None
    assert "ping for 6 s" in verdict


def test_a_peer_that_never_answered_a_ping_is_judged_by_its_own_traffic() -> None:
    live = Liveness(T)
    pinged(live, T)
    for second in range(0, 300, 30):
        live.inbound(T + second)
        assert live.verdict(T + second + 29) is None
    assert live.verdict(T + 270 + SILENT_FOR_S) is None
    verdict = live.verdict(T + 270 + SILENT_FOR_S + 1)
    assert verdict is not None
    assert "71 s" in verdict


def test_a_peer_that_is_known_to_answer_is_dead_without_its_first_pong() -> None:
    live = Liveness(T, answers_pings=True)
    pinged(live, T)
    live.inbound(T + PONG_WITHIN_S + 1)
    assert live.verdict(T + PONG_WITHIN_S) is None
    assert live.verdict(T + PONG_WITHIN_S + 1) is not None


def test_before_anything_was_sent_only_silence_counts() -> None:
    live = Liveness(T)
    assert live.verdict(T + SILENT_FOR_S) is None
    assert live.verdict(T + SILENT_FOR_S + 1) is not None


@given(st.lists(st.tuples(st.floats(0, 20), st.sampled_from(["ping", "pong", "in", "other"])), max_size=80))
def test_a_peer_that_answers_within_its_time_is_never_called_dead(steps: list[tuple[float, str]]) -> None:
    live = Liveness(T)
    now, open_since, payload = T, T, b""
    for later_s, what in steps:
        if payload and later_s > PONG_WITHIN_S:
            live.pong(payload, open_since + PONG_WITHIN_S)
            live.inbound(open_since + PONG_WITHIN_S)
            payload = b""
        now += later_s
        if what == "ping" and (sent := live.ping(now)) is not None:
            payload, open_since = sent, now
        elif what == "pong" and payload and now - open_since <= PONG_WITHIN_S:
            live.pong(payload, now)
            payload = b""
        elif what == "other":
            live.pong(b"other", now)
        live.inbound(now)
        if not payload or now - open_since <= PONG_WITHIN_S:
            assert live.verdict(now) is None


def test_all_its_times_can_be_given() -> None:
    live = Liveness(T, answers_pings=True, times=Times(ping_every_s=0.1, pong_within_s=0.2, silent_for_s=0.3))
    live.pong(pinged(live, T), T)
    assert live.ping(T + 0.09) is None
    pinged(live, T + 0.1)
    assert live.verdict(T + 0.29) is None
    assert "ping" in (live.verdict(T + 0.31) or "")
    quiet = Liveness(T, times=Times(silent_for_s=0.3))
    assert quiet.verdict(T + 0.29) is None
    assert "nothing received" in (quiet.verdict(T + 0.31) or "")
