"""Daemon, broker and service over TLS: the call is had and seen, and no token of the service comes near the device."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from sqlalchemy import select

from ingestd.broker.model import DEVICES, EVENTS, SESSIONS
from ingestd.control.client import ControlClient
from tests.rig.broker import BrokerProcess
from tests.rig.figures import Figures
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.process import wait_until
from tests.rig.secret_search import Found, SecretSearch
from tests.rig.tls_recorder import Recorded, TlsRecorder
from tests.standin.client import StandIn

ROOM = "abcd-efgh-ijkl"
NAME = "field-1"
RENEWALS = 2
WITHIN_S = 30.0
KINDS = ("call-answered", "call-hangup", "call-started")


def told(broker: BrokerProcess) -> dict[str, Any]:
    """What operators are told of the device."""
    (device,) = broker.get("/v1/devices").json()["devices"]
    return dict(device)


def live(broker: BrokerProcess, wanted: bool) -> None:
    wait_until(lambda: told(broker)["live"] is wanted, WITHIN_S, f"live to be {wanted}", every=0.05)


def key_of(broker: BrokerProcess, *arguments: str) -> str:
    """Of a device that an operator adds with those arguments."""
    added = broker.command("device", "add", *arguments)
    assert added.returncode == 0, added.stderr
    return added.stdout.strip()


def written(path: Path, ca: trustme.CA) -> Path:
    ca.cert_pem.write_to_path(str(path))
    return path


@contextmanager
def device_of(directory: Path, base_url: str, key: str, ca_file: Path, **session: Any) -> Iterator[MemoryDevice]:
    """A daemon that gets its sessions at the broker's path of that URL, without a room of its own."""
    directory.mkdir()
    config = device_config(base_url, key, ca_file, directory)
    config["backend"]["url"] = f"{base_url}/v1/sessions"
    config["session"] = session
    with MemoryDevice(directory, config, times={"reconnect_every_s": 0.0}) as device:
        yield device


def renew(room: StandIn, device: MemoryDevice) -> None:
    """Once, with the new session joined and the old one gone."""
    before = len(room.calls())
    with ControlClient(device.socket) as client:
        client.call("reconnect")
    room.wait_joined(before + 1, WITHIN_S)
    wait_until(lambda: len(room.state()["open_connections"]) == 1, WITHIN_S, "the end of the session before")


def searched(search: SecretSearch, device: MemoryDevice, directory: Path, connections: list[Recorded]) -> Found:
    found = search.process(device.process.pid)
    found.also(search.files([directory]))
    for number, connection in enumerate(connections):
        for way, data in vars(connection).items():
            found.places += search.within(bytes(data), f"connection {number}, {way}")
        found.places += search.within(connection.messages(), f"connection {number}, messages")
    return found


def in_kinds(found: Found) -> Counter[str]:
    """Where something was found: memory, a file, a connection."""
    kinds = {"memory": "memory", "connection": "connection", "/": "file"}
    return Counter(kind for place in found.places for start, kind in kinds.items() if place.startswith(start))


def refs(connections: list[Recorded]) -> list[str]:
    """What claims each session that the broker has handed out."""
    found = re.findall(rb"[?]ref=([A-Za-z0-9_]+)", b"".join(bytes(one.down) for one in connections))
    assert len(found) == len(connections)
    return [ref.decode() for ref in found]


def of_calls(broker: BrokerProcess) -> dict[str, tuple[str, ...]]:
    """Kinds of the events of each call that the device had, by the call's id."""
    with broker.open_storage() as storage, storage.reading() as connection:
        joined = DEVICES.join(SESSIONS).join(EVENTS, EVENTS.c.call_id == SESSIONS.c.call_id)
        rows = connection.execute(
            select(SESSIONS.c.call_id, EVENTS.c.kind).select_from(joined).where(DEVICES.c.name == NAME)
        ).all()
    return {call: tuple(sorted(kind for one, kind in rows if one == call)) for call, _ in rows}


