"""What the control socket can do to the call: call, hangup, reconnect, reload. Control thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ingestd.control.protocol import INVALID_PARAMS, UNAVAILABLE, RpcError
from ingestd.control.server import Method
from ingestd.errors import ConfigError, IngestdError
from ingestd.threads.mailbox import Request


def call_methods(ask: Callable[[Request, str | None], str]) -> dict[str, Method]:
    """The methods by name. Each takes the params and raises RpcError; `ask` has it done, in milliseconds."""

    def asked(request: Request, ws_url: str | None = None) -> str:
        try:
            return ask(request, ws_url)
        except ConfigError as error:
            raise RpcError(INVALID_PARAMS, "nothing has changed: " + "; ".join(error.faults)) from None
        except IngestdError as error:
            raise RpcError(UNAVAILABLE, str(error)) from None

    def call(params: Mapping[str, Any]) -> str:
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
