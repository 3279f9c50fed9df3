"""Advice for every end there is: right, short, and made of no secret."""

from __future__ import annotations

import json
import os
from errno import ECONNREFUSED, ECONNRESET, EHOSTUNREACH, ENETDOWN, ENETUNREACH, EPIPE, ETIMEDOUT
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd import planning
from ingestd.config.load import read_config
from ingestd.core.ingest_session import read_answer
from ingestd.core.liveness import Liveness
from ingestd.core.remedies import MAX_ADVICE_CHARS, Advice, Where, advice
from ingestd.core.retry import Cause, cause_of
from ingestd.errors import (
    BackendError,
    BackendFault,
    CertificateError,
    ChannelClosed,
    ChannelError,
    DeviceError,
    MeetingEnded,
    ProxyRefused,
    RemoteProtocolError,
    UpgradeRefused,
)
from tests.rig.memory_device import device_config

HOST, CONFIG = "api.videosdk.live", "/etc/ingestd/ingestd.yaml"
WHERE = Where("/etc/ingestd/token", HOST, f"https://{HOST}", "abcd-efgh-ijkl", CONFIG)
LONG_HOST = "long-name-" * 25 + "example"
LONG = Where("/very/long" * 40, LONG_HOST, f"https://{LONG_HOST}:65535", "room" * 100, "/etc/" + "deep/" * 60 + CONFIG)
REASONS = ["", "start timeout", "session expired", "ref already used", "duplicate participant", "whatever"]
REACHING = [
    "can't resolve api.videosdk.live: Temporary failure in name resolution; check the network and DNS",
    f"can't connect to api.videosdk.live:443: {os.strerror(ECONNREFUSED)}",
    f"can't connect to api.videosdk.live:443: {os.strerror(ENETUNREACH)}",
    f"can't connect to api.videosdk.live:443: {os.strerror(EHOSTUNREACH)}",
    f"can't connect to api.videosdk.live:443: [2001:db8::1] {os.strerror(ENETUNREACH)}, 192.0.2.1 timed out",
    "ingest.videosdk.live:443 did not finish the TLS handshake in time; check the network",
    f"TLS handshake with ingest.videosdk.live:443 failed: {os.strerror(ECONNRESET)}",
    "the proxy answered 502 to CONNECT ingest.videosdk.live:443; check backend.proxy",
    "no time left to connect: the session expires before it can be claimed",
    "no session came to be within 30 s; check the network, DNS and backend.url",
    "the attempt was abandoned",
    "the server sent no HTTP answer",
    "something else",
]
CUTS = [
    "no answer to a ping for 6 s; taking a fresh session",
    "nothing received for 71 s, not even a ping; taking a fresh session",
    "nothing that was sent has been acknowledged for 4 s; taking a fresh session",
    "the network came back while nothing got through; taking a fresh session",
    "the server closed the connection without a close frame",
    "the connection was ended from this side",
    *(
        f"the connection was lost while sending: {os.strerror(code)}"
        for code in (ECONNRESET, EPIPE, ETIMEDOUT, ENETDOWN)
    ),
    "the connection was lost while sending: the other side closed it without a word",
    "something else",
]
CERTIFICATES = [
    "certificate refused: certificate is not yet valid",
    "certificate refused: certificate has expired",
    "certificate refused: Hostname mismatch, certificate is not valid for 'api.videosdk.live'.",
    "certificate refused: IP address mismatch, certificate is not valid for '192.0.2.1'.",
    "certificate refused: self-signed certificate",
    "api.videosdk.live refused this device's certificate: tlsv13 alert certificate required",
    "can't load backend.ca_file or backend.client_cert: No such file or directory; check both files",
]

ENDS: list[Exception] = [
    *(BackendError(fault, text) for fault in BackendFault for text in (*REACHING, *CERTIFICATES)),
    *(ChannelError(text) for text in REACHING),
    *(ChannelClosed(text) for text in CUTS),
    *(CertificateError(text) for text in CERTIFICATES),
    *(
        ChannelClosed("closed", code, reason)
        for code in (*range(1000, 1016), 3000, 4000, 4005, 4999)
        for reason in REASONS
    ),
    *(UpgradeRefused("refused", status) for status in (200, 302, *range(400, 432), *range(500, 505))),
    *(ProxyRefused("refused", status) for status in (401, 403, 405, 407)),
    MeetingEnded("the meeting ended for this device"),
    MeetingEnded("the call was hung up"),
    MeetingEnded("the call has lasted 601 s and session.max_call_s is 600"),
    RemoteProtocolError("the server sent a masked frame, which RFC 6455 §5.1 forbids"),
    DeviceError("a sound device"),
    OSError("too many open files"),
    KeyError("a bug"),
]


