"""Creates ingest sessions over HTTP. The only importer of requests; runs in an attempt's own thread."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ingestd.config.secret import read_token
from ingestd.core.ingest_session import MAX_ANSWER_BYTES, IngestSession, read_answer
from ingestd.core.times import DEFAULT, Times
from ingestd.errors import BackendError, BackendFault, CertificateError, ChannelError, ConfigError, ProxyRefused
from ingestd.net import stream
from ingestd.net.cancel import Cancel
from ingestd.net.deadline import DeadlineSocket
from ingestd.net.reach import reach
from ingestd.net.stalls import Stalls
from ingestd.net.tls import certificate_fault

if TYPE_CHECKING:
    import requests


@dataclass(frozen=True, slots=True)
class Backend:
    """Where sessions come from: the service itself or a broker that answers alike."""

    url: str
    token_file: Path
    auth_scheme: str
    tls: Callable[[], ssl.SSLContext]
    """What verifies, asked for every session (`net.tls_files`). Raises BackendError."""
    proxy_url: str | None = field(default=None, repr=False)
    """May hold a password. Without one the environment's is taken."""
    times: Times = DEFAULT
    stalls: Stalls = field(default_factory=Stalls, repr=False)

    def create(self, body: dict[str, Any], cancel: Cancel) -> IngestSession:
        """One POST, one session. Raises BackendError, also where cancelled; then nothing is left open."""
        # Imported here: it costs a fifth of a second that a device should spend opening its microphone.
        import requests

        token = self._token()
        tls = self.tls() if urlsplit(self.url).scheme == "https" else None
        with contextlib.ExitStack() as open_connection:
            try:
                with _http(lambda: self._connected(tls, cancel, open_connection)) as http:
                    response = http.post(
                        self.url,
                        json=body,
                        auth=_TokenAuth(token, self.auth_scheme),
                        headers={"Accept": "application/json"},
                        timeout=self.times.answer_s,
                        allow_redirects=False,  # a token goes where the configuration says, nowhere else
                        stream=True,
                    )
                    with response:
                        answer = _read_bounded(response)
                    cancel.check()  # an answer that it cut short may look like a whole one
            except (ChannelError, requests.exceptions.RequestException, OSError, ValueError) as error:
                raise self._failure(error, cancel) from None
        if not 200 <= response.status_code < 300:
            answer = answer.replace(token.encode("ascii"), b"<token>")  # a refusal may quote what it refuses
        return read_answer(response.status_code, response.headers, answer)

    def _connected(
        self, tls: ssl.SSLContext | None, cancel: Cancel, open_connection: contextlib.ExitStack
    ) -> DeadlineSocket:
        """A connection to the backend, which `cancel` ends until `open_connection` is over."""
        parts = urlsplit(self.url)
        port = parts.port or (80 if tls is None else 443)
        deadline_s = time.monotonic() + self.times.attempt_s
        sock = reach(parts.hostname or "", port, tls, self.proxy_url, cancel, deadline_s, self.times, self.stalls)
        open_connection.callback(sock.close)  # not only when the last reference goes: a refusal is kept for minutes
        open_connection.enter_context(cancel.watching(sock))
        return DeadlineSocket(sock, min(deadline_s, time.monotonic() + self.times.answer_s))

    def _failure(self, error: Exception, cancel: Cancel) -> BackendError:
        cause = _innermost(error)
        if cancel.requested:
            return BackendError(BackendFault.UNREACHABLE, "the attempt was abandoned")
        refused = certificate_fault(cause, urlsplit(self.url).hostname or "the backend")
        if refused is not None:
            return BackendError(BackendFault.TLS, str(refused))
        if isinstance(cause, CertificateError):
            return BackendError(BackendFault.TLS, str(cause))
        if isinstance(cause, ProxyRefused):
            return BackendError(BackendFault.PROXY, str(cause))
        if isinstance(cause, ChannelError):
            return BackendError(BackendFault.UNREACHABLE, f"can't reach the backend (backend.url): {cause}")
        late = isinstance(cause, TimeoutError)
        reason = "did not answer in time" if late else f"broke the connection off: {stream.describe(cause)}"
        return BackendError(
            BackendFault.UNREACHABLE, f"the backend {reason}; check the network and backend.url, and whether it runs"
        )

    def _token(self) -> str:
        try:
            return read_token(self.token_file).reveal()
        except ConfigError as error:
            raise BackendError(BackendFault.TOKEN, str(error)) from None


class _TokenAuth:
    """Given as `auth`, so that a stray ~/.netrc can't replace the header."""

    def __init__(self, token: str, scheme: str) -> None:
        self._value = f"Bearer {token}" if scheme == "bearer" else token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


def _http(connected: Callable[[], DeadlineSocket]) -> requests.Session:
    """A session whose connections are made by `connected`: proxy, TLS and all."""
    import requests
    from requests.adapters import HTTPAdapter

    class ConnectedAdapter(HTTPAdapter):
        """Never connects by itself: that would look up names without a deadline, and trust a bundle of its own."""

        def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
            pool = super().get_connection_with_tls_context(*args, **kwargs)
            pool.ConnectionCls = _connecting_by(connected, pool.ConnectionCls)  # type: ignore[attr-defined] # urllib3's own hook, which its types leave out
            return pool

        def cert_verify(self, *_args: Any) -> None:
            """Done by `connected`."""

    http = requests.Session()
    for scheme in ("https://", "http://"):
        http.mount(scheme, ConnectedAdapter(max_retries=0))
    http.trust_env = False  # no login from ~/.netrc; which proxy to take is decided in `net.proxies`
    return http


def _connecting_by(connected: Callable[[], DeadlineSocket], kind: Any) -> Any:
    """urllib3's class of connection `kind`, connecting by `connected`."""

    class Connecting(kind):  # type: ignore[misc] # a class that is known at run time only
        sock: Any
        is_verified = True  # urllib3 would warn of a connection that nobody verified

        def connect(self) -> None:
            self.sock = connected()

    return Connecting


def _read_bounded(response: requests.Response) -> bytes:
    body = b""
    for chunk in response.iter_content(4096):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            break  # read_answer refuses it by its size
    return body


def _innermost(error: BaseException) -> BaseException:
    """The innermost reason: what requests wraps around it repeats URL and object addresses."""
    seen: BaseException = error
    while True:
        inner = getattr(seen, "reason", None) or (seen.args[0] if seen.args else None)
        if isinstance(inner, BaseException):
            seen = inner
            continue
        nested = seen.__cause__ or seen.__context__
        if nested is None or isinstance(seen, ChannelError) or (isinstance(seen, OSError) and seen.errno):
            return seen
        seen = nested
