"""Who sent a webhook is judged by the service's key, fetched seldom."""

from __future__ import annotations

import base64
import itertools
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from ingestd.broker.errors import ServiceError
from ingestd.broker.signatures import Signatures, Unproven
from tests.unit.broker.signing import key, pem, signed

BODY = b'{"webhookType":"call-started","data":{"callId":"c1"}}'


class Service:
    """What shows the key, and counts how often it was asked."""

    def __init__(self) -> None:
        self.shows: str | Exception = pem()
        self.asked = 0
        self.now_s = 100.0
        self.signatures = Signatures(self.fetch, lambda: self.now_s, most_waiting=3)

    def fetch(self) -> str:
        self.asked += 1
        if isinstance(self.shows, Exception):
            raise self.shows
        return self.shows

    def status_of(self, body: bytes, signature: str | None) -> int:
        try:
            self.signatures.check(body, signature)
        except Unproven as why:
            return why.status
        return 200


def test_what_the_service_signed_is_taken_and_its_key_is_asked_for_once() -> None:
    service = Service()
    assert [service.status_of(BODY, signed(BODY)) for _ in range(3)] == [200, 200, 200]
    assert service.asked == 1


def test_who_has_to_wait_for_the_key_is_told_before() -> None:
    service = Service()
    asked_then: list[int] = []
    for _ in range(2):
        service.signatures.check(BODY, signed(BODY), lambda: asked_then.append(service.asked))
    assert asked_then == [0], "once, before it was fetched; with the key at hand nobody waits"


@pytest.mark.parametrize(
    "body",
    [
        BODY[:-1] + b" ",
        BODY + b"\n",
        b"",
        json.dumps(json.loads(BODY)).encode(),
        BODY.replace(b"c1", b"c2"),
    ],
    ids=["other-end", "newline", "empty", "re-serialised", "tampered"],
)
def test_only_the_very_bytes_are_taken(body: bytes) -> None:
    assert body != BODY
    assert Service().status_of(body, signed(BODY)) == 401


def test_every_bit_of_a_signature_counts() -> None:
    service = Service()
    good = base64.b64decode(signed(BODY))
    for place in (0, 128, 255):
        flipped = bytearray(good)
        flipped[place] ^= 1
        assert service.status_of(BODY, base64.b64encode(bytes(flipped)).decode()) == 401
    assert service.status_of(BODY, base64.b64encode(good[:-1]).decode()) == 401
    assert service.status_of(BODY, base64.b64encode(good + b"\0").decode()) == 401
    assert service.status_of(BODY, base64.b64encode(good).decode()) == 200


