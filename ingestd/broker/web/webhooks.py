"""POST /v1/webhooks/videosdk: what the service tells about its calls."""

from __future__ import annotations

import hashlib
import logging
import time

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from ingestd.broker.arrivals import LARGEST_BODY_BYTES
from ingestd.broker.compose import Broker
from ingestd.broker.errors import Refused
from ingestd.broker.events import PATH
from ingestd.broker.signatures import HEADER, Unproven
from ingestd.broker.sparing_log import SparingLog
from ingestd.broker.web.turns import known

_log = logging.getLogger(__name__)


def routes(broker: Broker) -> Blueprint:
    """The endpoint. A webhook is acknowledged (200) once it is on the disk, and not before."""
    blueprint = Blueprint("webhooks", __name__)
    traces = SparingLog(_log, time.monotonic)

    @blueprint.post(PATH)
    def take() -> Response:
        try:
            body = _raw_body()
            broker.signatures.check(body, request.headers.get(HEADER), waits=known)
            known()
            stored = broker.events.store(body)
        except RequestEntityTooLarge:
            broker.figures.webhook("refused")
            size = "more than it told" if request.content_length is None else f"{request.content_length} bytes"
            traces.tell(logging.WARNING, f"webhook refused: its body is too large; from {_peer()}, {size}")
            raise
        except Unproven as why:
            broker.figures.webhook("refused" if why.status == 401 else "unverified")
            what = "refused" if why.status == 401 else "put off"
            traces.tell(logging.WARNING, f"webhook {what}: {why.why}; from {_peer()}, {_named(body)}")
            raise
        except Refused as why:
            broker.figures.webhook("unreadable")
            traces.tell(logging.WARNING, f"webhook refused: {why.message}; from {_peer()}, {_named(body)}")
            raise
        broker.figures.webhook("stored" if stored else "duplicate")
        return jsonify({"message": "Stored" if stored else "Had it already", "stored": stored})

    return blueprint


def _raw_body() -> bytes:
    """The bytes as they came, which the signature is over. Raises RequestEntityTooLarge, also while they come."""
    request.max_content_length = LARGEST_BODY_BYTES
    return request.get_data(cache=False)


def _peer() -> str:
    return request.remote_addr or "a Unix socket"


def _named(body: bytes) -> str:
    """What tells one body from another, and nothing of what it says."""
    return f"{len(body)} bytes, SHA-256 {hashlib.sha256(body).hexdigest()[:12]}…"
