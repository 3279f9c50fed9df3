"""Creates ingest sessions over HTTP. The only importer of requests; runs in an attempt's own thread."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ingestd.config import schema
from ingestd.config.secret import read_token
from ingestd.core.ingest_session import MAX_ANSWER_BYTES, IngestSession, read_answer
from ingestd.errors import BackendError, BackendFault, ConfigError
from ingestd.net import stream
from ingestd.net.deadline import DeadlineSocket

if TYPE_CHECKING:
    import requests

CONNECT_S: Final = 3.0
"""TCP and TLS together. Within it the kernel repeats a lost SYN after 1 s."""
CONNECT_ROUNDS: Final = 2
ANSWER_S: Final = 10.0


def tls_context(ca_file: Path | None, client_cert: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """The system's CAs plus `ca_file`; `client_cert` is (certificate, key). Raises BackendError."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if ca_file is not None:
            context.load_verify_locations(cafile=str(ca_file))
        if client_cert is not None:
            context.load_cert_chain(str(client_cert[0]), str(client_cert[1]))
    except OSError as error:  # ssl.SSLError is one
        raise BackendError(
            BackendFault.TLS,
            f"can't load backend.ca_file or backend.client_cert: {stream.describe(error)}; check both files",
        ) from error
    return context


def tls_of(backend: schema.Backend) -> ssl.SSLContext:
    """`tls_context` of what the configuration says."""
    cert = backend.client_cert
    return tls_context(backend.ca_file, (cert.cert_file, cert.key_file) if cert else None)


@dataclass(frozen=True, slots=True)
class Backend:
    """Where sessions come from: the service itself or a broker that answers alike."""

    url: str
    token_file: Path
    auth_scheme: str
    tls: ssl.SSLContext
    proxy_url: str | None = field(default=None, repr=False)
    """May hold a password."""

    def create(self, body: dict[str, Any]) -> IngestSession:
        """One POST, one session. Raises BackendError."""
        # Imported here: it costs a fifth of a second that a device should spend opening its microphone.
        import requests

        token = self._token()
        deadline_s = time.monotonic() + ANSWER_S
        try:
            with _http(self.tls, deadline_s) as http:
                response = http.post(
                    self.url,
                    json=body,
                    auth=_TokenAuth(token, self.auth_scheme),
                    headers={"Accept": "application/json"},
                    timeout=(CONNECT_S, ANSWER_S),
                    proxies={"http": self.proxy_url, "https": self.proxy_url} if self.proxy_url else None,
                    allow_redirects=False,  # a token goes where the configuration says, nowhere else
                    stream=True,
                )
                with response:
                    answer = _read_bounded(response)
        except requests.exceptions.SSLError as error:
            raise BackendError(BackendFault.TLS, f"TLS to the backend failed: {_cause(error)}") from None
        except (requests.exceptions.RequestException, OSError, ValueError) as error:
            if isinstance(error, requests.exceptions.Timeout) or time.monotonic() >= deadline_s:
                reason = "the backend did not answer in time"
            else:
                reason = f"can't reach the backend: {_cause(error)}"
            raise BackendError(
                BackendFault.UNREACHABLE, f"{reason}; check the network and backend.url, and whether it runs"
            ) from None
        if not 200 <= response.status_code < 300:
            answer = answer.replace(token.encode("ascii"), b"<token>")  # a refusal may quote what it refuses
        return read_answer(response.status_code, response.headers, answer)

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


def _http(tls: ssl.SSLContext, deadline_s: float) -> requests.Session:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util.retry import Retry

    class DeadlineAdapter(HTTPAdapter):
        """Holds every connection to the deadline: the proxy's answer, the headers and the body."""

        def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
            pool = super().get_connection_with_tls_context(*args, **kwargs)
            pool.ConnectionCls = _bounded(pool.ConnectionCls, deadline_s)  # type: ignore[attr-defined] # urllib3's own hook, which its types leave out
            return pool

    class ContextAdapter(DeadlineAdapter):
        """Uses our TLS context as it is: the system's CAs, not a bundle of the library's own."""

        def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
            super().init_poolmanager(*args, ssl_context=tls, **kwargs)

        def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
            return super().proxy_manager_for(*args, ssl_context=tls, **kwargs)

        def build_connection_pool_key_attributes(self, *args: Any, **kwargs: Any) -> Any:
            host, pool = super().build_connection_pool_key_attributes(*args, **kwargs)
            return host, {**pool, "ssl_context": tls, "ca_certs": None, "ca_cert_dir": None}

        def cert_verify(self, conn: Any, *_args: Any) -> None:
            conn.cert_reqs = "CERT_REQUIRED"

    # Only connects are repeated: nothing was sent yet.
    retry = Retry(total=None, connect=CONNECT_ROUNDS - 1, read=0, redirect=0, status=0, other=0, backoff_factor=0)
    http = requests.Session()
    http.mount("https://", ContextAdapter(max_retries=retry))
    http.mount("http://", DeadlineAdapter(max_retries=retry))
    http.trust_env = False  # neither a proxy nor a login from the environment: the configuration has both
    return http


def _bounded(kind: Any, deadline_s: float) -> Any:
    """urllib3's class of connection `kind`, reading under a deadline."""

    class Bounded(kind):  # type: ignore[misc] # a class that is known at run time only
        sock: Any

        def connect(self) -> None:
            super().connect()
            self.sock = DeadlineSocket(self.sock, deadline_s)

        def _tunnel(self) -> None:
            plain = self.sock
            self.sock = DeadlineSocket(plain, deadline_s)
            super()._tunnel()
            self.sock = plain  # TLS goes over the real one

    return Bounded


def _read_bounded(response: requests.Response) -> bytes:
    body = b""
    for chunk in response.iter_content(4096):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            break  # read_answer refuses it by its size
    return body


def _cause(error: BaseException) -> str:
    """The innermost reason: what requests wraps around it repeats URL and object addresses."""
    seen: BaseException = error
    while True:
        inner = getattr(seen, "reason", None) or (seen.args[0] if seen.args else None)
        if isinstance(inner, BaseException):
            seen = inner
            continue
        nested = seen.__cause__ or seen.__context__
        if nested is None or (isinstance(seen, OSError) and seen.errno):
            return stream.describe(seen)
        seen = nested
