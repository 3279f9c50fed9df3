"""Sessions over HTTP, from real local servers that behave and misbehave."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingestd import __version__
from ingestd.core.ingest_session import MAX_ANSWER_BYTES
from ingestd.core.times import DEFAULT, Times
from ingestd.errors import BackendError, BackendFault
from ingestd.net import backend
from ingestd.net.backend import Backend
from ingestd.net.cancel import Cancel
from ingestd.net.exchange import Request
from tests.rig.free_port import free_port
from tests.unit.peers import header, read_request, serving, until_closed

TOKEN = "eyJhbGciOi.eyJhcGlrZXki.s3cr3t-_"
URL = "wss://ingest.example/videosdk?ref=vs_1"
Handler = Callable[[socket.socket], None]
PLAIN = ssl.create_default_context()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    return path


def http(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


_BODY = json.dumps({"data": {"wsUrl": URL, "callId": "c", "expiresIn": 90}}).encode()
GOOD = http("200 OK", _BODY)


class Service:
    """Answers every request alike, and keeps what it was asked."""

    def __init__(self, answer: bytes = GOOD) -> None:
        self.answer = answer
        self.requests: list[tuple[bytes, bytes]] = []

    def __call__(self, sock: socket.socket) -> None:
        self.requests.append(read_request(sock))
        sock.sendall(self.answer)
        until_closed(sock)

    @property
    def authorization(self) -> list[str | None]:
        return [header(head, "Authorization") for head, _ in self.requests]


def plain(port: int, token_file: Path, scheme: str = "bearer", **more: Any) -> Backend:
    return Backend(f"http://127.0.0.1:{port}/v2/ingest/sessions", token_file, scheme, lambda: PLAIN, **more)


def refused(made: Backend, body: dict[str, Any] | None = None) -> BackendError:
    """The error of one attempt, which never holds the token."""
    with pytest.raises(BackendError) as raised:
        made.create(body or {}, Cancel())
    assert TOKEN not in repr(raised.value)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 500
    return raised.value


def refusal(token_file: Path, handler: Handler, times: Times = DEFAULT) -> BackendError:
    with serving(handler) as server:
        return refused(plain(server.port, token_file, times=times))


def answering(answer: bytes) -> Handler:
    """A server that answers and closes."""

    def handle(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(answer)

    return handle


def test_a_session_is_created_by_one_post(token_file: Path) -> None:
    service = Service()
    body = {"roomId": "r", "participant": {"name": "Gerät 12"}}
    with serving(service) as server:
        session = plain(server.port, token_file).create(body, Cancel())
    assert (session.ws_url, session.call_id, session.expires_in_s) == (URL, "c", 90.0)
    ((head, sent),) = service.requests
    assert head.startswith(b"POST /v2/ingest/sessions HTTP/1.1\r\n")
    assert header(head, "Content-Type") == "application/json"
    assert header(head, "Host") == f"127.0.0.1:{server.port}"
    assert header(head, "Accept-Encoding") == "identity", "without it some send what is not understood here"
    assert header(head, "User-Agent") == f"ingestd/{__version__}", "what has none is turned away by some"
    assert json.loads(sent) == body


@pytest.mark.parametrize(("scheme", "expected"), [("bearer", f"Bearer {TOKEN}"), ("raw", TOKEN)])
def test_the_token_goes_out_in_the_configured_scheme(scheme: str, expected: str, token_file: Path) -> None:
    service = Service()
    with serving(service) as server:
        plain(server.port, token_file, scheme).create({}, Cancel())
    assert service.authorization == [expected]


def test_a_request_does_not_show_the_token() -> None:
    request = Request("POST", "broker.example", "/", {"Authorization": TOKEN}, TOKEN.encode())
    assert repr(request) == "Request('POST', 'broker.example')"


def test_the_token_is_read_anew_for_every_session(token_file: Path) -> None:
    service = Service()
    with serving(service) as server:
        made = plain(server.port, token_file)
        made.create({}, Cancel())
        token_file.write_text("renewed")
        made.create({}, Cancel())
    assert service.authorization == [f"Bearer {TOKEN}", "Bearer renewed"]


def test_without_a_token_nothing_is_sent(token_file: Path) -> None:
    service = Service()
    with serving(service) as server:
        for spoil in (token_file.unlink, lambda: token_file.write_text(""), lambda: token_file.write_text("a\nb")):
            spoil()
            error = refused(plain(server.port, token_file))
            assert error.fault is BackendFault.TOKEN
            assert str(token_file) in str(error)
        assert server.connections == 0


def test_the_environment_replaces_no_token_and_leads_no_request_to_this_machine_away(
    token_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login evil password evil\ndefault login evil password evil\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    service = Service()
    with serving(until_closed) as elsewhere, serving(service) as server:
        for name in ("http_proxy", "HTTPS_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{elsewhere.port}")
        monkeypatch.setenv("no_proxy", "")
        plain(server.port, token_file).create({}, Cancel())
        assert elsewhere.connections == 0
    assert service.authorization == [f"Bearer {TOKEN}"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int, token_file: Path) -> None:
    with serving(until_closed) as elsewhere:
        location = f"Location: http://127.0.0.1:{elsewhere.port}/"
        error = refusal(token_file, Service(http(f"{status} Go", b"", location)))
        assert elsewhere.connections == 0
    assert error.fault is BackendFault.REFUSED
    assert str(status) in str(error)


def test_a_refusal_says_what_the_backend_said_but_for_the_token(token_file: Path) -> None:
    body = json.dumps({"message": f"Token {TOKEN} is expired", "code": 4012}).encode()
    error = refusal(token_file, Service(http("401 No", body, "X-Request-Id: r-9", "Retry-After: 3")))
    assert error.fault is BackendFault.UNAUTHORIZED
    assert str(error) == "the backend answered 401, “Token <token> is expired”, code 4012, request id r-9"
    assert error.retry_after_s == 3.0


def test_a_token_of_one_letter_does_not_take_that_letter_out_of_what_the_backend_said(token_file: Path) -> None:
    token_file.write_text("e")
    error = refusal(token_file, Service(http("401 No", b'{"message": "there is no such token"}')))
    assert str(error) == "the backend answered 401, “there is no such token”"


def test_a_refusal_that_is_cut_short_holds_no_half_of_the_token(token_file: Path) -> None:
    body = json.dumps({"message": "x" * 290 + TOKEN}).encode()
    assert TOKEN[:8] not in str(refusal(token_file, Service(http("400 No", body))))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: soon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n12345",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a@b=c; domain=x; expires=never\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 \xff\r\n\xff: \xff\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 302 Go\r\nLocation: http://[::1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 None\r\n\r\n",
    ],
    ids=lambda answer: repr(answer)[:50],
)
def test_no_answer_is_more_than_a_failed_attempt(answer: bytes, token_file: Path) -> None:
    assert refusal(token_file, answering(answer)).fault in (
        BackendFault.UNREACHABLE,
        BackendFault.BAD_ANSWER,
        BackendFault.REFUSED,
    )


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" + GOOD,
        b"HTTP/1.0 200 OK\n\n" + _BODY,
        b"HTTP/1.1 200\r\ncontent-length : nonsense\r\n\r\n" + _BODY,
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n" + _BODY,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n%x;a=b\r\n%b\r\n%X\r\n%b\r\n0\r\nX: y\r\n\r\n"
        % (9, _BODY[:9], len(_BODY) - 9, _BODY[9:]),
    ],
    ids=["continue", "to its end", "no length", "endless length", "chunks"],
)
def test_an_answer_may_come_in_every_form(answer: bytes, token_file: Path) -> None:
    with serving(answering(answer)) as server:
        assert plain(server.port, token_file).create({}, Cancel()).ws_url == URL


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("http://broker.example/", "broker.example"),
        ("http://broker.example:8080/", "broker.example:8080"),
        ("http://[::1]:80/", "[::1]"),
        ("http://gerät.example/", "xn--gert-noa.example"),
    ],
)
def test_the_host_is_named_as_http_has_it(
    url: str, named: str, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service()
    with serving(service) as server:
        there = socket.create_connection(("127.0.0.1", server.port))
        monkeypatch.setattr(backend, "reach", lambda *_: there)
        Backend(url, token_file, "bearer", lambda: PLAIN).create({}, Cancel())
    ((head, _),) = service.requests
    assert header(head, "Host") == named


def test_an_answer_without_end_is_cut_off(token_file: Path) -> None:
    sent = 0

    def flood(sock: socket.socket) -> None:
        nonlocal sent
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            sent += sock.send(bytes(65536))

    error = refusal(token_file, flood)
    assert error.fault is BackendFault.BAD_ANSWER
    assert str(MAX_ANSWER_BYTES) in str(error)
    assert sent < 100_000_000


def test_a_chunk_over_the_limit_is_cut_off_too(token_file: Path) -> None:
    chunk = b"<html>" + b"x" * 200_000
    head = b"HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % len(chunk)
    error = refusal(token_file, answering(head + chunk + b"\r\n0\r\n\r\n"))
    assert error.fault is BackendFault.BAD_ANSWER
    assert str(MAX_ANSWER_BYTES) in str(error)


def test_a_compressed_answer_without_end_is_cut_off(token_file: Path) -> None:
    body = gzip.compress(bytes(100_000_000))
    error = refusal(token_file, answering(http("200 OK", body, "Content-Encoding: gzip")))
    assert error.fault is BackendFault.BAD_ANSWER


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate", "GZIP"])
def test_a_compressed_answer_is_understood_though_not_asked_for(coding: str, token_file: Path) -> None:
    packed = zlib.compress if coding == "deflate" else gzip.compress
    body = packed(json.dumps({"data": {"wsUrl": URL}}).encode())
    with serving(Service(http("200 OK", body, f"Content-Encoding: {coding}"))) as server:
        assert plain(server.port, token_file).create({}, Cancel()).ws_url == URL


def test_a_coding_that_nobody_asked_for_is_named(token_file: Path) -> None:
    error = refusal(token_file, Service(http("200 OK", b"?", "Content-Encoding: br\x1b")))
    assert error.fault is BackendFault.BAD_ANSWER
    assert "Content-Encoding br" in str(error)


@pytest.mark.parametrize("line", [f"Authorization: Bearer {TOKEN}", f'{{"wsUrl": "{URL}"}}', f"HTTP/9 {URL}"])
def test_what_is_no_http_is_not_repeated(line: str, token_file: Path) -> None:
    error = refusal(token_file, answering(line.encode() + b"\r\n\r\n"))
    assert error.fault is BackendFault.UNREACHABLE
    assert "does not answer in HTTP" in str(error)
    assert "ref=" not in str(error)


def test_a_header_does_not_tell_the_token_either(token_file: Path) -> None:
    error = refusal(token_file, Service(http("401 No", b"{}", f"X-Request-Id: for-{TOKEN}")))
    assert str(error) == "the backend answered 401, request id for-<token>"


@pytest.mark.parametrize("first", ["102 Processing", "103 Early Hints"])
def test_what_a_server_says_in_advance_is_not_its_answer(first: str, token_file: Path) -> None:
    hints = f"HTTP/1.1 {first}\r\nLink: </x>\r\n\r\n".encode()
    with serving(Service(hints * 2 + GOOD)) as server:
        assert plain(server.port, token_file).create({}, Cancel()).ws_url == URL


def test_another_protocol_that_nobody_asked_for_is_no_refusal(token_file: Path) -> None:
    switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"
    assert refusal(token_file, Service(switching + GOOD)).fault is BackendFault.TRANSIENT


def trickling(before: bytes, byte: bytes) -> Handler:
    def handle(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(before)
        while True:
            sock.sendall(byte)
            time.sleep(0.02)

    return handle


@pytest.mark.parametrize(
    "handler",
    [
        until_closed,
        trickling(b"", b"H"),
        trickling(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        trickling(b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        trickling(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b" "),
        trickling(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["silence", "status", "headers", "header", "body", "chunks"],
)
def test_an_answer_that_trickles_is_given_up_in_time(handler: Handler, token_file: Path) -> None:
    error = refusal(token_file, handler, Times(answer_s=0.4))
    assert error.fault is BackendFault.UNREACHABLE
    assert str(error).startswith("the backend did not answer in time; check the network")


def test_nobody_there_is_told_in_a_few_words(token_file: Path) -> None:
    port = free_port()
    error = refused(plain(port, token_file))
    assert error.fault is BackendFault.UNREACHABLE
    said = f"can't reach the backend (backend.url): can't connect to 127.0.0.1:{port}: Connection refused; check"
    assert str(error).startswith(said)
    error = refused(Backend("https://no-such-host.invalid/", token_file, "bearer", lambda: PLAIN))
    assert error.fault is BackendFault.UNREACHABLE
    assert "can't resolve no-such-host.invalid" in str(error)


@pytest.mark.parametrize("status", ["429 Slow down", "503 Busy"])
def test_what_the_backend_asks_to_wait_is_heeded_whatever_our_clock_says(status: str, token_file: Path) -> None:
    until = "Retry-After: Sat, 01 Jan 2000 00:01:30 GMT"
    error = refusal(token_file, Service(http(status, b"", until, "Date: Sat, 01 Jan 2000 00:00:00 GMT")))
    assert error.retry_after_s == 90.0
    assert refusal(token_file, Service(http(status, b"", "Retry-After: 12"))).retry_after_s == 12.0
