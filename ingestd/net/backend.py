"""Creates ingest sessions over HTTP, by connections of ours; runs in an attempt's own thread."""

from __future__ import annotations

import contextlib
import json
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, quote, urlsplit

from ingestd import __version__
from ingestd.config.secret import read_token
from ingestd.core.ingest_session import MAX_ANSWER_BYTES, IngestSession, read_answer
from ingestd.core.times import DEFAULT, Times
from ingestd.errors import BackendError, BackendFault, CertificateError, ChannelError, ConfigError, ProxyRefused
from ingestd.net import stream
from ingestd.net.cancel import Cancel
from ingestd.net.exchange import Answer, ExchangeError, NoHttp, Request, exchange, host_header
from ingestd.net.reach import reach
from ingestd.net.stalls import Stalls
from ingestd.net.tls import certificate_fault

if TYPE_CHECKING:
    import ssl

_LEAST_MASKED_CHARS: Final = 4
"""A shorter token is none, and taken out of an answer would leave no words in it."""
_CODINGS: Final = ("gzip", "x-gzip", "deflate")
_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32


class Backend:
    """Where sessions come from: the service itself or a broker that answers alike. One thread at a time."""

    def __init__(
        self,
        url: str,
        token_file: Path,
        auth_scheme: str,
        tls: Callable[[], ssl.SSLContext],
        proxy_url: str | None = None,
        times: Times = DEFAULT,
    ) -> None:
        """`tls` gives what verifies, asked for every session (`net.tls_files`), and raises BackendError.

        `proxy_url` may hold a password. Without one the environment's is taken.
        """
        self._url = url
        self._token_file = token_file
        self._auth_scheme = auth_scheme
        self._tls = tls
        self._proxy_url = proxy_url
        self._times = times
        self._stalls = Stalls()

    def create(self, body: dict[str, Any], cancel: Cancel) -> IngestSession:
        """One POST, one session. Raises BackendError, also where cancelled; then nothing is left open."""
        token = self._token()
        parts = urlsplit(self._url)
        tls = self._tls() if parts.scheme == "https" else None
        host, default_port = parts.hostname or "", 80 if tls is None else 443
        port = parts.port or default_port
        with contextlib.ExitStack() as open_connection:
            try:
                named = host_header(host, port, default_port)
                request = Request("POST", named, _target(parts), self._headers(token), json.dumps(body).encode())
                # Whatever it is answered with, a redirect is not followed: a token goes where the configuration says.
                answer = self._answer(request, host, port, tls, cancel, open_connection)
                said = _decoded(answer)
                cancel.check()  # an answer that it cut short may look like a whole one
            except (ChannelError, _CodingError, ExchangeError, OSError, ValueError) as error:
                raise self._failure(error, cancel) from None
        headers = answer.headers
        if not 200 <= answer.status < 300 and len(token) >= _LEAST_MASKED_CHARS:
            # A refusal may quote what it refuses.
            said = said.replace(token.encode("ascii"), b"<token>")
            headers = {name: value.replace(token, "<token>") for name, value in headers.items()}
        return read_answer(answer.status, headers, said)

    def _answer(
        self,
        request: Request,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        cancel: Cancel,
        open_connection: contextlib.ExitStack,
    ) -> Answer:
        """Of the backend, by a connection that `cancel` ends until `open_connection` is over."""
        deadline_s = time.monotonic() + self._times.attempt_s
        sock = reach(host, port, tls, self._proxy_url, cancel, deadline_s, self._times, self._stalls)
        open_connection.callback(sock.close)  # not only when the last reference goes: a refusal is kept for minutes
        open_connection.enter_context(cancel.watching(sock))
        return exchange(sock, min(deadline_s, time.monotonic() + self._times.answer_s), request, MAX_ANSWER_BYTES)

    def _failure(self, cause: Exception, cancel: Cancel) -> BackendError:
        if cancel.requested:
            return BackendError(BackendFault.UNREACHABLE, "the attempt was abandoned")
        refused = certificate_fault(cause, urlsplit(self._url).hostname or "the backend")
        if refused is not None:
            return BackendError(BackendFault.TLS, str(refused))
        if isinstance(cause, CertificateError):
            return BackendError(BackendFault.TLS, str(cause))
        if isinstance(cause, ProxyRefused):
            return BackendError(BackendFault.PROXY, str(cause))
        if isinstance(cause, _CodingError):
            return BackendError(BackendFault.BAD_ANSWER, f"the backend answered with {cause}; check backend.url")
        if isinstance(cause, NoHttp):
            said = "what answers at backend.url does not answer in HTTP"  # and not what it said: it may be a secret
            return BackendError(BackendFault.UNREACHABLE, f"{said}; check its host and port")
        if isinstance(cause, ChannelError):
            return BackendError(BackendFault.UNREACHABLE, f"can't reach the backend (backend.url): {cause}")
        late = isinstance(cause, TimeoutError)
        reason = "did not answer in time" if late else f"broke the connection off: {stream.describe(cause)}"
        return BackendError(
            BackendFault.UNREACHABLE, f"the backend {reason}; check the network and backend.url, and whether it runs"
        )

    def _headers(self, token: str) -> dict[str, str]:
        authorization = f"Bearer {token}" if self._auth_scheme == "bearer" else token
        return {
            "Authorization": authorization,
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": f"ingestd/{__version__}",
        }

    def _token(self) -> str:
        try:
            return read_token(self._token_file).reveal()
        except ConfigError as error:
            raise BackendError(BackendFault.TOKEN, str(error)) from None


def _target(parts: SplitResult) -> str:
    """What stands in the request's first line."""
    query = f"?{parts.query}" * bool(parts.query)
    return quote((parts.path or "/") + query, safe="!#$%&'()*+,/:;=?@[]~")


class _CodingError(Exception):
    """The name of a Content-Encoding that was not asked for."""


def _decoded(answer: Answer) -> bytes:
    """Raises _CodingError."""
    body = answer.body
    coding = answer.headers.get("content-encoding", "identity").lower()
    if coding in ("", "identity"):
        return body
    if coding not in _CODINGS:
        raise _CodingError(f"Content-Encoding {stream.printable(coding)[:20]}")
    try:
        # Asked for is none, but some compress all the same.
        return zlib.decompressobj(_GZIP_OR_ZLIB).decompress(body, MAX_ANSWER_BYTES + 1)
    except zlib.error:
        raise _CodingError(f"a broken Content-Encoding {coding}") from None