def refusal(status: int) -> BackendError:
    """What a backend's answer with this status comes to."""
    with pytest.raises(BackendError) as caught:
        read_answer(status, {}, b'{"message": "connection refused by the proxy: not yet valid"}')
    return caught.value


def said(error: Exception, where: Where = WHERE) -> str:
    found = advice(error, where)
    return f"{found.meaning} {found.remedy}"


@pytest.mark.parametrize("where", [WHERE, LONG], ids=["usual", "long"])
def test_every_end_has_an_advice_of_two_short_sentences(where: Where) -> None:
    for error in ENDS:
        found = advice(error, where)
        for sentence in (found.meaning, found.remedy):
            assert 10 < len(sentence) <= MAX_ADVICE_CHARS, error
            assert sentence.endswith("."), error
            assert ". " not in sentence, error
            assert sentence[0].isupper() or sentence.startswith(where.backend_host[:10]), error
            assert sentence.isprintable(), error


def test_what_passes_by_itself_says_so_and_what_does_not_tells_what_to_do() -> None:
    for error in ENDS:
        nothing = advice(error, WHERE).remedy.startswith("Nothing to do")
        assert nothing == (cause_of(error) is not Cause.PERSON), error


def test_the_advice_is_not_the_error_s_own_text_again() -> None:
    for error in ENDS:
        assert len(str(error)) < 12 or str(error) not in said(error)


@pytest.mark.parametrize(
    ("error", "names"),
    [
        (BackendError(BackendFault.TOKEN, "no file"), ["/etc/ingestd/token"]),
        (refusal(401), ["/etc/ingestd/token", "backend.auth_scheme", "fresh"]),
        (refusal(403), ["/etc/ingestd/token", "allow_join"]),
        (refusal(400), ["room abcd-efgh-ijkl", "/etc/ingestd/ingestd.yaml"]),
        (refusal(402), ["room abcd-efgh-ijkl", "session.room_id", "/etc/ingestd/ingestd.yaml"]),
        (refusal(404), ["room abcd-efgh-ijkl", "session.room_id", "/etc/ingestd/ingestd.yaml"]),
        (refusal(302), ["backend.url", "/etc/ingestd/ingestd.yaml"]),
        (refusal(405), ["/v2/ingest/sessions", "/etc/ingestd/ingestd.yaml"]),
        (refusal(409), ["this room or participant"]),
        (refusal(429), ["more sessions", "when the server said"]),
        (refusal(503), ["api.videosdk.live", "trouble"]),
        (BackendError(BackendFault.BAD_ANSWER, "no wsUrl"), ["captive portal", "backend.url"]),
        (
            BackendError(BackendFault.BAD_ANSWER, "… only wss:// is used beyond this machine"),
            ["api.videosdk.live", "unencrypted"],
        ),
        (BackendError(BackendFault.PROXY, "the proxy answered 407 to CONNECT x:443"), ["backend.proxy", "login"]),
        (BackendError(BackendFault.PROXY, "the proxy answered 403 to CONNECT x:443"), ["api.videosdk.live", "CONNECT"]),
        (ProxyRefused("no", 407), ["backend.proxy", "/etc/ingestd/ingestd.yaml"]),
        (ProxyRefused("no", 405), ["CONNECT", "api.videosdk.live"]),
        (BackendError(BackendFault.UNREACHABLE, REACHING[0]), ["DNS", "getent hosts api.videosdk.live"]),
        (BackendError(BackendFault.UNREACHABLE, REACHING[1]), ["firewall", "nothing listens"]),
        (BackendError(BackendFault.UNREACHABLE, "the backend did not answer in time"), ["nothing comes back"]),
        (ChannelError(REACHING[2]), ["ip route"]),
        (ChannelError(REACHING[4]), ["nothing comes back", "curl -v https://api.videosdk.live"]),
        (ChannelError(REACHING[7]), ["proxy"]),
        (CertificateError(CERTIFICATES[0]), ["clock", "timedatectl", "NTP"]),
        (BackendError(BackendFault.TLS, CERTIFICATES[1]), ["clock is ahead", "timedatectl"]),
        (
            BackendError(BackendFault.TLS, CERTIFICATES[2]),
            ["backend.url", "the wsUrl that api.videosdk.live hands out"],
        ),
        (BackendError(BackendFault.TLS, CERTIFICATES[3]), ["backend.url"]),
        (BackendError(BackendFault.TLS, CERTIFICATES[4]), ["backend.ca_file", "/etc/ingestd/ingestd.yaml"]),
        (CertificateError(CERTIFICATES[5]), ["backend.client_cert", "api.videosdk.live"]),
        (CertificateError(CERTIFICATES[6]), ["PEM", "/etc/ingestd/ingestd.yaml"]),
        (UpgradeRefused("no", 403), ["once", "90 s", "api.videosdk.live"]),
        (UpgradeRefused("no", 302), ["captive portal"]),
        (UpgradeRefused("no", 503), ["trouble"]),
        (ChannelClosed("x", 1008, "start timeout"), ["start frame", "5 s"]),
        (ChannelClosed("x", 1008, "session expired"), ["90 s", "api.videosdk.live"]),
        (ChannelClosed("x", 1008, "no"), ["refused"]),
        (ChannelClosed("x", 1009), ["messaging.max_bytes", "/etc/ingestd/ingestd.yaml"]),
        (ChannelClosed("x", 4005), ["same participant id", "session.participant.id"]),
        (ChannelClosed("x", 4321, "joined from another device"), ["same participant id"]),
        (ChannelClosed(CUTS[2]), ["vanish"]),
        (ChannelClosed(f"the connection was lost: {os.strerror(EHOSTUNREACH)}"), ["ip route"]),
        (ChannelClosed("the route to the server changed; taking a fresh session"), ["network changed"]),
        (MeetingEnded("the meeting ended for this device"), ["room abcd-efgh-ijkl", "session.start"]),
        (MeetingEnded("the call was hung up"), ["ended here", "/etc/ingestd/ingestd.yaml"]),
        (KeyError("a bug"), ["journalctl -u ingestd"]),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_it_names_the_very_thing(error: Exception, names: list[str]) -> None:
    for name in names:
        assert name.lower() in said(error).lower()


@pytest.mark.parametrize("wait_s", [6.0, 71.0])
def test_what_liveness_says_is_understood(wait_s: float) -> None:
    live = Liveness(0.0, answers_pings=wait_s < 10)
    assert live.ping(0.0)
    verdict = live.verdict(wait_s)
    assert verdict is not None
    assert advice(ChannelClosed(verdict), WHERE) != advice(ChannelClosed("something else"), WHERE)


def test_a_room_that_the_backend_chose_has_no_name() -> None:
    where = Where("/t", "broker.example", "https://broker.example", None, "/c.yaml")
    assert "the room that the backend chose" in said(MeetingEnded("over"), where)


def test_what_a_server_quotes_does_not_lead_astray() -> None:
    assert "captive" not in said(refusal(503))
    assert {said(refusal(status)) for status in (500, 502, 503, 504)} == {said(refusal(503))}


def test_different_ends_have_different_advice() -> None:
    assert len({said(ChannelClosed("x", code)) for code in range(1000, 1016)}) == 16
    assert len({said(BackendError(fault, "x")) for fault in BackendFault}) == len(BackendFault)
    assert len({said(ChannelError(text)) for text in REACHING}) >= len(REACHING) - 4
    assert len({said(CertificateError(text)) for text in CERTIFICATES}) == len(CERTIFICATES) - 1


def test_a_long_path_keeps_its_end() -> None:
    assert "ingestd.yaml" in said(ChannelClosed("x", 1009), LONG)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "https://broker.example:8443", "https://[2001:db8::1]:8443"])
