"""The players beside ours do what they are said to do."""

from __future__ import annotations

from tests.bench.players import Fixed, Player, Vendor

MS = 16
SAMPLES = 8  # of a millisecond


def pcm(start_ms: int, ms: int) -> bytes:
    """Audio whose every millisecond differs from the next and from silence."""
    return b"".join(bytes([1 + (start_ms + n) % 255]) * MS for n in range(ms))


def pulled(player: Player, ms: int) -> bytes:
    return player.pull(ms * SAMPLES)


def test_the_vendors_waits_for_120_ms_and_keeps_its_last_sample() -> None:
    player = Vendor()
    player.push(pcm(0, 119))
    assert pulled(player, 20) == bytes(20 * MS)
    player.push(pcm(119, 1))
    assert pulled(player, 20) == pcm(0, 20)
    assert pulled(player, 110) == pcm(20, 100)[:-2] + bytes(10 * MS + 2)
    assert (player.underruns, player.concealed_samples) == (1, 10 * SAMPLES + 1)
    assert player.delay_ms == 1 / SAMPLES


def test_the_vendors_waits_again_after_it_ran_dry_and_plays_on_where_it_stopped() -> None:
    player = Vendor()
    player.push(pcm(0, 120))
    pulled(player, 130)
    player.push(pcm(120, 100))
    assert pulled(player, 20) == bytes(20 * MS), "101 ms are not 120"
    assert player.concealed_samples == 10 * SAMPLES + 1 + 20 * SAMPLES
    player.push(pcm(220, 20))
    assert pulled(player, 20) == pcm(0, 120)[-2:] + pcm(120, 20)[:-2]
    assert player.underruns == 1


def test_the_vendors_has_no_bound() -> None:
    player = Vendor()
    player.push(pcm(0, 60_000))
    assert (player.delay_ms, player.dropped_samples) == (60_000, 0)
    assert pulled(player, 20) == pcm(0, 20)


def test_the_fixed_one_waits_for_200_ms_and_again_after_it_ran_dry() -> None:
    player = Fixed()
    player.push(pcm(0, 199))
    assert pulled(player, 20) == bytes(20 * MS)
    assert player.concealed_samples == 0, "it has not begun yet"
    player.push(pcm(199, 1))
    assert pulled(player, 210) == pcm(0, 200) + bytes(10 * MS)
    player.push(pcm(200, 199))
    assert pulled(player, 20) == bytes(20 * MS)
    player.push(pcm(399, 1))
    assert pulled(player, 20) == pcm(200, 20)
    assert (player.underruns, player.concealed_samples) == (1, 30 * SAMPLES)


def test_the_fixed_one_drops_the_oldest_over_400_ms() -> None:
    player = Fixed()
    player.push(pcm(0, 400))
    assert player.dropped_samples == 0
    player.push(pcm(400, 20))
    assert player.dropped_samples == 20 * SAMPLES
    assert player.delay_ms == 400
    assert pulled(player, 20) == pcm(20, 20)


def test_a_new_connection_begins_anew() -> None:
    for player in (Vendor(), Fixed()):
        player.push(pcm(0, 300))
        pulled(player, 20)
        player.clear()
        assert player.delay_ms == 0
        assert pulled(player, 20) == bytes(20 * MS)
        assert (player.underruns, player.concealed_samples) == (0, 0)
