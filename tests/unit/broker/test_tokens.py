"""The service's tokens: what is in them, how long they are used."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import jwt
import pytest

from ingestd.broker.errors import BrokerError
from ingestd.broker.settings import VideoSdk
from ingestd.broker.tokens import Tokens, mint
from tests.standin import tokens as judges

SECRET = "a-secret-of-thirty-two-characters"
NOW_S = 1_795_000_000.25


class Clock:
    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "api-secret"
    path.write_text(SECRET + "\n")
    return path


@pytest.fixture
def minting(clock: Clock, secret_file: Path) -> Tokens:
    return Tokens(VideoSdk(api_key="key-1", api_secret_file=secret_file, token_lives_s=600), clock)


def test_a_token_has_what_the_services_v2_api_wants() -> None:
    token = mint("key-1", SECRET, 600, NOW_S)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False})
    assert claims == {
        "apikey": "key-1",
        "permissions": ["allow_join"],
        "version": 2,
        "roles": ["crawler"],
        "iat": int(NOW_S),
        "exp": int(NOW_S) + 600,
    }


def test_a_token_may_be_for_one_room_and_one_participant() -> None:
    token = mint("key-1", SECRET, 600, NOW_S, room_id="room-a", participant_id="p-1")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["roomId"], claims["participantId"]) == ("room-a", "p-1")


def test_the_stand_in_takes_it() -> None:
    token = mint("key-1", SECRET, 600, time.time(), room_id="room-a")
    judges.judge(token, "key-1", SECRET, "room-a")
    with pytest.raises(judges.TokenRefusedError):
        judges.judge(token, "key-1", SECRET, "room-b")
    with pytest.raises(judges.TokenRefusedError):
        judges.judge(token, "key-1", SECRET + "x")


def test_a_token_is_used_until_a_minute_before_its_end(minting: Tokens, clock: Clock) -> None:
    first = minting.current()
    clock.now_s = int(NOW_S) + 540 - 0.001
    assert minting.current() == first
    clock.now_s = int(NOW_S) + 540
    assert minting.current() != first


def test_a_clock_that_was_set_back_makes_a_new_one(minting: Tokens, clock: Clock) -> None:
    first = minting.current()
    clock.now_s -= 3600
    second = minting.current()
    assert second != first
    assert jwt.decode(second, options={"verify_signature": False})["exp"] == int(clock.now_s) + 600


def test_a_token_that_was_refused_is_used_no_more(minting: Tokens, clock: Clock, secret_file: Path) -> None:
    first = minting.current()
    secret_file.write_text("another-secret-of-this-account-0")
    assert minting.current() == first
    minting.forget(first)
    second = minting.current()
    assert second != first
    jwt.decode(
        second,
        "another-secret-of-this-account-0",
        algorithms=["HS256"],
        options={"verify_exp": False, "verify_iat": False},
    )


def test_one_that_was_minted_since_stays(minting: Tokens, clock: Clock) -> None:
    first = minting.current()
    minting.forget(first)
    clock.now_s += 1
    second = minting.current()
    minting.forget(first)
    clock.now_s += 1
    assert minting.current() == second


def test_many_threads_get_one_token(minting: Tokens, clock: Clock) -> None:
    began = threading.Barrier(8)
    got: list[str] = []

    def ask() -> None:
        began.wait()
        clock.now_s += 1  # each minting would give another
        got.append(minting.current())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 8
    assert len(set(got)) == 1


def test_a_given_token_is_read_anew_each_time(clock: Clock, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first.of.all\n")
    tokens = Tokens(VideoSdk(token_file=path), clock)
    assert tokens.current() == "first.of.all"
    path.write_text("second.of.all")
    tokens.forget("second.of.all")
    assert tokens.current() == "second.of.all"


def test_a_secret_that_cannot_be_read_is_told_with_its_key(minting: Tokens, secret_file: Path) -> None:
    secret_file.write_text("two words")
    with pytest.raises(BrokerError, match=r"videosdk\.api_secret_file: .*api-secret.*API secret") as caught:
        minting.current()
    assert "two words" not in str(caught.value)
    secret_file.unlink()
    with pytest.raises(BrokerError, match=r"api-secret: .*does not exist"):
        minting.current()
    secret_file.write_text(SECRET)
    assert minting.current()


def test_a_token_that_cannot_be_read_is_told_with_its_key(clock: Clock, tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"videosdk\.token_file: .*does not exist"):
        Tokens(VideoSdk(token_file=tmp_path / "none"), clock).current()
