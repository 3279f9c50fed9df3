"""From a device's request to its session: admitted, written down, asked for, and answered in the page's shape."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from sqlalchemy import bindparam, insert, update
from sqlalchemy.exc import SQLAlchemyError

from ingestd.broker import settings
from ingestd.broker.admission import Admission
from ingestd.broker.answers import TOKEN_REFUSED, PassedOn, not_let_in, passed_on
from ingestd.broker.bodies import Wanted, wanted
from ingestd.broker.devices import Device
from ingestd.broker.errors import BrokerError, Refused, ServiceError
from ingestd.broker.figures import Figures
from ingestd.broker.gate import Gate
from ingestd.broker.model import SESSIONS
from ingestd.broker.rooms import Rooms
from ingestd.broker.service import Service, Session
from ingestd.broker.sparing_log import SparingLog
from ingestd.broker.storage import Storage, told
from ingestd.broker.tokens import Tokens

_MESSAGE: Final = "Ingest session created"
_LONGEST_MESSAGE_CHARS: Final = 300
_ROOM_UNKNOWN: Final = (400, 402, 404)
_BEGIN: Final = insert(SESSIONS)
_END: Final = update(SESSIONS).where(SESSIONS.c.id == bindparam("row"))

_log = logging.getLogger(__name__)
T = TypeVar("T")


class SessionMaker:
    """Makes the sessions of one process. Any thread."""

    def __init__(
        self,
        storage: Storage,
        service: Service,
        tokens: Tokens,
        devices: settings.Devices,
        figures: Figures,
        now: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        """`now`: seconds since 1970 UTC; `random` gives uniform numbers in [0, 1)."""
        self._storage = storage
        self._service = service
        self._tokens = tokens
        self._devices = devices
        self._figures = figures
        self._now = now
        self._random = random
        self._admission = Admission(devices.sessions_per_minute, devices.burst)
        self._gate = Gate(devices.at_once, random)
        self._rooms = Rooms(storage, now)
        self._not_let_in = SparingLog(_log, time.monotonic)
        self._failing = SparingLog(_log, time.monotonic)

    def make(self, device: Device, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The page's answer for a device that asked for that (`bodies.asked_in`): wsUrl, callId, expiresIn.

        Raises Refused with what the device is to be told, and SQLAlchemyError before anything was asked for.
        """
        began_s = time.monotonic()
        status, reason = 500, None
        try:
            answer = self._make(device, asked)
            status = 200
            return answer
        except Refused as error:
            # The service may use our own words for its refusals: they are counted as its own.
            status, reason = error.status, None if isinstance(error, PassedOn) else error.code
            raise
        except SQLAlchemyError:
            status = 503
            raise
        finally:
            self._figures.session(status, time.monotonic() - began_s, reason)

    def _make(self, device: Device, asked: Mapping[str, Any]) -> dict[str, Any]:
        want = wanted(device, asked, self._devices.may_set, make_rooms=self._devices.make_rooms)
        if want.left_out:
            _log.debug("%s may not set %s: the registry's counts", device.name, ", ".join(want.left_out))
        self._refuse_for(self._admission.refused_s(device.id, self._now_ms()))
        with self._gate.place():
            row = self._begin(device, want)
            try:
                session, room_id = self._ask(want)
            except Refused as error:
                self._end(row, error.status, error.message)
                raise
            except SQLAlchemyError as error:  # the room could not be looked up or kept
                self._end(row, 503, told(error))
                raise
            self._end(row, 200, _MESSAGE, session.call_id, room_id)
        data = {"wsUrl": session.ws_url, "callId": session.call_id, "expiresIn": int(session.expires_in_s)}
        return {"message": _MESSAGE, "data": {name: value for name, value in data.items() if value is not None}}

    def _begin(self, device: Device, want: Wanted) -> int:
        """Takes the request and writes it down, both or neither."""
        with self._storage.writing() as connection:
            now_ms = self._now_ms()
            self._refuse_for(self._admission.admit(connection, device.id, now_ms))
            values = {"device_id": device.id, "asked_ms": now_ms, "room_id": want.body.get("roomId")}
            key = connection.execute(_BEGIN, values).inserted_primary_key
            return int(key[0]) if key is not None else 0

    def _end(self, row: int, status: int, message: str, call_id: str | None = None, room_id: str | None = None) -> None:
        values: dict[str, Any] = {
            "status": status,
            "message": message[:_LONGEST_MESSAGE_CHARS],
            "answered_ms": self._now_ms(),
            "call_id": call_id,
        }
        if room_id is not None:
            values["room_id"] = room_id
        try:
            with self._storage.writing() as connection:
                connection.execute(_END, {"row": row, **values})
        except SQLAlchemyError as error:
            # The device gets its session all the same: only what is shown of it is missing.
            self._failing.tell(
                logging.WARNING,
                f"session {row} was answered {status}, but its row could not be completed: {told(error)}",
            )

    def _refuse_for(self, wait_s: float) -> None:
        if wait_s > 0:
            raise Refused(429, "This device asks too often", code="rate-limited", retry_after_s=wait_s)

    def _ask(self, want: Wanted) -> tuple[Session, str | None]:
        """A session, and the room it is in. Raises Refused."""
        try:
            if want.custom_room_id is None:
                return self._create(want.body), want.body["roomId"]
            return self._in_room(want.body, want.custom_room_id)
        except BrokerError as error:
            self._not_let_in.tell(logging.ERROR, f"no token to ask the service with: {error}; devices are told to wait")
            raise not_let_in(self._random) from None
        except ServiceError as error:
            self._tell(error)
            raise passed_on(error, self._random) from None

    def _create(self, body: Mapping[str, Any]) -> Session:
        return self._with_token(lambda token: self._service.create_session(token, body))

    def _in_room(self, body: Mapping[str, Any], name: str) -> tuple[Session, str]:
        """A session in the room of that name, which is made where there is none, and anew where it is gone."""

        def make(name: str) -> str:
            return self._with_token(lambda token: self._service.make_room(token, name))

        room_id = self._rooms.room_id(name, make)
        try:
            return self._create({**body, "roomId": room_id}), room_id
        except ServiceError as error:
            if error.status not in _ROOM_UNKNOWN:
                raise
            self._rooms.forget(name, room_id)
            again = self._rooms.room_id(name, make)
            if again == room_id:  # the service has it: something else was wrong
                raise
        return self._create({**body, "roomId": again}), again

    def _with_token(self, ask: Callable[[str], T]) -> T:
        token = self._tokens.current()
        try:
            return self._counted(ask, token)
        except ServiceError as error:
            if error.status not in TOKEN_REFUSED:
                raise
            self._tokens.forget(token)
            fresh = self._tokens.current()
            if fresh == token:
                raise
        return self._counted(ask, fresh)

    def _counted(self, ask: Callable[[str], T], token: str) -> T:
        try:
            given = ask(token)
        except ServiceError as error:
            self._figures.service_answered(error.status)
            if error.status in TOKEN_REFUSED:
                self._figures.token_refused()
            raise
        self._figures.service_answered(200)
        return given

    def _tell(self, error: ServiceError) -> None:
        if error.status in TOKEN_REFUSED:
            self._not_let_in.tell(
                logging.ERROR,
                f"the broker's own token is refused ({error}); devices are told to wait. Check videosdk.api_key and "
                "its api_secret_file, or token_file, and this machine's clock",
            )
        elif not 400 <= error.status < 500:
            self._failing.tell(logging.WARNING, f"no session: {error}")

    def _now_ms(self) -> int:
        return int(self._now() * 1000)
