"""websocket-client's opening handshake, without the rest of its package, and its only importer.

All of it takes 1.4 MiB, mostly for Python's own inspector and parser, and `ssl` as much again; the handshake takes 0.3.
"""

from __future__ import annotations

import builtins
import sys
import threading
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any, Final, NamedTuple

from ingestd.net.tls_loaded import tls_loaded

_PACKAGE: Final = "websocket"
_OF_TLS: Final = f"{_PACKAGE}._ssl_compat"
_TAKES: Final = ("sock", "url", "hostname", "port", "resource")
_loading = threading.Lock()


class Opening(NamedTuple):
    """The handshake, and what it may raise beside OSError and whatever a stranger's bytes make it fall over."""

    shake_hands: Callable[[Any, str], None]
    """Over what looks like a connected socket, which stays open, for a ws(s):// URL."""
    timed_out: type[Exception]
    closed: type[Exception]
    """The server ended the connection."""


def opening() -> Opening:
    """Loads it, where that has not been done. Any thread. Raises ImportError where websocket-client is not there."""
    with _loading:
        try:
            return _apart()
        except (AttributeError, ImportError):  # a version that has its parts elsewhere
            return _whole()


def _apart() -> Opening:
    if _PACKAGE not in sys.modules:
        _stand_in()
        if not tls_loaded() and _OF_TLS not in sys.modules:
            _without_tls()
    from websocket._exceptions import WebSocketConnectionClosedException, WebSocketTimeoutException
    from websocket._handshake import handshake
    from websocket._url import parse_url

    if handshake.__code__.co_varnames[: len(_TAKES)] != _TAKES:
        raise AttributeError("another handshake")

    def shake_hands(sock: Any, url: str) -> None:
        host, port, resource, _ = parse_url(url)
        handshake(sock, url, host, port, resource, suppress_origin=True)

    return Opening(shake_hands, WebSocketTimeoutException, WebSocketConnectionClosedException)


def _whole() -> Opening:
    import websocket

    def shake_hands(sock: Any, url: str) -> None:
        client: Any = websocket.WebSocket()
        try:
            # redirect_limit=0: a redirect would be followed without our TLS, to wherever it says.
            client.connect(url, socket=sock, suppress_origin=True, redirect_limit=0)
        finally:
            client.sock = None

    return Opening(shake_hands, websocket.WebSocketTimeoutException, websocket.WebSocketConnectionClosedException)


def _stand_in() -> None:
    """The package, with its own code not run before somebody asks for more than a module of it."""
    spec = _found(_PACKAGE)
    package = module_from_spec(spec)

    def rest(name: str) -> Any:
        del package.__getattr__
        _run(spec, package)
        return getattr(package, name)

    package.__getattr__ = rest  # type: ignore[method-assign]  # PEP 562
    sys.modules[_PACKAGE] = package


def _without_tls() -> None:
    """What its modules know of TLS, as in a Python that has no `ssl`: the socket they get speaks TLS already."""
    spec = _found(_OF_TLS)
    module = module_from_spec(spec)
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import_but_ssl}
    _run(spec, module)
    sys.modules[_OF_TLS] = module


def _import_but_ssl(name: str, *others: Any) -> ModuleType:
    if name == "ssl":
        raise ImportError("not needed")
    return builtins.__import__(name, *others)


def _found(name: str) -> ModuleSpec:
    if (spec := find_spec(name)) is None:
        raise ImportError(f"no module {name}")
    return spec


def _run(spec: ModuleSpec, module: ModuleType) -> None:
    assert spec.loader is not None  # noqa: S101 - a module's is never
    spec.loader.exec_module(module)
