"""What the control socket can do to the call: call, hangup, reconnect, reload. Control thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from ingestd.control.protocol import INVALID_PARAMS, UNAVAILABLE, RpcError
from ingestd.control.server import Method
from ingestd.errors import ConfigError, IngestdError
from ingestd.threads.mailbox import Request


def call_methods(ask: Callable[[Request, str | None], Future[str]]) -> dict[str, Method]:
    """The methods by name. Each takes the params and raises RpcError; `ask` has it done, and does not wait for it."""

    def asked(request: Request, ws_url: str | None = None) -> Future[Any]:
        answer = Future[Any]()
        ask(request, ws_url).add_done_callback(lambda done: _pass_on(done, answer))
        return answer

    def call(params: Mapping[str, Any]) -> Future[Any]:
        ws_url = params.get("wsUrl")
        if ws_url is not None and not isinstance(ws_url, str):
            raise RpcError(INVALID_PARAMS, "wsUrl is to be a text")
        return asked(Request.CALL, ws_url)

    return {
        Request.CALL.value: call,
        Request.HANG_UP.value: lambda _params: asked(Request.HANG_UP),
        Request.RECONNECT.value: lambda _params: asked(Request.RECONNECT),
        Request.RELOAD.value: lambda _params: asked(Request.RELOAD),
    }


def _pass_on(done: Future[str], answer: Future[Any]) -> None:
    error = done.exception()
    if error is None:
        answer.set_result(done.result())
    elif isinstance(error, ConfigError):
        answer.set_exception(RpcError(INVALID_PARAMS, "nothing has changed: " + "; ".join(error.faults)))
    elif isinstance(error, IngestdError):
        answer.set_exception(RpcError(UNAVAILABLE, str(error)))
    else:
        answer.set_exception(error)
