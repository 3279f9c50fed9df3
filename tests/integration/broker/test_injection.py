"""Texts that mean harm, in every place that takes any: kept as the text they are or refused, and no more."""

from __future__ import annotations

import json
import re

import pytest
from sqlalchemy import select

from ingestd.broker.model import EVENTS
from tests.integration.broker.hostile_case import FORBIDDEN, WEBHOOKS, Site
from tests.rig.raw_http import request
from tests.rig.raw_service import answer

TEXTS = (
    "' OR '1'='1",
    "'; DROP TABLE devices; --",
    '"); DELETE FROM devices; --',
    "x' UNION SELECT key_hash, key_id FROM devices --",
    "\\'; UPDATE devices SET enabled = 1; --",
    "%(wanted)s :wanted ? $1 {0} %s %n",
    "a\0b",
    "\x1b[2J\x1b]0;owned\x07",
    "a\r\nSet-Cookie: owned=1\r\n\r\nHTTP/1.1 200 OK",
    "\n2026-11-23 12:00:00,000 ERROR   forged",
    "\u202egnp.exe\u2066\u2028\x85",
    "\ud800",
    "\U0001f511" * 200,
    "A" * 60_000,
    "../../../etc/passwd",
    "{{7*7}}${7*7}",
    "",
    " ",
)


def in_header(text: str) -> list[bytes]:
    """As who writes headers by hand would have it, and as far as a header takes it."""
    raw = text.encode("utf-8", "surrogatepass")
    return [raw, re.sub(rb"[\x00-\x1f\x7f]+", b" ", raw)[:4000]]


def test_texts_in_a_key(site: Site) -> None:
    before = site.rows()
    for text in TEXTS:
        for value in in_header(text):
            got = site.ask(request("/v1/sessions", {"Authorization": b"Bearer " + value}, b"{}"))
            assert got.status in (400, 401, 431)
            got = site.ask(request("/v1/devices", {"Authorization": b"Bearer " + value}, method="GET"))
            assert got.status in (400, 401, 431)
            got = site.ask(request(WEBHOOKS, {"videosdk-signature": value}, b"{}"))
            assert got.status in (400, 401, 431)
    assert site.rows() == before


def test_texts_in_a_certificates_name(site: Site) -> None:
    before = site.rows()
    for text in TEXTS:
        for value in in_header(text):
            assert site.ask(request("/v1/sessions", {"X-Client-Name": value}, b"{}")).status in (400, 401, 431)
    assert site.rows() == before
    assert site.ask(request("/v1/sessions", {"X-Client-Name": "field-1.example"}, b"{}")).status == 200


def test_texts_in_a_request_for_a_session(site: Site) -> None:
    before = site.rows()
    made = 0
    for text in TEXTS:
        for body in (
            {"roomId": text},
            {"participant": {"id": text}},
            {"participant": {"name": text, "metadata": {text: text}}},
            {"agent": {"id": text, text: text, "metadata": {"a": [text]}}},
            {"region": text},
            {text: text},
        ):
            got = site.session(body)
            assert got.status in (200, 400, 413), (body, got)
            made += got.status == 200
    assert made >= len(TEXTS)
    assert site.rows() == {**before, "sessions": before["sessions"] + made}


def test_texts_in_webhooks(site: Site) -> None:
    before = site.rows()
    stored = 0
    for text in TEXTS:
        for body in (
            {"webhookType": text, "data": {"callId": "c1"}},
            {"type": text},
            {"webhookType": "call-started", "data": {"callId": text, "roomId": text, "participantId": text}},
            {"webhookType": "call-hangup", "callId": text, "timestamp": text},
            {"webhookType": "call-hangup", "data": {"timestamp": text, text: text}},
        ):
            got = site.webhook(body)
            assert got.status in (200, 400), (body, got)
            stored += got.status == 200
    assert stored >= 4 * len(TEXTS)
    assert site.rows() == {**before, "events": before["events"] + stored}
    with site.broker.open_storage() as storage, storage.reading() as connection:
        kinds = set(connection.execute(select(EVENTS.c.kind)).scalars())
    assert "'; DROP TABLE devices; --" in kinds, "kept as it came"


def test_texts_in_a_query_and_a_path(site: Site) -> None:
    before = site.rows()
    quoted = [re.sub(rb"[^!-~]|[%#+&]", lambda one: b"%%%02X" % one[0][0], in_header(text)[0]) for text in TEXTS]
    for text in quoted:
        for path in (b"/v1/devices?after=%s", b"/v1/devices?limit=%s", b"/v1/devices?%s=1", b"/v1/%s", b"/%s"):
            got = site.operator((path % text).decode())
            assert got.status in (200, 400, 404, 405, 414, 431), (path, text, got)
    assert site.rows() == before


@pytest.mark.parametrize("number", ["1e999", "-0", "9" * 5000, "1e-400", "NaN", "-Infinity", "9223372036854775808"])
def test_numbers_that_fit_nowhere(site: Site, number: str) -> None:
    value = number.encode()
    assert site.session(b'{"participant":{"metadata":{"n":%s}}}' % value).status in (200, 400)
    assert site.webhook(b'{"webhookType":"n","data":{"timestamp":%s}}' % value).status in (200, 400)
    assert site.webhook(b'{"timestamp":%s}' % value).status in (200, 400)
    assert site.operator(f"/v1/devices?limit={number[:3000]}").status in (200, 400)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b'{"participant":{"metadata":' + b'{"a":' * 9000 + b"1" + b"}" * 9002,
        b'{"a":' * 9000 + b"1" + b"}" * 9000,
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"roomId":"\\ud800"}',
        b'{"roomId":"a\\u0000b"}',
        b'{"roomId":"a","roomId":{}}',
        b'{"participant":[]}',
        b"{" + b",".join(b'"k%d":1' % number for number in range(5000)) + b"}",
        b" " * 65_000,
        b"\0" * 1000,
    ],
    ids=lambda body: f"{body[:12]!r}…{len(body)}",
)
def test_bodies_that_are_no_good(site: Site, body: bytes) -> None:
    assert site.session(body).status in (200, 400)
    assert site.webhook(body).status in (200, 400)
    assert site.webhook(body.replace(b"roomId", b"webhookType")).status in (200, 400)


def test_what_was_kept_is_shown_in_plain_text(site: Site) -> None:
    evil = "\x1b[2J\x9b\u202e'; DROP TABLE events; --"
    site.service.said = answer(b'{"data":{"wsUrl":"wss://x.example/?ref=1","callId":"call-2"}}')
    assert site.session({"roomId": evil}).status == 200
    assert site.webhook({"webhookType": evil, "data": {"callId": "call-2", "roomId": evil}}).status == 200
    for command in (("events",), ("sessions",), ("device", "list")):
        shown = site.broker.command(*command)
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout
        assert not FORBIDDEN.search(shown.stdout + shown.stderr)
    state = site.operator("/v1/devices").body
    assert not FORBIDDEN.search(state.decode())
    assert json.loads(state)["devices"][1]["last_event"] is not None
