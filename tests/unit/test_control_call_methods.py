"""Calls by the control socket: asked for there, decided by the supervisor, refused in words."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestd.control import ingestctl
from ingestd.control.call_methods import call_methods
from ingestd.control.protocol import INVALID_PARAMS, UNAVAILABLE, RpcError
from ingestd.errors import ConfigError, IngestdError, NotNow
from ingestd.threads.mailbox import Request
from tests.unit.control_case import Control, control


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
    def ask(_request: Request, _ws_url: str | None) -> str:
        raise error

    with pytest.raises(RpcError) as raised:
        call_methods(ask)[method](params)
    return raised.value.code, str(raised.value)


def test_what_can_not_be_done_now_says_why() -> None:
    assert refused(NotNow("hang up first")) == (UNAVAILABLE, "hang up first")


def test_a_bad_configuration_is_answered_with_every_fault() -> None:
    code, text = refused(ConfigError(["a.yaml:1: one", "a.yaml:2: two"]), "reload")
    assert code == INVALID_PARAMS
    assert text == "nothing has changed: a.yaml:1: one; a.yaml:2: two"


def test_a_url_that_is_no_text_is_refused() -> None:
    assert refused(NotNow("never asked"), wsUrl=7)[0] == INVALID_PARAMS
