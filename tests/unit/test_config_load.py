"""The main file, conf.d over it, and how faults of several files are told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ingestd.config import load_config
from ingestd.errors import ConfigError
from tests.unit.config_case import BACKEND, MACHINE_ID, ConfigCase


@pytest.fixture
def case(tmp_path: Path) -> ConfigCase:
    return ConfigCase(tmp_path)


def test_the_least_file_gives_all_defaults(case: ConfigCase) -> None:
    config = case.load(BACKEND)
    assert config.backend.url == "https://broker.example/sessions"
    assert config.backend.token_file == Path("/etc/ingestd/token")
    assert config.session.start == "auto"
    assert config.session.participant.name == "Field Device dev-12"
    assert config.session.participant.metadata == {"deviceId": MACHINE_ID}
    assert config.messaging.subscribe == ("CHAT",)
    assert config.hooks == ()


def test_a_config_can_be_compared_and_not_changed(case: ConfigCase) -> None:
    config = case.load(BACKEND)
    assert config == case.load(BACKEND)
    with pytest.raises(AttributeError):
        config.log.level = "debug"  # type: ignore[misc]


@pytest.mark.parametrize("text", ["# nothing\n", "---\n", "null\n", "{}\n", "backend:\n"])
def test_a_main_file_without_keys_lacks_the_url(case: ConfigCase, text: str) -> None:
    fault = case.fault(text)
    assert fault.startswith("ingestd.yaml")
    assert "backend.url: is missing; add it" in fault


@pytest.mark.parametrize("text", [b"", b"\n\n", b" \t\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"])
def test_a_file_that_a_power_cut_emptied_is_a_fault(case: ConfigCase, text: bytes) -> None:
    assert case.fault(text) == (
        "ingestd.yaml: is empty, as by a power cut; remove it, then write one by `ingestctl setup` or from "
        "/usr/share/ingestd/ingestd.yaml"
    )
    case.write(text, "conf.d/10.yaml")
    assert case.fault(BACKEND) == "conf.d/10.yaml: is empty, as by a power cut; write it anew, or remove it"


@pytest.mark.parametrize("text", ["# nothing\n", "---\n", "null\n", "{}\n", "session:\n", "session:\n  # room_id: a\n"])
def test_a_drop_in_whose_keys_are_all_commented_out_is_none(case: ConfigCase, text: str) -> None:
    case.write(text, "conf.d/10.yaml")
    assert case.load(BACKEND) == case.load(BACKEND + "session:\n")


def test_what_is_missing_names_the_line_of_its_section(case: ConfigCase) -> None:
    fault = case.fault("log: {level: info}\nbackend:\n  proxy: null\n")
    assert fault.startswith("ingestd.yaml:2: backend.url: is missing; add it: an https:// URL")


def test_what_is_missing_names_the_section_to_add(case: ConfigCase) -> None:
    assert case.fault("log: {level: info}\n").startswith(
        "ingestd.yaml: backend.url: is missing; add it under 'backend:'"
    )


def test_a_missing_file_says_what_to_do(case: ConfigCase) -> None:
    assert case.fault() == (
        "ingestd.yaml: does not exist; write one by `ingestctl setup` or from /usr/share/ingestd/ingestd.yaml, "
        "or correct the name"
    )


def test_a_directory_in_place_of_the_file(case: ConfigCase) -> None:
    case.main.mkdir()
    assert case.fault() == "ingestd.yaml: is a directory; name the file in it"


def test_a_fifo_in_place_of_the_file_does_not_block(case: ConfigCase) -> None:
    os.mkfifo(case.main)
    assert "not a regular file" in case.fault()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_names_the_user_and_the_remedy(case: ConfigCase) -> None:
    case.write(BACKEND).chmod(0)
    fault = case.fault()
    assert f"user id {os.geteuid()}" in fault
    assert "chmod 640" in fault


def test_a_name_with_a_nul_is_a_fault() -> None:
    with pytest.raises(ConfigError):
        load_config(Path("/tmp/a\0b"))


def test_conf_d_overrides_key_by_key_in_order_of_name(case: ConfigCase) -> None:
    case.write("log: {level: debug}\nsession: {region: us002}\n", "conf.d/20-b.yaml")
    case.write("log: {level: error}\nsession: {start: demand}\n", "conf.d/10-a.yaml")
    config = case.load(BACKEND + "session: {room_id: main, region: in002}\n")
    assert config.log.level == "debug"
    assert (config.session.room_id, config.session.region, config.session.start) == (
        "main",
        "us002",
        "demand",
    )


def test_a_list_in_conf_d_replaces_the_list(case: ConfigCase) -> None:
    case.write("messaging: {subscribe: [C]}", "conf.d/a.yaml")
    assert case.load(BACKEND + "messaging: {subscribe: [A, B]}").messaging.subscribe == ("C",)


def test_null_in_conf_d_resets_to_null(case: ConfigCase) -> None:
    case.write("session: {room_id: null, agent: ~}", "conf.d/a.yaml")
    config = case.load(BACKEND + "session: {room_id: room, agent: {id: a}}")
    assert config.session.room_id is None
    assert config.session.agent is None


def test_a_bare_heading_in_conf_d_changes_nothing(case: ConfigCase) -> None:
    case.write("session:\n  # room_id: other\n  participant:\n", "conf.d/a.yaml")
    config = case.load(BACKEND + "session: {room_id: room, participant: {name: N}}")
    assert config.session.room_id == "room"
    assert config.session.participant.name == "N"


def test_free_groups_merge_key_by_key_too(case: ConfigCase) -> None:
    case.write("session: {participant: {metadata: {b: {d: 4}, e: null}}}", "conf.d/a.yaml")
    config = case.load(BACKEND + "session: {participant: {metadata: {a: 1, b: {c: 3}, e: 5}}}")
    assert config.session.participant.metadata == {"a": 1, "b": {"c": 3, "d": 4}, "e": None}


def test_null_empties_a_free_group(case: ConfigCase) -> None:
    case.write("session: {participant: {metadata: null}}", "conf.d/a.yaml")
    assert case.load(BACKEND).session.participant.metadata == {}


def test_a_group_in_conf_d_replaces_null(case: ConfigCase) -> None:
    case.write("audio: {capture: {mixer: {control: Mic}}}", "conf.d/a.yaml")
    mixer = case.load(BACKEND + "audio: {capture: {mixer: null}}").audio.capture.mixer
    assert mixer is not None
    assert mixer.control == "Mic"


def test_the_required_url_may_stand_in_conf_d(case: ConfigCase) -> None:
    case.write(BACKEND, "conf.d/a.yaml")
    assert case.load("# all in conf.d\n").backend.url == "https://broker.example/sessions"


def test_a_fault_names_the_file_its_value_came_from(case: ConfigCase) -> None:
    case.write("\naudio:\n  capture:\n    gain_db: 99\n", "conf.d/a.yaml")
    assert case.fault(BACKEND + "audio: {capture: {gain_db: 1}}").startswith(
        "conf.d/a.yaml:4: audio.capture.gain_db: is 99; give a number from -60 to 30 (dB)"
    )


def test_what_a_later_file_overrides_is_no_fault(case: ConfigCase) -> None:
    case.write("log: {level: info}", "conf.d/a.yaml")
    assert case.load(BACKEND + "log: {level: loud}").log.level == "info"


def test_faults_of_all_files_are_sorted_by_file_and_line(case: ConfigCase) -> None:
    case.write("log: {level: x}\nnope: 1\n", "conf.d/10.yaml")
    case.write("audio: {duplex: x}\n", "conf.d/9.yaml")
    faults = case.faults("control: {socket: x}\nbackend: {url: 'https://h', bad: 1}\nsession: {room_id: 1}\n")
    assert [fault.split(": ")[0] for fault in faults] == [
        "ingestd.yaml:1",
        "ingestd.yaml:2",
        "ingestd.yaml:3",
        "conf.d/10.yaml:1",
        "conf.d/10.yaml:2",
        "conf.d/9.yaml:1",
    ]


def test_nothing_is_called_missing_while_a_file_is_unreadable(case: ConfigCase) -> None:
    case.write("log: {level: x}", "conf.d/a.yaml")
    faults = case.faults("backend: {url: 'https://h'\n")
    assert len(faults) == 2
    assert "is not YAML" in faults[0]
    assert "log.level" in faults[1]


def test_a_fault_of_one_conf_d_file_does_not_hide_the_others(case: ConfigCase) -> None:
    case.write("a: [", "conf.d/a.yaml")
    case.write("log: {level: x}", "conf.d/b.yaml")
    assert len(case.faults(BACKEND)) == 2


def test_hidden_and_other_files_in_conf_d_are_left_alone(case: ConfigCase) -> None:
    for name in (".10-a.yaml", "10-a.yaml.bak", "10-a.yaml~", "README"):
        case.write("nonsense: [", f"conf.d/{name}")
    case.load(BACKEND)


@pytest.mark.parametrize("name", ["a.yml", "a.YAML"])
def test_a_conf_d_file_that_would_silently_be_ignored_is_a_fault(case: ConfigCase, name: str) -> None:
    case.write("log: {level: debug}", f"conf.d/{name}")
    assert case.fault(BACKEND) == f"conf.d/{name}: is not read for its name; rename it to end in .yaml"


def test_conf_d_that_is_a_file_is_a_fault(case: ConfigCase) -> None:
    case.write("", "conf.d")
    assert case.fault(BACKEND) == "conf.d: is not a directory; remove it or make it one"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_conf_d_that_cannot_be_listed_is_a_fault(case: ConfigCase) -> None:
    (case.directory / "conf.d").mkdir(mode=0)
    assert "can't be listed" in case.fault(BACKEND)


def test_a_dangling_link_in_conf_d_is_a_fault(case: ConfigCase) -> None:
    (case.directory / "conf.d").mkdir()
    (case.directory / "conf.d/a.yaml").symlink_to("nowhere")
    assert "conf.d/a.yaml: does not exist" in case.fault(BACKEND)


def test_a_file_with_ten_faults_lists_ten_lines(case: ConfigCase) -> None:
    faults = case.faults(
        "backend:\n"
        "  url: ftp://h\n"  # 2
        "  auth_scheme: basic\n"  # 3
        "  tokenfile: /x\n"  # 4
        "session:\n"
        "  room_id: 1234\n"  # 6
        "  max_age_s: -1\n"  # 7
        "audio:\n"
        "  capture: {channel: 0}\n"  # 9
        "  playback: {max_delay_ms: 39}\n"  # 10
        "messaging:\n"
        "  max_bytes: 8193\n"  # 12
        "log:\n"
        "  level: loud\n"  # 14
        "room_id: x\n"  # 15
    )
    assert [fault.split(": ")[0] for fault in faults] == [
        f"ingestd.yaml:{line}" for line in (2, 3, 4, 6, 7, 9, 10, 12, 14, 15)
    ]


def test_the_error_text_is_all_faults(case: ConfigCase) -> None:
    case.write("a: 1\nb: 2\n" + BACKEND)
    with pytest.raises(ConfigError) as caught:
        case.load()
    assert str(caught.value) == "\n".join(caught.value.faults)


def test_a_flood_of_faults_is_counted_instead_of_listed(case: ConfigCase) -> None:
    faults = case.faults(BACKEND + "".join(f"key_{n}: 1\n" for n in range(5000)))
    assert len(faults) == 201
    assert faults[-1] == "… and 4800 faults more; mend these first"
