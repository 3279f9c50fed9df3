"""The registry: which devices there are, what they are for, and who a key or a certificate belongs to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, Text, bindparam, cast, insert, literal, select, update
from sqlalchemy.exc import IntegrityError

from ingestd.broker.device_fields import check_fields, check_name
from ingestd.broker.device_keys import Presented, matches, new_key, read_key
from ingestd.broker.errors import BrokerError
from ingestd.broker.model import DEVICES
from ingestd.broker.storage import Storage


class Device(NamedTuple):
    """A device as the registry has it."""

    id: int
    name: str
    enabled: bool
    certificate_name: str | None
    room_id: str | None
    custom_room_id: str | None
    participant_id: str | None
    participant_name: str | None
    participant_metadata: dict[str, Any] | None
    agent: dict[str, Any] | None
    region: str | None
    created_ms: int


class NewDevice(NamedTuple):
    """A device that is to be; of `room_id` and `custom_room_id` one at most."""

    name: str
    certificate_name: str | None = None
    room_id: str | None = None
    custom_room_id: str | None = None
    participant_id: str | None = None
    participant_name: str | None = None
    participant_metadata: dict[str, Any] | None = None
    agent: dict[str, Any] | None = None
    region: str | None = None


_NOBODY: Final = Presented("-" * 16, bytes(32))
"""What is looked for where nothing readable was presented: no key has such an id."""
# JSON as text: it is read for a device that is let in only, so that a row that is found costs no more than none.
_COLUMNS: Final = (
    DEVICES.c.id,
    DEVICES.c.name,
    DEVICES.c.enabled,
    DEVICES.c.certificate_name,
    DEVICES.c.room_id,
    DEVICES.c.custom_room_id,
    DEVICES.c.participant_id,
    DEVICES.c.participant_name,
    cast(DEVICES.c.participant_metadata, Text).label("participant_metadata"),
    cast(DEVICES.c.agent, Text).label("agent"),
    DEVICES.c.region,
    DEVICES.c.created_ms,
    DEVICES.c.key_hash,
)
_SELECT: Final = select(*_COLUMNS)
# One row always, of nothing but NULL where there is no such key: to read one takes as long as to read the other.
_BY_KEY: Final = select(*_COLUMNS).select_from(
    select(literal(1).label("one")).subquery().outerjoin(DEVICES, DEVICES.c.key_id == bindparam("wanted"))
)
_BY_CERTIFICATE: Final = _SELECT.where(DEVICES.c.certificate_name == bindparam("wanted"))
_BY_NAME: Final = _SELECT.where(DEVICES.c.name == bindparam("wanted"))


class Registry:
    """The devices of one database. Any thread. Every method may raise SQLAlchemyError."""

    def __init__(self, storage: Storage, now: Callable[[], float]) -> None:
        """`now`: seconds since 1970 UTC."""
        self._storage = storage
        self._now = now

    def by_key(self, text: str) -> Device | None:
        """Whose key it is; None for one that is unknown, wrong, of a disabled device, or unreadable.

        Each of these does the same: one look into the database, one comparison.
        """
        presented = read_key(text) or _NOBODY
        row = self._find(_BY_KEY, presented.key_id)
        right = row is not None and matches(row.key_hash or _NOBODY.key_hash, presented.key_hash)
        return _device(row) if row is not None and right and row.id is not None and row.enabled else None

    def by_certificate(self, name: str) -> Device | None:
        """Whose client certificate has that name; None where that is nobody's, or a disabled device's."""
        row = self._find(_BY_CERTIFICATE, name if name.isprintable() else "")  # PostgreSQL's driver takes no NUL
        return _device(row) if row is not None and row.enabled else None

    def get(self, name: str) -> Device:
        """The device of that name. Raises BrokerError where there is none."""
        row = self._find(_BY_NAME, name)
        if row is None:
            raise _unknown(name)
        return _device(row)

    def add(self, new: NewDevice) -> str:
        """Adds a device and returns its key, which is known from then on to nobody but the caller.

        Raises BrokerError for what can't be kept, and where the name or the certificate's name is taken.
        """
        check_name(new.name)
        fields = new._asdict()
        del fields["name"]
        check_fields(fields)
        key = new_key()
        kept = {"key_id": key.key_id, "key_hash": key.key_hash, "created_ms": int(self._now() * 1000)}
        try:
            with self._storage.writing() as connection:
                connection.execute(insert(DEVICES).values(**new._asdict(), **kept, enabled=True, due_ms=0))
        except IntegrityError:
            raise self._taken(new.name, new.certificate_name) from None
        return key.text

    def change(self, name: str, /, **fields: Any) -> None:
        """Gives a device other fields, None to take one away. A new room of either kind takes the other's place.

        Raises BrokerError for an unknown device, an unknown field, a value that can't be kept.
        """
        check_fields(fields)
        for room, other in (("room_id", "custom_room_id"), ("custom_room_id", "room_id")):
            if fields.get(room) is not None:
                fields[other] = None
        if not fields:
            self.get(name)
            return
        try:
            self._update(name, fields)
        except IntegrityError:
            raise self._taken(None, fields.get("certificate_name")) from None

    def enable(self, name: str) -> None:
        """Lets a device in again, by the key it had. Raises BrokerError for an unknown one."""
        self._update(name, {"enabled": True})

    def disable(self, name: str) -> None:
        """Lets a device in no more; a session that it has goes on. Raises BrokerError for an unknown one."""
        self._update(name, {"enabled": False})

    def rotate_key(self, name: str) -> str:
        """Gives a device a new key and returns it; the old one is good for nothing at once. Raises BrokerError."""
        key = new_key()
        self._update(name, {"key_id": key.key_id, "key_hash": key.key_hash})
        return key.text

    def _find(self, by: Any, wanted: str) -> Row[Any] | None:
        with self._storage.reading() as connection:
            return connection.execute(by, {"wanted": wanted}).first()

    def _update(self, name: str, values: Mapping[str, Any]) -> None:
        with self._storage.writing() as connection:
            if connection.execute(update(DEVICES).where(DEVICES.c.name == name).values(**values)).rowcount != 1:
                raise _unknown(name)

    def _taken(self, name: str | None, certificate_name: str | None) -> BrokerError:
        with self._storage.reading() as connection:
            if name is not None and connection.execute(_BY_NAME, {"wanted": name}).first() is not None:
                return BrokerError(f"there is a device named {name} already; give another name, or change that one")
            owner = _owner(connection, certificate_name)
        whose = f"the device {owner}'s" if owner else "another device's"
        return BrokerError(f"certificate_name {certificate_name!a} is {whose} already; one certificate, one device")


def _owner(connection: Connection, certificate_name: str | None) -> str | None:
    row = connection.execute(_BY_CERTIFICATE, {"wanted": certificate_name}).first()
    return None if row is None else str(row.name)


def _unknown(name: str) -> BrokerError:
    return BrokerError(f"there is no device named {name!a}; `ingestd-broker device list` shows those there are")


def _device(row: Row[Any]) -> Device:
    values = row._mapping
    kept = {name: values[name] for name in Device._fields}
    for name in ("participant_metadata", "agent"):
        kept[name] = None if kept[name] is None else json.loads(kept[name])
    return Device(**kept)
