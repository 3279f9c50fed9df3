"""How a running stand-in is reached: its addresses, its control API over HTTP, and waiting for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import requests

ANSWER_S = 60.0
"""Seconds that it has for an answer."""
WITHIN_S = 30.0
"""What is waited for may take so long on a machine that has much else to do."""
_POLL_S = 0.01

T = TypeVar("T")


class ControlHttp:
    """Requests to the control API; for one thread at a time."""

    base_url: str
    """The service's `http(s)://host:port`."""
    admin_url: str
    """The control API's address."""
    ca_file: Path | None
    """The CA to trust (PEM), with tls."""
    token: str
    """A token that is good for a day."""
    token_file: Path
    """A file with that token and nothing else, readable by its owner only."""
    api_key: str
    """The account's API key, as the tokens name it,"""
    api_secret: str
    """and its API secret, which they are signed with."""
    room: str
    """The room `create_session` and `add` use unless told otherwise."""

    def __init__(self) -> None:
        self._http = requests.Session()
        self._http.trust_env = False

    def wait_for(self, probe: Callable[[], T | None], what: str = "", timeout_s: float = WITHIN_S) -> T:
        """Call `probe` until it returns something true, and return that; raises TimeoutError."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = probe()
            if found:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {timeout_s} s still not: {what or probe}")
            time.sleep(_POLL_S)

    # --- the control API

    def _request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        answer = self._http.request(method, self.admin_url + path, timeout=ANSWER_S, **arguments)
        if answer.status_code != 200:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer

    def _json(self, method: str, path: str, body: Any = None) -> Any:
        return self._request(method, path, json=body).json()

    def _bytes(self, path: str) -> bytes:
        content: bytes = self._request("GET", path).content
        return content