def test_another_padding_or_digest_is_no_signature_of_the_service() -> None:
    service = Service()
    pss = key("service").sign(BODY, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    sha512 = key("service").sign(BODY, padding.PKCS1v15(), hashes.SHA512())
    for made in (pss, sha512):
        assert service.status_of(BODY, base64.b64encode(made).decode()) == 401


@pytest.mark.parametrize(
    ("signature", "why"),
    [
        (None, "no signature"),
        ("", "no signature"),
        ("  ", "no signature"),
        ("not base64!", "no base64"),
        ("AAAA,AAAA", "no base64"),
        ("ÄÄÄÄ", "no base64"),
        ("A", "no base64"),
        ("A" * 4096, "too long"),
    ],
)
def test_what_is_no_signature_is_refused_without_asking_for_the_key(signature: str | None, why: str) -> None:
    service = Service()
    with pytest.raises(Unproven) as refused:
        service.signatures.check(BODY, signature)
    assert (refused.value.status, refused.value.retry_after_s) == (401, None)
    assert why in refused.value.why
    assert service.asked == 0


def test_every_refusal_tells_the_sender_the_same() -> None:
    service = Service()
    told = set()
    for signature in (None, "?", signed(BODY, "stranger")):
        with pytest.raises(Unproven) as refused:
            service.signatures.check(BODY, signature)
        told.add((refused.value.message, refused.value.code))
    assert told == {("The signature is missing or wrong", "bad-signature")}


def test_a_rotated_key_is_fetched_and_the_old_one_is_worth_nothing_then() -> None:
    service = Service()
    assert service.status_of(BODY, signed(BODY)) == 200
    service.shows = pem("rotated")
    assert service.status_of(BODY, signed(BODY, "rotated")) == 200
    assert service.asked == 2
    assert service.status_of(BODY, signed(BODY)) == 401
    assert service.status_of(BODY, signed(BODY, "rotated")) == 200


def test_until_a_new_key_shows_up_in_use_the_old_one_is_good() -> None:
    service = Service()
    assert service.status_of(BODY, signed(BODY)) == 200
    service.shows = pem("rotated")
    assert service.status_of(BODY, signed(BODY)) == 200
    assert service.asked == 1


def test_a_flood_of_bad_signatures_is_no_flood_of_fetches() -> None:
    service = Service()
    bad = signed(BODY, "stranger")
    for tick in range(600):
        service.now_s = 100 + tick / 10
        assert service.status_of(BODY, bad) == 401
        assert service.status_of(BODY, signed(BODY)) == 200
    assert 5 <= service.asked <= 5 + 60 / 5


def test_a_rotation_within_a_flood_is_noticed_with_the_next_fetch() -> None:
    service = Service()
    for _ in range(20):
        assert service.status_of(BODY, signed(BODY, "stranger")) == 401
    service.shows = pem("rotated")
    assert service.status_of(BODY, signed(BODY, "rotated")) == 401
    service.now_s += 5.0
    assert service.status_of(BODY, signed(BODY, "rotated")) == 200


def test_a_key_that_cannot_be_had_is_no_refusal() -> None:
    service = Service()
    service.shows = ServiceError(0, "no answer within 8 s", late=True)
    with pytest.raises(Unproven) as put_off:
        service.signatures.check(BODY, signed(BODY))
    assert put_off.value.status == 503
    assert put_off.value.retry_after_s == 5.0
    assert "no answer within 8 s" in put_off.value.why
    assert "8 s" not in put_off.value.message
    service.shows = pem()
    assert service.status_of(BODY, signed(BODY)) == 200


def test_the_service_says_how_long_its_key_is_away() -> None:
    service = Service()
    service.shows = ServiceError(429, "too many", retry_after_s=30)
    with pytest.raises(Unproven) as put_off:
        service.signatures.check(BODY, signed(BODY))
    assert put_off.value.retry_after_s == 30


def test_a_failing_signature_is_put_off_where_no_newer_key_can_be_had() -> None:
    service = Service()
    assert service.status_of(BODY, signed(BODY)) == 200
    service.shows = ServiceError(502, "bad gateway")
    new = signed(BODY, "rotated")
    assert [service.status_of(BODY, new) for _ in range(8)] == [503] * 8
    assert service.asked == 5  # the rest of what it may ask at once
    assert service.status_of(BODY, signed(BODY)) == 200  # what the known key proves needs no fetch
    service.shows = pem("rotated")
    service.now_s += 5.0
    assert service.status_of(BODY, new) == 200


def _elliptic() -> str:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (lambda: "", "no public key"),
        (lambda: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no public key"),
        (lambda: "\ud800", "no public key"),
        (lambda: pem() + " " * 20_000, "characters"),
        (_elliptic, "no RSA key"),
        (lambda: pem("small", 1024), "1024 bits"),
    ],
    ids=["empty", "garbage", "surrogate", "long", "elliptic", "small"],
)
def test_what_is_no_key_to_judge_by_is_not_judged_by(shown: Callable[[], str], why: str) -> None:
    service = Service()
    service.shows = shown()
    with pytest.raises(Unproven) as put_off:
        service.signatures.check(BODY, signed(BODY))
    assert put_off.value.status == 503
    assert why in put_off.value.why


def test_an_unusable_key_does_not_displace_a_good_one() -> None:
    service = Service()
    assert service.status_of(BODY, signed(BODY)) == 200
    service.shows = "nothing"
    assert service.status_of(BODY, signed(BODY, "stranger")) == 503
    assert service.status_of(BODY, signed(BODY)) == 200


class SlowService(Service):
    """Shows the key once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked, self.may_answer = threading.Event(), threading.Event()

    def fetch(self) -> str:
        self.is_asked.set()
        assert self.may_answer.wait(20)
        return super().fetch()


def test_one_thread_fetches_and_some_others_wait_for_what_it_gets() -> None:
    service = SlowService()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(service.status_of, BODY, signed(BODY))
        assert service.is_asked.wait(20)
        others = [pool.submit(service.status_of, BODY, signed(BODY)) for _ in range(7)]
        put_off = list(itertools.islice(as_completed(others, 20), 4))
        assert [one.result() for one in put_off] == [503] * 4
        service.may_answer.set()
        assert first.result(20) == 200
        assert sorted(one.result(20) for one in others) == [200] * 3 + [503] * 4
    assert service.asked == 1


def test_a_good_signature_waits_for_nobodys_fetch() -> None:
    service = SlowService()
    service.may_answer.set()
    assert service.status_of(BODY, signed(BODY)) == 200
    service.may_answer.clear()
    service.is_asked.clear()
    with ThreadPoolExecutor(2) as pool:
        bad = pool.submit(service.status_of, BODY, signed(BODY, "stranger"))
        assert service.is_asked.wait(20)
        assert pool.submit(service.status_of, BODY, signed(BODY)).result(20) == 200
        assert not bad.done()
        service.may_answer.set()
        assert bad.result(20) == 401


def test_whatever_goes_wrong_in_a_fetch_the_next_one_may_try() -> None:
    service = Service()
    service.shows = RuntimeError("a fault of ours")
    with pytest.raises(RuntimeError):
        service.signatures.check(BODY, signed(BODY))
    service.shows = pem()
    assert service.status_of(BODY, signed(BODY)) == 200
