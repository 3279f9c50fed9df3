"""The WSGI application: its routes, and how what goes wrong is answered."""

from __future__ import annotations

import logging
import math
import random
import time
from typing import Final

from flask import Flask, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoneFree
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from ingestd.broker.answers import spread_s
from ingestd.broker.arrivals import LARGEST_BODY_BYTES
from ingestd.broker.compose import Broker
from ingestd.broker.errors import Refused
from ingestd.broker.sparing_log import SparingLog
from ingestd.broker.storage import told
from ingestd.broker.web import operators, sessions, webhooks
from ingestd.broker.web.turns import Turns

_DATABASE_AGAIN_S: Final = 5.0
_CODES: Final = {
    400: "bad-request",
    404: "no-such-path",
    405: "method-not-allowed",
    411: "length-required",
    413: "too-large",
    415: "not-json",
}

_log = logging.getLogger(__name__)


def make_app(broker: Broker) -> Flask:
    """The application for one process. Its threads share the broker."""
    app = Flask("ingestd-broker", static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY_BYTES
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False  # no browser asks here
    Turns(app)
    for part in (sessions, webhooks, operators):
        app.register_blueprint(part.routes(broker))
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(HTTPException, _by_http)
    database = _Database()
    app.register_error_handler(SQLAlchemyError, database.failed)
    app.register_error_handler(NoneFree, database.was_busy)
    app.register_error_handler(Exception, _unforeseen)
    app.after_request(_not_kept)
    return app


def _answer(status: int, message: str, code: str | None, retry_after_s: float | None = None) -> Response:
    answer = jsonify({"message": message} | ({} if code is None else {"code": code}))
    answer.status_code = status
    if retry_after_s is not None:
        answer.headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _refused(error: Refused) -> Response:
    return _answer(error.status, error.message, error.code, error.retry_after_s)


def _by_http(error: HTTPException) -> Response:
    status = error.code or 500
    answer = _answer(status, error.name, _CODES.get(status))
    for name, value in error.get_headers():
        if name == "Allow":
            answer.headers[name] = value
    if isinstance(error, RequestEntityTooLarge):
        answer.headers["Connection"] = "close"  # what was not read is still on its way
    return answer


class _Database:
    """What its faults are answered with. All requests may have the same one at once: few are told of."""

    def __init__(self) -> None:
        self._log = SparingLog(_log, time.monotonic)

    def failed(self, error: SQLAlchemyError) -> Response:
        text = f"the database can't be used: {told(error)}; see that it runs and that its disk has room"
        self._log.tell(logging.ERROR, text)
        return _answer(503, "The database can't be used at present", "database", _DATABASE_AGAIN_S)

    def was_busy(self, error: NoneFree) -> Response:
        """More requests at a time than it takes: whoever waited in vain comes again."""
        self._log.tell(logging.WARNING, f"the database is too slow for all who ask: {told(error)}")
        return _answer(429, "The broker is busy", "busy", spread_s(random.random))


def _unforeseen(error: Exception) -> Response:
    _log.error("nobody foresaw this; please report it", exc_info=error)
    return _answer(500, "Something broke within the broker", "unforeseen")


def _not_kept(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer
