"""A service that is slow, gone, or closes what was kept open."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from types import SimpleNamespace

import pytest

from ingestd.broker.errors import ServiceError
from ingestd.broker.service import Service
from ingestd.broker.settings import VideoSdk
from tests.rig.free_port import free_port
from tests.standin.client import SessionFault, StandIn
from tests.unit.broker.answering import SESSION_URL, Answering, good, http
from tests.unit.peers import read_request, serving, until_closed

pytest_plugins = ("tests.standin.fixtures",)


def at(port: int, timeout_s: float = 30.0) -> Service:
    return Service(VideoSdk(url=f"http://127.0.0.1:{port}", api_key="key-1", timeout_s=timeout_s))


def failed(service: Service) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        service.create_session("a-token", {"roomId": "r"})
    assert caught.value.status == 0
    assert "a-token" not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value


def test_a_service_that_is_not_there_is_told() -> None:
    port = free_port()
    error = failed(at(port))
    assert str(error) == f"the service at 127.0.0.1:{port} can't be reached: Connection refused"
    assert not error.late


def test_a_service_that_does_not_answer_in_time_is_told() -> None:
    def silent(sock: socket.socket) -> None:
        read_request(sock)
        until_closed(sock)

    with serving(silent) as server:
        error = failed(at(server.port, 0.2))
        assert server.came() <= 1, "what takes too long is not asked again"
    assert str(error) == f"the service at 127.0.0.1:{server.port} did not answer in 0.2 s"
    assert error.late


def test_a_time_that_is_over_before_it_is_asked_is_told_as_every_other(monkeypatch: pytest.MonkeyPatch) -> None:
    service = at(free_port(), 0.2)
    passed_s = itertools.count(100.0)  # this process was held up for a second
    monkeypatch.setattr("ingestd.broker.service.time", SimpleNamespace(monotonic=lambda: next(passed_s)))
    error = failed(service)
    assert str(error).endswith(" did not answer in 0.2 s")
    assert error.late


def test_a_service_that_trickles_its_answer_is_given_up() -> None:
    def trickle(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        for _ in range(5000):
            sock.sendall(b" ")
            time.sleep(0.01)

    with serving(trickle) as server:
        assert failed(at(server.port, 0.2)).late


def test_an_answer_that_ends_in_its_middle_is_told(standin: StandIn) -> None:
    standin.fail_sessions(SessionFault(body="truncated"))
    assert str(failed_at_standin(standin)).endswith("ended in the middle of its answer")


def failed_at_standin(standin: StandIn) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        Service(VideoSdk(url=standin.base_url, api_key="key-1")).create_session(standin.token, {"roomId": "r"})
    return caught.value


def test_what_is_no_http_is_told() -> None:
    with serving(Answering(b"SSH-2.0-OpenSSH_9.9\r\n")) as server:
        error = failed(at(server.port))
    assert "the service at 127.0.0.1" in str(error)
    assert str(error).isprintable()


def test_a_kept_connection_that_was_closed_meanwhile_is_asked_anew() -> None:
    answering = Answering(good(), before=lambda number: number != 2)
    with serving(answering) as server:
        service = at(server.port)
        assert [service.create_session("t", {"roomId": "r"}).ws_url for _ in range(2)] == [SESSION_URL] * 2
        assert server.connections == 2
    assert answering.bodies[1] == answering.bodies[2]


def test_a_connection_that_is_reset_is_asked_anew_once(standin: StandIn) -> None:
    service = Service(VideoSdk(url=standin.base_url, api_key="key-1"))
    standin.fail_sessions(SessionFault(abort=True))
    assert service.create_session(standin.token, {"roomId": "r"}).call_id
    standin.fail_sessions(SessionFault(abort=True), times=2)
    with pytest.raises(ServiceError, match="closed the connection without an answer") as caught:
        service.create_session(standin.token, {"roomId": "r"})
    assert (caught.value.status, caught.value.late) == (0, False)
    assert service.create_session(standin.token, {"roomId": "r"}).call_id


def test_a_service_that_comes_back_is_used_again() -> None:
    answering = Answering(good())
    with serving(answering) as server:
        service = at(server.port)
        service.create_session("t", {"roomId": "r"})
    failed(service)
    listener = socket.create_server(("127.0.0.1", server.port))
    with listener:
        listener.settimeout(10)

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                read_request(sock)
                sock.sendall(http("200 OK", good().split(b"\r\n\r\n", 1)[1]))

        thread = threading.Thread(target=serve)
        thread.start()
        assert service.create_session("t", {"roomId": "r"}).ws_url == SESSION_URL
        thread.join()