@pytest.mark.undisturbed
def test_no_token_of_the_service_is_on_a_device(tmp_path: Path, figures: Figures) -> None:
    ours, authority = trustme.CA(), trustme.CA()
    with StandIn(tls=True) as room, BrokerProcess(tmp_path / "broker", room, tls=True, ca=ours) as broker:
        assert room.ca_file is not None
        assert broker.ca_file is not None
        room.configure(webhook_ca_file=str(broker.ca_file), webhook_timeout_s=WITHIN_S)
        registered = broker.command("webhook", "register", broker.webhook_url)
        assert registered.returncode == 0, registered.stderr
        key = key_of(broker, NAME, "--room", ROOM)
        with (
            TlsRecorder(authority, broker.port, broker.ca_file) as to_broker,
            TlsRecorder(authority, room.port, room.ca_file) as to_room,
        ):
            room.configure(public_base=f"wss://127.0.0.1:{to_room.port}")
            mine = tmp_path / "device"
            base_url = f"https://127.0.0.1:{to_broker.port}"
            with device_of(mine, base_url, key, written(tmp_path / "ca.pem", authority)) as device:
                room.wait_joined(timeout_s=WITHIN_S)
                live(broker, True)
                for _ in range(RENEWALS):
                    renew(room, device)
                assert told(broker)["live"] is True
                room.wait_received(RENEWALS, 25, WITHIN_S)

                secrets = [*room.seen_tokens(), room.api_secret]
                assert len(secrets) > 1
                connections = [*to_broker.connections, *to_room.connections]
                found = searched(SecretSearch(secrets), device, mine, connections)
                own = searched(SecretSearch([key]), device, mine, connections)
                assert device.stop()["exit"] == 0
            after = SecretSearch([*room.seen_tokens(), room.api_secret]).files([mine])
        live(broker, False)
        calls = room.calls()
        wait_until(lambda: set(of_calls(broker).values()) == {KINDS}, WITHIN_S, "all events of all calls")
        assert set(of_calls(broker)) == {call.call_id for call in calls}
        assert {call.room_id for call in calls} == {ROOM}
        assert len(calls) == len(to_broker.connections) == RENEWALS + 1
        listed = broker.command("events", "--limit", "100").stdout
        in_log = SecretSearch([key, *secrets, *refs(to_broker.connections)]).within(broker.log.encode(), "log")
        # The database is among them. Of a key only the hash is kept.
        at_rest = SecretSearch([key.rpartition("_")[2], *refs(to_broker.connections)]).files([broker.directory])

    figures.add("broker_search_regions", found.regions, min=50)
    figures.add("broker_search_memory_mib", found.memory_bytes / 2**20, min=32)
    figures.add("broker_search_files", found.files, min=3)
    figures.add("broker_search_connections", len(connections), min=2 * (RENEWALS + 1))
    assert figures.add("broker_tokens_found_on_device", len(found.places) + len(after.places), max=0), found.places
    assert not found.unread
    assert set(in_kinds(own)) == {"memory", "file", "connection"}, "the search finds what is there"
    assert sum(NAME in line for line in listed.splitlines()) == len(KINDS) * (RENEWALS + 1), listed
    assert not in_log
    assert not at_rest.places
    assert at_rest.files > 5


def test_the_same_search_finds_the_token_of_a_device_that_has_one(tmp_path: Path) -> None:
    with StandIn(tls=True) as room:
        assert room.ca_file is not None
        authority = trustme.CA()
        with TlsRecorder(authority, room.port, room.ca_file) as recorder:
            room.configure(public_base=f"wss://127.0.0.1:{recorder.port}")
            mine = tmp_path / "device"
            mine.mkdir()
            base_url = f"https://127.0.0.1:{recorder.port}"
            config = device_config(base_url, room.token, written(tmp_path / "ca.pem", authority), mine)
            with MemoryDevice(mine, config) as device:
                room.wait_joined(timeout_s=WITHIN_S)
                with ControlClient(device.socket) as client:
                    client.call("publish", topic="CHAT", data=room.token)
                room.wait_for(lambda: room.call(0).messages_in, "the message", WITHIN_S)
                found = searched(SecretSearch([room.token]), device, mine, recorder.connections)
    assert set(in_kinds(found)) == {"memory", "file", "connection"}
    assert any(place.startswith("connection 0, up: ") for place in found.places), "the request"
    assert any(place.startswith("connection 1, messages: ") for place in found.places), "a frame, under its mask"
