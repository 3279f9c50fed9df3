"""What is taken out of texts and values, and what is left in them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.doctor.redact import REMOVED, Redactor, is_secret_name
from tests.unit.doctor_case import jwt

JWT = jwt(exp=1)


@pytest.mark.parametrize(
    "text",
    [
        "wss://h.example/x?ref=SECRET-1&y=1",
        "the URL https://h.example/?a=b&key=SECRET-1 was refused",
        "Authorization: Bearer SECRET-1",
        "proxy-authorization: Basic SECRET-1",
        "http://user:SECRET-1@proxy:3128/",
        "http://SECRET-1@proxy:3128/",
        "http://user:a@SECRET-1@proxy:3128/",
        "token=SECRET-1",
        "password: SECRET-1, and more",
        "api_key = 'SECRET-1 with a blank'",
        'hmac_secret: "SECRET-1 with a blank"',
        "my-client-secret: SECRET-1",
        "ref: SECRET-1",
        "-----BEGIN EC PRIVATE KEY-----\nhost relay: SECRET-1\n-----END EC PRIVATE KEY-----",
        f"{'a-long-name.' * 9}client_secret: SECRET-1",
        "X-Api-Key: SECRET-1",
        "x-api-key: secretSECRET-1",
        "api-key=SECRET-1",
        "private-key: SECRET-1",
        "pwd=SECRET-1",
        "psk=SECRET-1",
        "pin: SECRET-1",
        "pass=SECRET-1",
        "Authorization: Token SECRET-1",
        "Authorization: Digest username=a, response=SECRET-1",
        "authorization=AWS4 a b SECRET-1",
        "Cookie: a=b; session=SECRET-1",
        r'{\"token\":\"SECRET-1\"}',
        r'{"body":"{\"password\": \"two SECRET-1\"}"}',
        r'{"api_key": "a\"b SECRET-1"}',
        '{"Authorization": "Token SECRET-1"}',
        "{'secret': 'two SECRET-1'}",
        "password=two SECRET-1",
        "password: two SECRET-1",
        "passphrase = correct horse SECRET-1",
        "+ curl -u a:SECRET-1 https://h.example/",
        "curl --user=a:SECRET-1 h",
        "curl --user a:SECRET-1 h",
        "curl -ua:SECRET-1 h",
        "curl --oauth2-bearer SECRET-1 h",
        "relay --token SECRET-1 --verbose",
        "relay --door-pin=SECRET-1 --verbose",
        "http://me:a/SECRET-1@proxy:3128/",
        "f.yaml:3: backend.auth_scheme: is the text 'SECRET-1'; give one of bearer, raw",
        "f.yaml:3: hooks[0].exec[1]: is the number 5551; put it in quotes to make it text: 'SECRET-1'",
        "f.yaml:3: hooks[0].allow_senders[1]: lists 'SECRET-1' a second time; remove it",
        'f.yaml:3: session.room_id: is "SECRET-1\'", with a control character in it; remove that',
    ],
)
def test_what_looks_like_a_secret_goes(text: str) -> None:
    cleaned = Redactor().text(text)
    assert "SECRET-1" not in cleaned
    assert REMOVED in cleaned


def test_a_jwt_goes_wherever_it_stands() -> None:
    for text in (JWT, f"x{JWT}y", f"'{JWT}'", JWT[:40], f"backend said {JWT.rpartition('.')[0]}. Sorry"):
        assert JWT[:30] not in Redactor().text(text)


@pytest.mark.parametrize(
    "text",
    [
        "/etc/ingestd/token: the token file does not exist; create it",
        "Put a fresh token there, it is then tried at once",
        "backend.token_file: /etc/ingestd/token",
        "2026-11-23T02:06:32+0000 host ingestd[12]: streaming: connected",
        "can't reach the backend (backend.url): can't connect to h.example:443: timed out; check the network",
        "eth0: 192.0.2.1/24 fe80::1",
        " 0 [Mic            ]: USB-Audio - A Microphone",
        "see `systemctl status ingestd` and `journalctl -u ingestd -e`",
        "the microphone 'plughw:CARD=Mic' is open: 8000 Hz",
        "put user and password into backend.proxy in /etc/ingestd/ingestd.yaml",
        "f.yaml:3: backend.token_fil: is not a key ingestd knows; did you mean token_file?",
    ],
)
def test_what_is_none_stays(text: str) -> None:
    assert Redactor(["unrelated"]).text(text) == text


@given(st.text(min_size=4, max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_a_known_secret_goes_from_any_text(secret: str, before: str, after: str) -> None:
    assert secret not in Redactor([secret]).known(before + secret + after).replace(REMOVED, "\0")


def test_of_two_secrets_the_longer_goes_whole() -> None:
    assert Redactor(["abcd", "abcdefgh"]).text("x abcdefgh y") == f"x {REMOVED} y"


def test_values_go_by_their_names() -> None:
    value = {
        "password": "p",
        "apiKey": "k",
        "nested": [{"token": {"a": 1}, "device_secret": 7, "keys": "kept"}],
        "token_file": "/etc/ingestd/token",
        "auth_scheme": "raw",
        "muted": False,
        "secret": None,
        "exec": ["/bin/relay", "--token", "tttt", "--verbose", "-k", "--password=pppp", "https://h/?x=1"],
    }
    cleaned = Redactor().value(value)
    assert cleaned == {
        "password": REMOVED,
        "apiKey": REMOVED,
        "nested": [{"token": REMOVED, "device_secret": REMOVED, "keys": "kept"}],
        "token_file": "/etc/ingestd/token",
        "auth_scheme": "raw",
        "muted": False,
        "secret": None,
        "exec": ["/bin/relay", "--token", REMOVED, "--verbose", "-k", f"--password={REMOVED}", f"https://h/?x={REMOVED}"],
    }
    json.dumps(cleaned)


def test_names_of_secrets() -> None:
    secret = ("token", "API_KEY", "privateKey", "hmac", "clientSecret", "passwd", "ref", "x.auth", "psk", "door_pin")
    assert [name for name in secret if not is_secret_name(name)] == []
    harmless = ("token_file", "auth_scheme", "keys", "reference", "room_id", "hmac_secret_file", "keyboard")
    assert [name for name in harmless if is_secret_name(name)] == []
