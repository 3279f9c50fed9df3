"""The configuration with other values for a few keys: which files that takes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestd.config.change import ChangedConfig, problem
from ingestd.config.starting import starting_content
from ingestd.errors import ConfigError
from tests.unit.config_case import ConfigCase

KEYS = ("backend.url", "backend.auth_scheme", "session.room_id", "audio.capture.device", "audio.playback.device")
URL = "https://new.example/s"


@pytest.fixture
def case(tmp_path: Path) -> ConfigCase:
    return ConfigCase(tmp_path)


def test_what_holds_is_what_somebody_wrote_or_the_default(case: ConfigCase) -> None:
    case.write("backend: {url: https://a.example/}\naudio: {capture: {device: 5}}\n")
    changed = ChangedConfig(case.main, KEYS)
    assert not changed.new
    assert {key: changed.value(key) for key in KEYS} == {
        "backend.url": "https://a.example/",
        "backend.auth_scheme": "bearer",
        "session.room_id": None,
        "audio.capture.device": "5",
        "audio.playback.device": "default",
    }


def test_a_file_that_is_not_there_begins_as_the_reference(case: ConfigCase) -> None:
    changed = ChangedConfig(case.main, KEYS)
    assert changed.new
    values: dict[str, str | None] = {"backend.url": URL, "session.room_id": "r"}
    contents = changed.contents(values)
    assert list(contents) == [case.main]
    assert b"# /etc/ingestd/ingestd.yaml: the configuration of ingestd" in contents[case.main]
    assert changed.config(contents, values).session.room_id == "r"
    assert not case.main.exists()


def test_without_a_reference_it_is_the_few_lines(tmp_path: Path) -> None:
    assert starting_content((tmp_path / "none", tmp_path)) == b"# The configuration of ingestd.\n"
    (tmp_path / "second").write_bytes(b"# here\n")
    assert starting_content((tmp_path / "none", tmp_path / "second")) == b"# here\n"


def test_a_key_that_conf_d_sets_is_changed_there_and_only_there(case: ConfigCase) -> None:
    case.write("backend: {url: https://a.example/}\nsession: {room_id: a}\n")
    over = case.write("session: {room_id: b} # here\n", "conf.d/50-room.yaml")
    changed = ChangedConfig(case.main, KEYS)
    assert changed.value("session.room_id") == "b"
    assert changed.file_of("session.room_id") == over
    values: dict[str, str | None] = {"session.room_id": "c", "backend.url": URL}
    contents = changed.contents(values)
    assert contents[over] == b'session: {room_id: "c"} # here\n'
    assert contents[case.main] == f'backend: {{url: "{URL}"}}\nsession: {{room_id: a}}\n'.encode()
    assert changed.config(contents, values).session.room_id == "c"


def test_what_stays_is_not_written(case: ConfigCase) -> None:
    case.write("backend: {url: https://a.example/}\n")
    changed = ChangedConfig(case.main, KEYS)
    assert changed.contents({"backend.url": "https://a.example/", "audio.capture.device": "default"}) == {}


def test_a_fault_elsewhere_is_told_at_once_and_one_of_the_keys_to_be_set_is_not(case: ConfigCase) -> None:
    case.write("backend: {url: http://far.example/}\nsesion: {}\n")
    with pytest.raises(ConfigError) as raised:
        ChangedConfig(case.main, KEYS)
    (fault,) = raised.value.faults
    assert fault.startswith(f"{case.main}:2: sesion: ")
    case.write("backend: {url: http://far.example/}\n")
    assert ChangedConfig(case.main, KEYS).value("backend.url") == "http://far.example/"


def test_a_file_that_is_no_yaml_is_a_fault_with_its_line(case: ConfigCase) -> None:
    case.write("backend:\n  url: [\n")
    with pytest.raises(ConfigError, match=r"ingestd\.yaml:\d: is not YAML"):
        ChangedConfig(case.main, KEYS)


def test_a_whole_configuration_with_a_fault_in_it_is_refused(case: ConfigCase) -> None:
    changed = ChangedConfig(case.main, KEYS)
    values: dict[str, str | None] = {"backend.url": "http://far.example/"}
    with pytest.raises(ConfigError, match="in the clear"):
        changed.config(changed.contents(values), values)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("backend.url", "http://far.example/", "in the clear"),
        ("backend.url", "nonsense", "does not begin with https://"),
        ("backend.url", "https://u:p@h/", "user or password"),
        ("backend.url", None, "is empty"),
        ("backend.auth_scheme", "digest", "one of bearer, raw"),
        ("session.room_id", "a\x1bb", "control character"),
        ("session.room_id", "a\udcff", "no text"),
        ("audio.capture.device", "", "is empty text"),
    ],
)
def test_the_checks_are_the_configurations_own(key: str, value: str | None, why: str) -> None:
    assert why in (problem(key, value) or "")


def test_what_is_right_has_no_problem() -> None:
    assert problem("backend.url", "http://127.0.0.1:1/") is None
    assert problem("session.room_id", None) is None
    assert problem("audio.capture.device", "plughw:CARD=Mic,DEV=0") is None
