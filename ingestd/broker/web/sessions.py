"""POST /v1/sessions: a device asks for an ingest session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, after_this_request, jsonify, request

from ingestd.broker.answers import PassedOn
from ingestd.broker.bodies import LARGEST_BYTES, asked_in
from ingestd.broker.errors import Refused
from ingestd.broker.web.callers import Callers
from ingestd.broker.web.turns import known

if TYPE_CHECKING:
    from ingestd.broker.compose import Broker


def routes(broker: Broker) -> Blueprint:
    """The route, on the parts of `broker`."""
    part = Blueprint("sessions", __name__)
    callers = Callers(broker.registry, broker.settings.proxy)

    @part.post("/v1/sessions")
    def create_session() -> Response:
        request.max_content_length = LARGEST_BYTES
        try:
            device = callers.device(request.environ)
        except Refused:
            broker.figures.key_refused()
            raise
        known()
        try:
            return jsonify(broker.sessions.make(device, asked_in(request.get_data(cache=False))))
        except PassedOn as error:
            _name_request(error.request_id)
            raise

    return part


def _name_request(request_id: str | None) -> None:
    """Hands on what the service calls the request by."""
    if request_id is None or not request_id.isascii():
        return

    @after_this_request
    def named(answer: Response) -> Response:
        answer.headers["X-Request-Id"] = request_id
        return answer
