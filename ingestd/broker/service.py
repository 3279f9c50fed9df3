"""The service's HTTP API, as far as a backend needs it. The only importer of requests."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter, TimeoutSauce  # type: ignore[attr-defined]  # its name for urllib3's Timeout

from ingestd import __version__
from ingestd.broker import settings
from ingestd.broker.errors import ServiceError
from ingestd.broker.service_answers import Answer, an_id, lifetime_s, odd, read_object, refusal
from ingestd.core.ingest_session import MAX_ANSWER_BYTES, check_ws_url
from ingestd.errors import BackendError

_CONNECT_S: Final = 3.0
_IDLE_CONNECTIONS: Final = 250
"""Kept for the next request; as many as may be open at all (`devices.at_once`)."""
_HEADERS: Final = {
    "User-Agent": f"ingestd-broker/{__version__}",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}
# What is between here and the service forgets a silent connection without a word: it is not left silent for long.
_KEPT_ALIVE: Final = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
]
# What is read as it comes fails as urllib3 puts it, which is no RequestException.
_FROM_BELOW: Final = requests.exceptions.BaseHTTPError  # type: ignore[attr-defined]  # a name of its module all the same


class Session(NamedTuple):
    """An ingest session that nobody has claimed yet. `ws_url` is a secret: it goes to its device and nowhere else."""

    ws_url: str
    call_id: str | None
    expires_in_s: float

    def __repr__(self) -> str:
        return f"Session(ws_url=<secret>, call_id={self.call_id!r}, expires_in_s={self.expires_in_s})"


class Service:
    """The service behind `videosdk.url`. Any thread; their connections are shared. Every method raises ServiceError.

    A redirect is never followed: a token goes where the configuration says. HTTPS_PROXY and NO_PROXY of the environment
    count, as they were when the broker started.
    """

    def __init__(self, videosdk: settings.VideoSdk) -> None:
        """Opens nothing yet."""
        self._url = videosdk.url.rstrip("/")
        self._bearer = videosdk.auth_scheme == "bearer"
        self._timeout_s = videosdk.timeout_s
        self._connect_s = min(_CONNECT_S, videosdk.timeout_s)
        self._ca_file = None if videosdk.ca_file is None else str(videosdk.ca_file)
        self._host = urlsplit(self._url).netloc
        # In the clear it is for this machine alone.
        self._proxies = requests.utils.get_environ_proxies(self._url) if self._url.startswith("https:") else {}
        # Without a session of requests, which would follow redirects, keep cookies and look for passwords in a .netrc.
        self._http = _Adapter(pool_connections=1, pool_maxsize=_IDLE_CONNECTIONS)

    def create_session(self, token: str, body: Mapping[str, Any]) -> Session:
        """An ingest session for the page's request `body`."""
        answer = self._ask("POST", "/v2/ingest/sessions", token, body)
        data = answer.fields.get("data")
        fields = data if isinstance(data, dict) else answer.fields
        ws_url = fields.get("wsUrl")
        if not isinstance(ws_url, str):
            raise odd(answer, "without data.wsUrl")
        try:
            check_ws_url(ws_url)
        except BackendError:
            raise odd(answer, "with a wsUrl that is none: only wss:// is used beyond a machine") from None
        return Session(ws_url, an_id(fields.get("callId")), lifetime_s(fields.get("expiresIn")))

    def make_room(self, token: str, custom_room_id: str) -> str:
        """The id of the room that the service has for that name of ours; made where there was none."""
        answer = self._ask("POST", "/v2/rooms", token, {"customRoomId": custom_room_id})
        data = answer.fields.get("data")
        room_id = an_id(answer.fields.get("roomId")) or an_id(data.get("roomId") if isinstance(data, dict) else None)
        if room_id is None:
            raise odd(answer, "without a roomId")
        return room_id

    def public_key(self) -> str:
        """The key that webhooks are signed with, as PEM; not looked at."""
        answer = self._ask("GET", "/v2/public/rsa-public-key", None, None)
        pem = answer.fields.get("publicKey")
        if not isinstance(pem, str):
            raise odd(answer, "without a publicKey")
        return pem

    def register_webhook(self, token: str, url: str, events: Sequence[str]) -> None:
        """Has the service post these events to `url`."""
        self._ask("POST", "/v2/sip/webhooks", token, {"url": url, "events": list(events)})

    def _ask(self, method: str, path: str, token: str | None, body: Mapping[str, Any] | None) -> Answer:
        until_s = time.monotonic() + self._timeout_s
        try:
            answer = self._exchange(method, path, token, body, until_s)
        except _Dropped as error:
            # A connection that had been kept, most likely, and closed there meanwhile. What was asked for may have been
            # done: a session that nobody claims expires, a room or a webhook is the same one again.
            if until_s - time.monotonic() < self._timeout_s / 2:
                raise error.told from None
            try:
                answer = self._exchange(method, path, token, body, until_s)
            except _Dropped as again:
                raise again.told from None
        if not 200 <= answer.status < 300:
            raise refusal(answer, token)
        return answer

    def _exchange(
        self, method: str, path: str, token: str | None, body: Mapping[str, Any] | None, until_s: float
    ) -> Answer:
        headers = dict(_HEADERS)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}" if self._bearer else token
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            headers["Content-Type"] = "application/json"
        request = requests.Request(method, self._url + path, headers, data=content).prepare()
        try:
            if (left_s := until_s - time.monotonic()) <= 0:
                raise TimeoutError
            with self._http.send(
                request,
                stream=True,
                timeout=TimeoutSauce(total=left_s, connect=self._connect_s, read=left_s),
                verify=self._ca_file or _systems_ca(),
                proxies=self._proxies,
            ) as answer:
                return Answer(answer.status_code, answer.headers, read_object(_content(answer, until_s)))
        except _TooLong:
            raise ServiceError(
                0, f"the service answered more than {MAX_ANSWER_BYTES} bytes; check videosdk.url"
            ) from None
        except (OSError, http.client.HTTPException, _FROM_BELOW, ValueError) as error:
            raise self._failure(error) from None

    def _failure(self, error: Exception) -> Exception:
        if (problem := _problem_with(self._ca_file)) is not None:
            return ServiceError(0, f"the service can't be asked: videosdk.ca_file {problem}")
        chain = _chain(error)
        host = self._host
        if any(isinstance(one, requests.ConnectTimeout) for one in chain):
            return ServiceError(0, f"the service at {host} took no connection in {self._connect_s:g} s", late=True)
        if any(isinstance(one, requests.Timeout | TimeoutError) for one in chain):
            return ServiceError(0, f"the service at {host} did not answer in {self._timeout_s:g} s", late=True)
        for one in chain:
            if isinstance(one, ssl.SSLCertVerificationError):
                return ServiceError(
                    0,
                    f"the certificate of {host} is refused: {one.verify_message}; "
                    "see that the clock is right, and videosdk.ca_file",
                )
        dropped = (
            ConnectionResetError,
            BrokenPipeError,
            ConnectionAbortedError,
            ssl.SSLEOFError,
            ssl.SSLZeroReturnError,
        )
        if any(isinstance(one, dropped) for one in chain):
            return _Dropped(ServiceError(0, f"the service at {host} closed the connection without an answer"))
        if any(isinstance(one, http.client.IncompleteRead) for one in chain):
            return ServiceError(0, f"the service at {host} ended in the middle of its answer")
        host += " (by the proxy of HTTPS_PROXY)" if self._proxies else ""
        reason = next((one.strerror for one in reversed(chain) if isinstance(one, OSError) and one.strerror), None)
        return ServiceError(0, f"the service at {host} can't be reached: {reason or type(chain[-1]).__name__}")


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, socket_options=_KEPT_ALIVE)


