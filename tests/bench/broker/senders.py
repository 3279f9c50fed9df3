"""A service that posts signed webhooks and devices that ask for sessions, whatever becomes of the broker meanwhile.

Each webhook is sent until it is answered 200, and some that were are sent again, as a service may. Of all of it is
kept what the broker acknowledged: that is what must not be lost.
"""

from __future__ import annotations

import base64
import http.client
import itertools
import json
import threading
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_ANSWER_S: Final = 20.0
_PAUSE_S: Final = 0.02
"""After a request that was not answered 200: nobody may be there."""
_AGAIN_EVERY: Final = 4
_PATIENCE_S: Final = 40.0


class Senders:
    """Threads that begin and end with the context. What is counted is whole once they have ended."""

    def __init__(
        self, port: int, key: rsa.RSAPrivateKey, device_keys: Sequence[str], services: int = 3, devices: int = 2
    ) -> None:
        """The broker is, or will be, on 127.0.0.1 at `port`; webhooks are signed with `key`."""
        self.sent: set[str] = set()
        """The bodies of all webhooks."""
        self.acknowledged: set[str] = set()
        """Those that were answered 200."""
        self.calls: set[str] = set()
        """The sessions that devices were given."""
        self.statuses: Counter[int] = Counter()
        """How many answers had each status; 0 are requests without one, as somebody was killed."""
        self._key = key
        self._device_keys = itertools.cycle(device_keys)
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._post_webhooks, args=(_Line(port),)) for _ in range(services)]
        self._threads += [threading.Thread(target=self._ask_for_sessions, args=(_Line(port),)) for _ in range(devices)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(_PATIENCE_S)
            assert not thread.is_alive(), "a sender hangs"

    def _post_webhooks(self, line: _Line) -> None:
        for number in itertools.count():
            if self._ending.is_set():
                return
            call_id = str(uuid.uuid4())
            body = json.dumps({"webhookType": "call-started", "data": {"callId": call_id, "number": number}})
            signature = self._key.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256())
            headers = {"videosdk-signature": base64.b64encode(signature).decode()}
            self.sent.add(body)
            for _ in range(1 if number % _AGAIN_EVERY else 2):
                while self._post(line, "/v1/webhooks/videosdk", headers, body) is None:
                    if self._ending.wait(_PAUSE_S):
                        return
                self.acknowledged.add(body)

    def _ask_for_sessions(self, line: _Line) -> None:
        while not self._ending.is_set():
            with self._lock:
                headers = {"Authorization": f"Bearer {next(self._device_keys)}"}
            answer = self._post(line, "/v1/sessions", headers, "{}")
            if answer is None:
                self._ending.wait(_PAUSE_S)
            else:
                self.calls.add(json.loads(answer)["data"]["callId"])

    def _post(self, line: _Line, path: str, headers: Mapping[str, str], body: str) -> bytes | None:
        """What was answered with 200; None otherwise."""
        status, answer = line.post(path, headers, body)
        with self._lock:
            self.statuses[status] += 1
        return answer if status == 200 else None


class _Line:
    """A connection that is made anew where it broke."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)

    def post(self, path: str, headers: Mapping[str, str], body: str) -> tuple[int, bytes]:
        """Status and body; 0 where there was no whole answer."""
        try:
            self._connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
            answer = self._connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return 0, b""
