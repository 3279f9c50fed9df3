"""ingestd-broker device: what an operator does with devices, and reads of them."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from sqlalchemy import insert

from ingestd.broker.device_keys import read_key
from ingestd.broker.devices import Registry
from ingestd.broker.model import EVENTS, SESSIONS
from tests.rig.terminal import Terminal
from tests.unit.broker.command_case import Command


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, capsys)


def registry(command: Command) -> Registry:
    return Registry(command.storage(), time.time)


def test_the_key_alone_is_on_standard_output_and_opens(command: Command) -> None:
    said = command("device", "add", "north", "--room", "room-1")
    assert said.status == 0
    key = said.out.removesuffix("\n")
    assert read_key(key) is not None
    device = registry(command).by_key(key)
    assert device is not None
    assert (device.name, device.room_id) == ("north", "room-1")
    assert "north is registered for the room room-1." in said.err
    assert key not in said.err


def test_it_goes_through_a_pipe_into_a_file(command: Command, tmp_path: Path) -> None:
    with (tmp_path / "token").open("wb") as file:
        subprocess.run(command.elsewhere("device", "add", "north"), stdout=file, stderr=subprocess.PIPE, check=True)
    assert registry(command).by_key((tmp_path / "token").read_text().strip()) is not None


def test_every_field_is_kept(command: Command) -> None:
    fields = {
        "--custom-room": "gate-room",
        "--participant-id": "p-1",
        "--participant-name": "North gate",
        "--metadata": '{"site": "nörd"}',
        "--agent": '{"id": "a-1", "type": "x"}',
        "--region": "us002",
        "--certificate-name": "north.example",
    }
    said = command("device", "add", "north", *(part for pair in fields.items() for part in pair))
    assert said.status == 0
    assert "turn devices.make_rooms on" in said.err
    device = registry(command).get("north")
    assert (device.custom_room_id, device.participant_id, device.participant_name) == ("gate-room", "p-1", "North gate")
    assert device.participant_metadata == {"site": "nörd"}
    assert device.agent == {"id": "a-1", "type": "x"}
    assert (device.region, device.certificate_name, device.room_id) == ("us002", "north.example", None)
    shown = command("device", "show", "north")
    assert shown.status == 0
    for value in fields.values():
        assert value in shown.out


def test_a_device_without_a_room_is_told_of(command: Command) -> None:
    assert "device change north --room ID" in command("device", "add", "north").err


def test_what_the_configuration_lets_a_device_set_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = Command(tmp_path, capsys, devices={"may_set": ["room_id"], "make_rooms": True})
    assert "and names its room itself" in command("device", "add", "north").err
    assert "make_rooms" not in command("device", "add", "south", "--custom-room", "x").err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "a b"), "'a b' can't be a device's name"),
        (("add", "north"), "there is a device named north already"),
        (("add", "x", "--metadata", "{"), "--metadata is not JSON"),
        (("add", "x", "--metadata", "[" * 100_000), "--metadata is not JSON"),
        (("add", "x", "--metadata", "[1]"), """--metadata is no JSON object; give one, as '{"site": "north"}'\n"""),
        (("add", "x", "--agent", "[]"), """--agent is no JSON object; give one, as '{"id": "…"}'\n"""),
        (("add", "x", "--agent", "{}"), "agent needs an id"),
        (("add", "x", "--room", ""), "room_id can't be ''"),
        (("change", "north"), "nothing to change"),
        (("change", "north", "--agent", "{}"), "agent needs an id"),
        (("change", "nobody", "--region", "x"), "there is no device named 'nobody'"),
        (("show", "nobody"), "there is no device named 'nobody'"),
        (("disable", "nobody"), "there is no device named 'nobody'"),
        (("enable", "nobody"), "there is no device named 'nobody'"),
        (("rotate-key", "nobody"), "there is no device named 'nobody'"),
    ],
)
def test_what_cant_be_done_says_so(command: Command, arguments: tuple[str, ...], said: str) -> None:
    command("device", "add", "north")
    status, out, err = command("device", *arguments)
    assert (status, out) == (1, "")
    assert err.startswith(f"ingestd-broker: {said}")
    assert len(err.splitlines()) == 1


def test_two_rooms_are_no_usage(command: Command) -> None:
    assert command("device", "add", "x", "--room", "a", "--custom-room", "b").status == 2


def test_a_change_and_taking_away(command: Command) -> None:
    command("device", "add", "north", "--room", "a", "--region", "us002", "--metadata", '{"a": 1}')
    assert command("device", "change", "north", "--custom-room", "b", "--region", "", "--metadata", "").status == 0
    device = registry(command).get("north")
    assert (device.room_id, device.custom_room_id) == (None, "b")
    assert (device.region, device.participant_metadata) == (None, None)


def test_a_rotated_key_ends_the_old_one_at_once(command: Command) -> None:
    old = command("device", "add", "north").out.strip()
    said = command("device", "rotate-key", "north")
    assert said.status == 0
    assert registry(command).by_key(old) is None
    assert registry(command).by_key(said.out.strip()) is not None


def test_disabled_and_enabled(command: Command) -> None:
    key = command("device", "add", "north").out.strip()
    assert command("device", "disable", "north").status == 0
    assert registry(command).by_key(key) is None
    assert command("device", "list").out.splitlines()[1].split()[:2] == ["north", "disabled"]
    assert command("device", "enable", "north").status == 0
    assert registry(command).by_key(key) is not None


def test_no_device_yet(command: Command) -> None:
    said = command("device", "list")
    assert (said.status, said.out) == (0, "")
    assert "No device is registered yet" in said.err


def settle(command: Command) -> None:
    """Two devices that have been at work, one of them with a long name, and one that never was."""
    now_ms = int(time.time() * 1000)
    command("device", "add", "hut")
    command("device", "add", "north-gate", "--room", "abcd-efgh-ijkl")
    command("device", "add", "the-pumping-station-behind-the-old-mill-at-the-river", "--room", "pump-room-of-the-works")
    storage = command.storage()
    with storage.writing() as connection:
        for device, call, ago_s, status in ((2, "c-2", 185, 200), (3, "c-3", 7200, 200), (3, None, 5, 429)):
            row = {"device_id": device, "asked_ms": now_ms - ago_s * 1000, "status": status, "call_id": call}
            connection.execute(insert(SESSIONS).values(room_id=None, **row))
        for call, kind, ago_s in (
            ("c-2", "call-started", 184),
            ("c-3", "call-started", 7100),
            ("c-3", "call-hangup", 60),
        ):
            digest = f"{call}{kind}".encode()
            row = {"call_id": call, "kind": kind, "body": "{}", "received_ms": now_ms - ago_s * 1000}
            connection.execute(insert(EVENTS).values(digest=digest, **row))


def test_the_list_fits_eighty_columns(command: Command) -> None:
    settle(command)
    with Terminal(command.elsewhere("device", "list"), columns=80) as terminal:
        assert terminal.status() == 0
        lines = [line for line in terminal.screen() if line]
    assert len(lines) == 4, "no line was broken"
    assert lines[0].split("  ")[0] == "NAME"
    assert "LAST EVENT" in lines[0]
    assert " ".join(lines[1].split()) == "hut not live - - -"
    assert lines[2].split()[:2] == ["north-gate", "live"]
    assert lines[3].startswith("the-pumping-station-behind-the-ol…  not live  pump-ro…  429, ")


def test_of_a_room_less_is_seen_before_of_anything_else(command: Command) -> None:
    command("device", "add", "a-name-of-24-characters.", "--room", "room-of-the-pumping-station")
    with command.storage().writing() as connection:
        asked_ms = int(time.time() * 1000) - 185_000
        connection.execute(insert(SESSIONS).values(device_id=1, asked_ms=asked_ms, status=200))
    with Terminal(command.elsewhere("device", "list"), columns=76) as terminal:
        assert terminal.status() == 0
        line = terminal.screen()[1]
    assert " ".join(line.split()).startswith("a-name-of-24-characters. not live room-o")
    assert "…  200, 3 min ago" in line


def test_a_pipe_gets_whole_words(command: Command) -> None:
    settle(command)
    lines = command("device", "list").out.splitlines()
    assert "the-pumping-station-behind-the-old-mill-at-the-river  not live  pump-room-of-the-works" in lines[3]
    assert lines[3].endswith("  hangup, 1 min ago")


def test_as_json_one_object_a_line(command: Command) -> None:
    settle(command)
    devices = [json.loads(line) for line in command("device", "list", "--json").out.splitlines()]
    assert [device["name"] for device in devices][:2] == ["hut", "north-gate"]
    assert devices[0]["last_session"] is None
    assert devices[1]["live"] is True
    assert devices[1]["last_session"]["call_id"] == "c-2"
    assert devices[1]["last_event"]["kind"] == "call-started"


def test_one_device(command: Command) -> None:
    settle(command)
    lines = dict(line.split(":", 1) for line in command("device", "show", "north-gate").out.splitlines())
    assert lines["state"].strip() == "live"
    assert lines["room"].strip() == "abcd-efgh-ijkl"
    assert lines["call"].strip() == "c-2"


def test_more_devices_than_are_read_at_a_time(command: Command) -> None:
    from tests.unit.broker.filled import fill

    fill(command.storage(), 1203, 1)
    assert len(command("device", "list", "--json").out.splitlines()) == 1203