class _Dropped(Exception):  # noqa: N818 (asked once more before it is an error)
    def __init__(self, told: ServiceError) -> None:
        super().__init__()
        self.told = told


class _TooLong(Exception):  # noqa: N818 (turned into a ServiceError at once)
    pass


def _systems_ca() -> str | bool:
    # Not requests' own bundle, which is as old as its package is.
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath or True


def _problem_with(ca_file: str | None) -> str | None:
    """Why no certificate can be verified by that file, None where one can."""
    if ca_file is None:
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca_file)
    except ssl.SSLError:
        return f"{ca_file} holds no certificate; write the CA's into it, as PEM"
    except OSError as error:
        return f"{ca_file} can't be read: {error.strerror}"
    return None


def _content(answer: requests.Response, until_s: float) -> bytes:
    content = b""
    while more := answer.raw.read1(MAX_ANSWER_BYTES, decode_content=False):
        content += more
        if len(content) > MAX_ANSWER_BYTES:
            raise _TooLong
        if time.monotonic() > until_s:
            raise TimeoutError
    return content


def _chain(error: BaseException) -> list[BaseException]:
    """An error with those it was made of, the innermost last: requests and what is below hand them on as arguments."""
    chain: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and one not in chain:
            chain.append(one)
            waiting += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return chain
