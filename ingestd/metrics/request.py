"""The HTTP that a scrape needs: one GET of /metrics, answered and closed (RFC 9112). Pure."""

from __future__ import annotations

import re
from typing import Final

MAX_HEAD_BYTES: Final = 8192
PATH: Final = "/metrics"
OK: Final = "200 OK"
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text format; no version of the library writes names that would need a later one."""
_END: Final = re.compile(rb"\r?\n\r?\n")
_LINE: Final = re.compile(r"([A-Z]{1,20}) (\S{1,2048}) HTTP/1\.[01]")
_REFUSALS: Final = {
    "400 Bad Request": "This is no request by HTTP/1.1.",
    "404 Not Found": f"There is only {PATH}.",
    "405 Method Not Allowed": "There is only GET and HEAD.",
    "431 Request Header Fields Too Large": f"The head is longer than {MAX_HEAD_BYTES} bytes.",
}


def asked(data: bytes) -> tuple[str, bool] | None:
    """The status that a request is answered by, and whether a body goes with it; None while its head is incomplete."""
    end = _END.search(data)
    if (end.start() if end else len(data)) > MAX_HEAD_BYTES:
        return "431 Request Header Fields Too Large", True
    if end is None:
        return None
    line = _LINE.fullmatch(data[: end.start()].split(b"\n")[0].rstrip(b"\r").decode("latin-1"))
    if line is None:
        return "400 Bad Request", True
    method, target = line.groups()
    if target.partition("?")[0] != PATH:
        return "404 Not Found", method != "HEAD"
    if method not in ("GET", "HEAD"):
        return "405 Method Not Allowed", True
    return OK, method == "GET"


def answer(status: str, body: bytes | None, *, with_body: bool) -> bytes:
    """The whole response. `body` is the figures'; None for a refusal, or where there are none."""
    kind = CONTENT_TYPE if body is not None else "text/plain; charset=utf-8"
    if body is None:
        body = f"{_REFUSALS.get(status, status)}\n".encode()
    head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", "Connection: close"]
    if status.startswith("405"):
        head.append("Allow: GET, HEAD")
    return "\r\n".join([*head, "", ""]).encode() + (body if with_body else b"")
