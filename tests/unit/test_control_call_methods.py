"""Calls by the control socket: asked for there, decided by the supervisor, refused in words."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from ingestd.control.call_methods import call_methods
from ingestd.control.protocol import INVALID_PARAMS, UNAVAILABLE, RpcError
from ingestd.ctl import main as ingestctl
from ingestd.errors import ConfigError, IngestdError, NotNow
from ingestd.threads.mailbox import Request
from tests.rig.process import wait_until
from tests.unit.control_case import Control, clock_of, control
from tests.unit.peers import GUARD_S


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Control]:
    with control(tmp_path) as running:
        yield running


@pytest.mark.parametrize("request_", list(Request), ids=lambda request: request.value)
def test_each_request_reaches_the_supervisor(
    request_: Request, served: Control, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ingestctl.main(["--socket", str(served.path), request_.value]) == 0
    assert served.asked == [(request_, None)]
    assert capsys.readouterr().out == f"{request_.value}\n"


def test_a_session_from_elsewhere_comes_by_standard_input(served: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("wss://example.com/?ref=SECRET\n"))
    assert ingestctl.main(["--socket", str(served.path), "call", "--url-stdin"]) == 0
    assert served.asked == [(Request.CALL, "wss://example.com/?ref=SECRET")]


def refused(error: IngestdError, method: str = "call", **params: object) -> tuple[int, str]:
    def ask(_request: Request, _ws_url: str | None) -> Future[str]:
        answer = Future[str]()
        answer.set_exception(error)
        return answer

    with pytest.raises(RpcError) as raised:
        call_methods(ask)[method](params).result(0)
    return raised.value.code, str(raised.value)


def test_what_can_not_be_done_now_says_why() -> None:
    assert refused(NotNow("hang up first")) == (UNAVAILABLE, "hang up first")


def test_a_bad_configuration_is_answered_with_every_fault() -> None:
    code, text = refused(ConfigError(["a.yaml:1: one", "a.yaml:2: two"]), "reload")
    assert code == INVALID_PARAMS
    assert text == "nothing has changed: a.yaml:1: one; a.yaml:2: two"


def test_a_url_that_is_no_text_is_refused() -> None:
    assert refused(NotNow("never asked"), wsUrl=7)[0] == INVALID_PARAMS


def test_a_supervisor_that_is_busy_holds_up_nobody_but_who_asked_it(served: Control) -> None:
    busy = Future[str]()
    served.thread._methods = {**served.thread._methods, **call_methods(lambda _request, _ws_url: busy)}
    with served.client() as asks, served.client() as other:
        asks.send(b'{"jsonrpc":"2.0","method":"reload","id":1}\n{"jsonrpc":"2.0","method":"mute","id":2}\n')
        assert other.ask("mute")["result"]["muted"]
        assert other.ask("unmute")["result"]["muted"] is False
        busy.set_result("read anew")
        assert asks.line()["result"] == "read anew"
        assert asks.line()["result"]["muted"], "its own come in the order it sent them"


def test_who_asks_the_supervisor_again_and_again_waits_at_rest_and_is_answered_in_order(served: Control) -> None:
    answers: list[Future[str]] = []

    def ask(_request: Request, _ws_url: str | None) -> Future[str]:
        answers.append(Future())
        return answers[-1]

    served.thread._methods = {**served.thread._methods, **call_methods(ask)}
    with served.client() as flood, served.client() as other:
        line = b'{"jsonrpc":"2.0","method":"reload","id":%d}\n'
        flood.send(b"".join(line % number for number in range(300)))
        wait_until(lambda: answers, GUARD_S, "the first to be asked")
        other.ask("status")

        def idle() -> bool:
            cpu_s = time.clock_gettime(clock_of(served))
            time.sleep(0.3)
            return time.clock_gettime(clock_of(served)) - cpu_s < 0.02

        wait_until(idle, GUARD_S, "it to wait at rest")
        assert len(answers) == 1
        for number in range(300):
            wait_until(lambda number=number: len(answers) > number, GUARD_S, "the next")  # type: ignore[misc] # a default that binds
            answers[number].set_result("read anew")
            assert flood.line()["id"] == number


def test_who_waits_when_the_daemon_ends_is_told_so(tmp_path: Path) -> None:
    with control(tmp_path) as served:
        answer = Future[str]()

        def end(_now: float) -> None:
            if served.thread._stopping.is_set() and not answer.done():
                answer.set_exception(NotNow("ingestd is on its way out"))

        served.thread._chore = end
        served.thread._methods = call_methods(lambda _request, _ws_url: answer)
        client = served.client()
        client.send(b'{"jsonrpc":"2.0","method":"call","id":1}\n')
        clients = served.thread._clients
        wait_until(lambda: clients and all(one.open for one in tuple(clients.values())), GUARD_S, "it to be asked")
    assert "way out" in client.line()["error"]["message"]
    assert client.hung_up()
    client.sock.close()
