"""The description of the broker's HTTP interface (OpenAPI 3.1), as it is served at /v1/openapi.json. Pure."""

from __future__ import annotations

from typing import Any, Final

from ingestd import __version__

NAME_PATTERN: Final = "^[A-Za-z0-9._-]{1,128}$"
"""A device's name."""
USUAL_DEVICES: Final = 100
MOST_DEVICES: Final = 500
"""On one page of /v1/devices."""

_NOT_BLANK: Final = r"[^\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
"""What `str.strip` leaves something of: regular expressions differ in what \\s is."""
_Value = dict[str, Any]


def _text(longest: int, meaning: str = "", **more: Any) -> _Value:
    said = {"description": meaning} if meaning else {}
    return {"type": "string", "minLength": 1, "maxLength": longest, "pattern": _NOT_BLANK, **said, **more}


def _object(required: tuple[str, ...], **properties: Any) -> _Value:
    """An object that has nothing else."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _or_null(schema: _Value) -> _Value:
    return {"anyOf": [schema, {"type": "null"}]}


def _named(schema: str) -> _Value:
    return {"$ref": f"#/components/schemas/{schema}"}


def _json(meaning: str, schema: str, *, again: bool = False, **example: Any) -> _Value:
    """An answer in JSON; `again`: with the time after which to come again."""
    content: _Value = {"schema": _named(schema)}
    if example:
        content["example"] = example
    headers = {"headers": {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}}} if again else {}
    return {"description": meaning, "content": {"application/json": content}, **headers}


def _error(meaning: str, code: str | None = None, *, again: bool = False) -> _Value:
    example = {} if code is None else {"message": meaning.rstrip("."), "code": code}
    return _json(meaning, "Error", again=again, **example)


_DATABASE: Final = _error("The database can't be used at present.", "database", again=True)
_UNFORESEEN: Final = _error("Something broke within the broker.")
_TOO_LARGE: Final = _error("The body is too large: 64 KiB for a session, 256 KiB for a webhook.", "too-large")
_NO_OPERATOR: Final = _error("The operators' key is missing or wrong.", "operator-key")

_ROOM: Final = _text(128, "The room to join.")
_TIME: Final = {"type": "string", "format": "date-time"}
_METADATA: Final = {"type": "object", "description": "Any JSON object, at most 32 levels deep."}

_SCHEMAS: Final = {
    "Error": _object(
        ("message",),
        message={"type": "string", "description": "For people."},
        code={"type": "string", "description": "For programs, as `rate-limited`."},
    ),
    "SessionRequest": {
        "type": "object",
        "description": "All of it may be left out: the registry knows the device. What a device sets counts only where "
        "the broker's configuration lets it (devices.may_set).",
        "properties": {
            "roomId": _ROOM,
            "participant": {
                "type": "object",
                "properties": {"id": _text(128), "name": _text(128), "metadata": _METADATA},
            },
            "agent": {
                "type": "object",
                "properties": {"id": _text(128), "metadata": _METADATA},
                "required": ["id"],
            },
            "region": _text(64, "Pins the ingest region, as `us002`."),
        },
    },
    "Session": _object(
        ("message", "data"),
        message={"type": "string"},
        data=_object(
            ("wsUrl", "expiresIn"),
            wsUrl={
                "type": "string",
                "pattern": "^wss?://",
                "description": "Where to connect; good for once. A secret.",
            },
            callId=_text(128, "What the call's events are known by."),
            expiresIn={"type": "integer", "minimum": 0, "description": "Seconds to connect within."},
        ),
    ),
    "Event": {
        "type": "object",
        "description": "The service documents no more than the kinds. What is read may be missing or anything else.",
        "properties": {
            "webhookType": {"description": "What happened, as `call-started`; or in `type`."},
            "type": {},
            "data": {"anyOf": [{"type": "object", "properties": {"callId": {}, "roomId": {}, "timestamp": {}}}, {}]},
        },
    },
    "Acknowledged": _object(
        ("message", "stored"),
        message={"type": "string"},
        stored={"type": "boolean", "description": "False where the very same bytes were had already."},
    ),
    "Device": _object(
        ("name", "enabled", "room_id", "live", "last_session", "last_event"),
        name={"type": "string", "pattern": NAME_PATTERN},
        enabled={"type": "boolean"},
        room_id={"type": ["string", "null"]},
        live={"type": "boolean", "description": "Its newest call that was told of has begun and not ended."},
        last_session=_or_null(
            _object(
                ("asked", "status", "call_id", "room_id"),
                asked=_TIME,
                status={"type": ["integer", "null"], "description": "What it was answered; null while it waits."},
                call_id={"type": ["string", "null"]},
                room_id={"type": ["string", "null"]},
            )
        ),
        last_event=_or_null(
            _object(
                ("kind", "at", "received"),
                kind={"type": "string"},
                at={**_or_null(_TIME), "description": "The event's own time, where it tells one."},
                received=_TIME,
            )
        ),
    ),
    "Devices": _object(
        ("devices", "next"),
        devices={"type": "array", "items": _named("Device"), "maxItems": MOST_DEVICES},
        next={"type": ["string", "null"], "description": "`after` for the next page; null on the last one."},
    ),
    "Health": _object(("status",), status={"enum": ["ok", "failing"]}, why={"enum": ["database"]}),
}

_SESSIONS: Final = {
    "operationId": "createSession",
    "summary": "A session for the device whose key is shown.",
    "description": "The key may come without the word Bearer. Behind a trusted proxy a client certificate will do.",
    "security": [{"deviceKey": []}, {"clientCertificate": []}],
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {
                "schema": _named("SessionRequest"),
                "example": {"participant": {"name": "Field Device 12", "metadata": {"site": "north"}}},
            }
        },
    },
    "responses": {
        "200": _json(
            "The session, as the service's own page has it.",
            "Session",
            message="Ingest session created",
            data={"wsUrl": "wss://ingest.example/videosdk?ref=vs_1", "callId": "550e8400", "expiresIn": 90},
        ),
        "400": _error("A field is wrong, or no room is known for the device.", "bad-request"),
        "401": _error("No enabled device has that key.", "unknown-device"),
        "413": _TOO_LARGE,
        "429": _error("Too many: of this device, or at a time.", "rate-limited", again=True),
        "4XX": _error("What else the service said of the request: 402 and 404 mean an unknown room, 409 a conflict."),
        "500": _UNFORESEEN,
        "502": _error("The service failed, or gave no session."),
        "503": _error("The service, its word on the broker's token, or the database: come again.", again=True),
        "504": _error("The service took too long."),
    },
}

_WEBHOOK: Final = {
    "operationId": "takeWebhook",
    "summary": "An event of a call, from the service.",
    "description": "Answered with 200 once it is kept for good. Whoever gets anything else sends the same bytes again.",
    "security": [],
    "parameters": [
        {
            "name": "videosdk-signature",
            "in": "header",
            "required": True,
            "description": "RSA-SHA256 (PKCS#1 v1.5) over the body's bytes, in base64.",
            "schema": {"type": "string"},
        }
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": _named("Event"),
                "example": {"webhookType": "call-started", "data": {"callId": "550e8400", "roomId": "abcd-efgh-ijkl"}},
            }
        },
    },
    "responses": {
        "200": _json("It is kept.", "Acknowledged", message="Stored", stored=True),
        "400": _error("Signed by the service, but no JSON object.", "not-json"),
        "401": _error("The signature is missing or not the service's."),
        "413": _TOO_LARGE,
        "500": _UNFORESEEN,
        "503": _error("The service's public key or the database can't be had at present.", again=True),
    },
}

_DEVICES: Final = {
    "operationId": "listDevices",
    "summary": "Where each device stands, in the order of their names.",
    "security": [{"operatorKey": []}],
    "parameters": [
        {
            "name": "after",
            "in": "query",
            "description": "The name that the page before ended with; it need not be there any more.",
            "schema": {"type": "string", "pattern": NAME_PATTERN},
        },
        {
            "name": "limit",
            "in": "query",
            "schema": {"type": "integer", "minimum": 1, "maximum": MOST_DEVICES, "default": USUAL_DEVICES},
        },
    ],
    "responses": {
        "200": _json("A page of devices.", "Devices"),
        "400": _error("A parameter is wrong, unknown, or given twice.", "bad-parameter"),
        "401": _NO_OPERATOR,
        "500": _UNFORESEEN,
        "503": _DATABASE,
    },
}

_METRICS: Final = {
    "operationId": "figures",
    "summary": "Figures for Prometheus.",
    "security": [{"operatorKey": []}],
    "responses": {
        "200": {"description": "Prometheus' text format.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        "401": _NO_OPERATOR,
        "500": _UNFORESEEN,
    },
}

_HEALTH: Final = {
    "operationId": "health",
    "summary": "Whether this broker can do its work.",
    "security": [],
    "responses": {
        "200": _json("It can.", "Health", status="ok"),
        "503": _json("It can't.", "Health", status="failing", why="database"),
    },
}

_DESCRIBED: Final = {
    "operationId": "description",
    "summary": "This description.",
    "security": [],
    "responses": {
        "200": {"description": "OpenAPI 3.1.", "content": {"application/json": {"schema": {"type": "object"}}}}
    },
}

DESCRIPTION: Final[_Value] = {
    "openapi": "3.1.0",
    "info": {
        "title": "ingestd-broker",
        "version": __version__,
        "description": "The backend that devices get their sessions from, so that none holds a token of the service.",
        "license": {"name": "MIT", "identifier": "MIT"},
    },
    "paths": {
        "/v1/sessions": {"post": _SESSIONS},
        "/v1/webhooks/videosdk": {"post": _WEBHOOK},
        "/v1/devices": {"get": _DEVICES},
        "/metrics": {"get": _METRICS},
        "/healthz": {"get": _HEALTH},
        "/v1/openapi.json": {"get": _DESCRIBED},
    },
    "components": {
        "schemas": _SCHEMAS,
        "headers": {
            "RetryAfter": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
        },
        "securitySchemes": {
            "deviceKey": {"type": "http", "scheme": "bearer", "description": "`igd_…`, one for each device."},
            "clientCertificate": {"type": "mutualTLS", "description": "Verified by a trusted proxy."},
            "operatorKey": {"type": "http", "scheme": "bearer", "description": "The operators' key."},
        },
    },
}
