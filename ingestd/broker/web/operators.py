"""What operators and their monitoring ask: devices, figures, health, and how to ask."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from ingestd.broker.compose import Broker
from ingestd.broker.errors import Refused
from ingestd.broker.model import DEVICES
from ingestd.broker.openapi import DESCRIPTION, MOST_DEVICES, NAME_PATTERN, USUAL_DEVICES
from ingestd.broker.operator_key import OperatorKey
from ingestd.broker.overview import DeviceState, device_states
from ingestd.broker.sparing_log import SparingLog
from ingestd.broker.storage import told
from ingestd.broker.web.turns import known

_NAME: Final = re.compile(NAME_PATTERN, re.ASCII)
_log = logging.getLogger(__name__)


def routes(broker: Broker) -> Blueprint:
    """GET /v1/devices and /metrics for who has the operators' key; /healthz and /v1/openapi.json for all."""
    blueprint = Blueprint("operators", __name__)
    key = OperatorKey(broker.settings.operators.key_file)
    traces = SparingLog(_log, time.monotonic)

    def let_in() -> None:
        """Raises Refused (401) for who is no operator."""
        scheme, _, presented = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.allows(presented.strip()):
            raise Refused(401, "This is for operators: it takes their key", code="operator-key")
        known()

    @blueprint.get("/v1/devices")
    def devices() -> Response:
        let_in()
        after, limit = _page(request.args.to_dict(flat=False))
        with broker.storage.reading() as connection:
            found = device_states(connection, after, limit + 1)
        page = found[:limit]
        return jsonify({"devices": list(map(_shown, page)), "next": page[-1].name if len(found) > limit else None})

    @blueprint.get("/metrics")
    def metrics() -> Response:
        let_in()
        return Response(broker.figures.text(), content_type=broker.figures.content_type)

    @blueprint.get("/healthz")
    def health() -> tuple[Response, int]:
        try:
            with broker.storage.reading() as connection:
                connection.execute(select(DEVICES.c.id).limit(1)).first()
        except SQLAlchemyError as error:
            traces.tell(logging.ERROR, f"not healthy: the database can't be used: {told(error)}")
            return jsonify({"status": "failing", "why": "database"}), 503
        return jsonify({"status": "ok"}), 200

    @blueprint.get("/v1/openapi.json")
    def description() -> Response:
        return jsonify(DESCRIPTION)

    return blueprint


def _page(query: Mapping[str, list[str]]) -> tuple[str | None, int]:
    """The name after which the page begins, and how many it has. Raises Refused (400) for anything else."""
    for name, values in query.items():
        if name not in ("after", "limit"):
            raise Refused(400, "Only the parameters after and limit are known here", code="bad-parameter")
        if len(values) > 1:
            raise Refused(400, f"The parameter {name} is given twice", code="bad-parameter")
    after, limit = query.get("after", [None])[0], query.get("limit", [str(USUAL_DEVICES)])[0]
    if after is not None and not _NAME.fullmatch(after):
        raise Refused(400, "The parameter after is no device's name", code="bad-parameter")
    if limit is None or not re.fullmatch("[0-9]{1,3}", limit) or not 1 <= int(limit) <= MOST_DEVICES:
        raise Refused(400, f"The parameter limit is no number from 1 to {MOST_DEVICES}", code="bad-parameter")
    return after, int(limit)


def _shown(device: DeviceState) -> dict[str, Any]:
    session, event = device.last_session, device.last_event
    return {
        "name": device.name,
        "enabled": device.enabled,
        "room_id": device.room_id,
        "live": device.live,
        "last_session": session
        and {
            "asked": _iso(session.asked_ms),
            "status": session.status,
            "call_id": session.call_id,
            "room_id": session.room_id,
        },
        "last_event": event and {"kind": event.kind, "at": _iso(event.at_ms), "received": _iso(event.received_ms)},
    }


def _iso(time_ms: int | None) -> str | None:
    """ISO 8601 in UTC, with milliseconds."""
    if time_ms is None:
        return None
    seconds, rest_ms = divmod(time_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ms:03}Z"