def test_a_command_to_try_goes_where_the_daemon_goes(tmp_path: Path, url: str) -> None:
    config = device_config(f"{url}/v2/x?key=S3CRET", "t", None, tmp_path)
    path = tmp_path / "ingestd.yaml"
    path.write_text(json.dumps(config))
    place = planning.where(read_config(path).config, path)
    for text in ("nothing came in time", "TLS handshake failed", "something else"):
        found = advice(ChannelError(text), place)
        assert f"`curl -v {url}`" in found.remedy
        assert "443" not in found.remedy.replace(url, "")


def errors(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Exception]:
    """Errors of every kind there is, with such texts."""
    kinds = (ChannelError, CertificateError, MeetingEnded, RemoteProtocolError, OSError)
    return st.one_of(
        st.builds(BackendError, st.sampled_from(BackendFault), texts),
        st.builds(ChannelClosed, texts, st.none() | st.integers(0, 65535), texts),
        st.builds(UpgradeRefused, texts, st.integers(100, 999)),
        st.builds(ProxyRefused, texts, st.integers(100, 999)),
        *(st.builds(kind, texts) for kind in kinds),
    )


@given(errors(st.text()), st.builds(Where, st.text(), st.text(), st.text(), st.none() | st.text(), st.text()))
def test_there_is_an_advice_whatever_happens(error: Exception, where: Where) -> None:
    found = advice(error, where)
    assert isinstance(found, Advice)
    assert all(0 < len(part) <= MAX_ADVICE_CHARS and part.isprintable() for part in (found.meaning, found.remedy))


SECRET = "vs_k9d8j2m4x7p1w5v3r6u0"


@given(errors(st.sampled_from(REACHING + CUTS + CERTIFICATES + REASONS).map(lambda text: f"{text} ref={SECRET} {{0}}")))
def test_nothing_of_an_error_s_text_gets_into_the_advice(error: Exception) -> None:
    assert SECRET in str(error)
    assert SECRET not in said(error)
