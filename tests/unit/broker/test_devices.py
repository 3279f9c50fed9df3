"""The registry, on both databases."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from sqlalchemy import select, text

from ingestd.broker import devices
from ingestd.broker.device_keys import new_key
from ingestd.broker.devices import Device, NewDevice, Registry
from ingestd.broker.errors import BrokerError
from ingestd.broker.model import DEVICES
from ingestd.broker.storage import Storage

NOW_S = 1_795_000_000.25
WHOLE = NewDevice(
    name="pump-7",
    certificate_name="pump-7.field.example",
    room_id="room-a",
    participant_id="p-1",
    participant_name="Pümp 7",
    participant_metadata={"site": "nørth", "floors": [1, 2.5, None, True]},
    agent={"id": "ag-1", "type": "voice", "metadata": {"a": {}}},
    region="us002",
)


@pytest.fixture
def registry(storage: Storage) -> Registry:
    return Registry(storage, lambda: NOW_S)


def test_a_device_is_found_by_its_key(registry: Registry) -> None:
    registry.add(NewDevice("other"))
    key = registry.add(WHOLE)
    found = registry.by_key(key)
    assert found is not None
    assert found == registry.get("pump-7")
    assert found == Device(
        id=found.id, enabled=True, **{**NewDevice("")._asdict(), **WHOLE._asdict()}, created_ms=int(NOW_S * 1000)
    )


def test_a_device_may_have_nothing_but_a_name(registry: Registry) -> None:
    found = registry.by_key(registry.add(NewDevice("bare")))
    assert found is not None
    assert found[3:-1] == (None,) * 8


def test_neither_the_key_nor_its_secret_half_is_kept(registry: Registry, storage: Storage) -> None:
    key = registry.add(WHOLE)
    with storage.reading() as connection:
        row = repr(connection.execute(select(DEVICES)).one())
        secret = key.rsplit("_", 1)[1]
        assert secret not in row
        assert repr(bytes.fromhex(secret)) not in row
        assert key.split("_")[1] in row


def test_a_key_with_another_secret_is_nobodys(registry: Registry) -> None:
    key = registry.add(WHOLE)
    assert registry.by_key(key[:-1] + ("0" if key[-1] != "0" else "1")) is None


def test_what_is_no_key_of_ours_is_nobodys(registry: Registry) -> None:
    registry.add(WHOLE)
    beside = ["", "x", "igd_", new_key().text, "' OR 1=1 --", "igd_" + "-" * 16 + "_" + "0" * 64, "\0", "\ud800"]
    assert [registry.by_key(text) for text in beside] == [None] * len(beside)


def test_a_disabled_device_is_not_found_and_an_enabled_one_again(registry: Registry) -> None:
    key = registry.add(WHOLE)
    registry.disable("pump-7")
    assert registry.by_key(key) is None
    assert registry.by_certificate("pump-7.field.example") is None
    assert not registry.get("pump-7").enabled
    registry.enable("pump-7")
    assert registry.by_key(key) == registry.by_certificate("pump-7.field.example") == registry.get("pump-7")


def test_a_rotated_key_is_dead_at_once(registry: Registry) -> None:
    old = registry.add(WHOLE)
    new = registry.rotate_key("pump-7")
    assert registry.by_key(old) is None
    assert registry.by_key(new) == registry.get("pump-7")


def test_a_disabled_device_stays_so_with_a_new_key(registry: Registry) -> None:
    registry.add(WHOLE)
    registry.disable("pump-7")
    assert registry.by_key(registry.rotate_key("pump-7")) is None


def test_another_certificate_is_nobodys(registry: Registry) -> None:
    registry.add(WHOLE)
    registry.add(NewDevice("uncertified"))
    for name in ("", "pump", "PUMP-7.FIELD.EXAMPLE", "pump-7.field.example ", "%", "' OR '1'='1", "\0", "\ud800"):
        assert registry.by_certificate(name) is None


def test_a_name_that_is_taken_is_told(registry: Registry) -> None:
    key = registry.add(WHOLE)
    with pytest.raises(BrokerError, match="there is a device named pump-7 already"):
        registry.add(NewDevice("pump-7"))
    assert registry.by_key(key) is not None


def test_a_certificate_that_is_taken_is_told_with_its_owner(registry: Registry) -> None:
    registry.add(WHOLE)
    taken = r"certificate_name 'pump-7\.field\.example' is the device pump-7's already"
    with pytest.raises(BrokerError, match=taken):
        registry.add(NewDevice("pump-8", certificate_name="pump-7.field.example"))
    registry.add(NewDevice("pump-9"))
    with pytest.raises(BrokerError, match=taken):
        registry.change("pump-9", certificate_name="pump-7.field.example")


def test_what_cannot_be_kept_is_refused_before_the_database_is_asked(registry: Registry) -> None:
    with pytest.raises(BrokerError, match="can't be a device's name"):
        registry.add(NewDevice("a b"))
    with pytest.raises(BrokerError, match="agent needs an id"):
        registry.add(NewDevice("pump-7", agent={}))
    registry.add(NewDevice("pump-7"))
    before = registry.get("pump-7")
    with pytest.raises(BrokerError, match="region can't be"):
        registry.change("pump-7", room_id="room-b", region="")
    assert registry.get("pump-7") == before


def test_fields_are_changed_and_taken_away(registry: Registry) -> None:
    key = registry.add(WHOLE)
    before = registry.get("pump-7")
    registry.change("pump-7", participant_name="New", agent=None, participant_metadata={"site": "south"})
    assert registry.get("pump-7") == before._replace(
        participant_name="New", agent=None, participant_metadata={"site": "south"}
    )
    assert registry.by_key(key) == registry.get("pump-7")


def test_what_is_taken_away_is_null_to_the_database_too(registry: Registry, storage: Storage) -> None:
    registry.add(WHOLE)
    registry.change("pump-7", agent=None)
    with storage.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM devices WHERE agent IS NULL")).scalar() == 1


def test_a_room_takes_the_place_of_the_other_kind(registry: Registry) -> None:
    registry.add(WHOLE)
    registry.change("pump-7", custom_room_id="north")
    assert registry.get("pump-7")[4:6] == (None, "north")
    registry.change("pump-7", room_id="room-b")
    assert registry.get("pump-7")[4:6] == ("room-b", None)
    registry.change("pump-7", room_id=None)
    assert registry.get("pump-7")[4:6] == (None, None)


def test_a_field_that_there_is_not_is_told(registry: Registry) -> None:
    registry.add(WHOLE)
    for field in ("name", "enabled", "key_hash"):
        with pytest.raises(BrokerError, match=f"a device has no {field}; it has certificate_name, "):
            registry.change("pump-7", **{field: "1"})


def test_an_unknown_device_is_told(registry: Registry) -> None:
    registry.add(WHOLE)
    for ask in (
        registry.get,
        registry.enable,
        registry.disable,
        registry.rotate_key,
        registry.change,
        lambda name: registry.change(name, room_id="a"),
    ):
        with pytest.raises(BrokerError, match=r"there is no device named 'pump-8'; `ingestd-broker device list`"):
            ask("pump-8")


def test_two_that_add_the_same_device_make_one(registry: Registry, storage: Storage) -> None:
    began = threading.Barrier(6)
    told: list[str] = []

    def add() -> None:
        began.wait()
        try:
            registry.add(NewDevice("pump-7"))
        except BrokerError as error:
            told.append(str(error))

    threads = [threading.Thread(target=add) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == ["there is a device named pump-7 already; give another name, or change that one"] * 5


def test_what_the_registry_holds_is_json_that_any_reader_takes(registry: Registry, storage: Storage) -> None:
    registry.add(WHOLE)
    with storage.reading() as connection:
        kept = connection.execute(text("SELECT CAST(participant_metadata AS TEXT) FROM devices")).scalar()
    assert json.loads(str(kept)) == WHOLE.participant_metadata


@pytest.mark.parametrize("by", [devices._BY_KEY, devices._BY_CERTIFICATE, devices._BY_NAME])
def test_no_device_is_looked_for_without_an_index(storage: Storage, by: Any) -> None:
    with storage.reading() as connection:
        compiled = by.compile(storage.engine)
        values = compiled.construct_params({"wanted": "x"})
        if storage.is_sqlite:
            in_order = tuple(values[name] for name in compiled.positiontup)
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", in_order).all()
            assert "USING INDEX" in str(plan)
            return
        connection.exec_driver_sql("SET enable_seqscan = off")  # or it reads the few devices that there are
        plan = connection.exec_driver_sql(f"EXPLAIN {compiled}", values).all()
        assert "Index Scan using" in str(plan)
