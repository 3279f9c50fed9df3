"""etc/ingestd.yaml and the definitions say the same."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingestd.config.groups import Setting
from ingestd.config.schema import SETTINGS, Backend, Config
from ingestd.ctl import main as ingestctl
from tests.unit.config_case import ConfigCase

REFERENCE = (Path(__file__).parents[2] / "etc/ingestd.yaml").read_text()
LEAVES = [setting for setting in SETTINGS if not setting.group]


def uncommented() -> str:
    """The reference with every default put in force."""
    return re.sub(r"^( *)#(?=[a-z_]+:)", r"\1", REFERENCE, flags=re.MULTILINE)


def examples() -> list[str]:
    """The examples in the comments, each a file of its own."""
    found = re.findall(r"Example:\n((?: *#     .*\n)+)", REFERENCE)
    return [re.sub(r"^ *#     ", "", block, flags=re.MULTILINE) for block in found]


def values(tree: Any, path: str) -> list[Any]:
    """All values at a dotted path; `[]` goes through every item of a list."""
    found = [tree]
    for part in path.split("."):
        key, is_list = part.removesuffix("[]"), part.endswith("[]")
        found = [node[key] for node in found if isinstance(node, dict) and key in node]
        if is_list:
            found = [item for node in found for item in node or ()]
    return found


def is_conditional(setting: Setting) -> bool:
    """True for a key that exists only under one that is null or an empty list by default."""
    parents = {other.path for other in LEAVES}
    above = setting.path.rpartition(".")[0].removesuffix("[]")
    return above in parents


def required_filled(text: str) -> str:
    return text.replace("  url:\n", "  url: https://broker.example/s\n")


@pytest.fixture
def case(tmp_path: Path) -> ConfigCase:
    return ConfigCase(tmp_path)


def test_the_reference_as_shipped_lacks_only_the_url(case: ConfigCase) -> None:
    assert "backend.url: is empty; give an https:// URL" in case.fault(REFERENCE)


def test_the_reference_is_valid_once_url_and_room_are_filled_in(case: ConfigCase) -> None:
    config = case.load(required_filled(REFERENCE).replace("  room_id:\n", "  room_id: abcd-efgh-ijkl\n"))
    assert config.session.room_id == "abcd-efgh-ijkl"


def test_the_reference_with_every_default_in_force_is_the_defaults(case: ConfigCase) -> None:
    text = required_filled(uncommented())
    assert text.count("\n") == REFERENCE.count("\n")
    assert case.load(text) == case.load("backend: {url: 'https://broker.example/s'}")


@pytest.mark.parametrize("setting", [s for s in LEAVES if not is_conditional(s)], ids=lambda s: s.path)
def test_every_key_stands_in_the_reference_with_its_default(setting: Setting) -> None:
    (value,) = values(yaml.safe_load(uncommented()), setting.path)
    assert value == setting.default


@pytest.mark.parametrize("setting", [s for s in LEAVES if is_conditional(s)], ids=lambda s: s.path)
def test_every_conditional_key_stands_in_an_example_with_its_default(setting: Setting) -> None:
    found = [value for example in examples() for value in values(yaml.safe_load(example), setting.path)]
    assert found
    if not setting.required and setting.path not in ("hooks[].topic", "hooks[].state"):
        assert found == [setting.default] * len(found)


@pytest.mark.parametrize("number", range(len(examples())))
def test_every_example_works_as_a_file_of_conf_d(case: ConfigCase, number: int) -> None:
    case.write(examples()[number], "conf.d/example.yaml")
    case.load(required_filled(REFERENCE))


def test_no_key_of_the_reference_is_unknown() -> None:
    known = {setting.path for setting in SETTINGS}

    def walk(node: Any, prefix: str) -> None:
        if f"{prefix[:-1]}" == "session.participant.metadata" or not isinstance(node, dict):
            return
        for key, inner in node.items():
            assert prefix + key in known
            walk(inner, prefix + key + ".")

    walk(yaml.safe_load(uncommented()), "")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.path)
def test_every_key_is_documented_in_one_line_with_its_unit(setting: Setting) -> None:
    assert setting.doc.endswith(".")
    assert "\n" not in setting.doc
    for suffix, unit in (
        ("_s", "Seconds"),
        ("_ms", "Milliseconds"),
        ("_db", "dB"),
        ("_percent", "Percent"),
        ("_bytes", "Bytes"),
    ):
        if setting.path.endswith(suffix):
            assert unit in setting.doc


def test_no_command_is_named_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join([REFERENCE, *(setting.doc for setting in SETTINGS)])
    for command in set(re.findall(r"'ingestctl ([a-z]+)", text)):
        with pytest.raises(SystemExit) as ended:
            ingestctl.main([command, "--help"])
        assert ended.value.code == 0, capsys.readouterr().err


def test_the_list_of_keys() -> None:
    by_path = {setting.path: setting for setting in SETTINGS}
    assert len(by_path) == len(SETTINGS)
    assert by_path["backend.url"].required
    assert by_path["backend"].group
    assert by_path["backend.token_file"].default == "/etc/ingestd/token"
    assert by_path["messaging.subscribe"].default == ["CHAT"]
    assert by_path["audio.capture.gain_db"].type == "a number from -60 to 30 (dB)"
    assert by_path["hooks[].exec"].required


def test_a_config_made_by_hand_has_the_defaults_of_a_file(case: ConfigCase) -> None:
    made = Config(backend=Backend(url="https://h"))
    loaded = case.load("backend: {url: 'https://h'}")
    for field in dataclasses.fields(Config):
        if field.name != "session":  # whose placeholders only loading fills in
            assert getattr(made, field.name) == getattr(loaded, field.name)


def test_defaults_are_not_shared() -> None:
    one, two = Config(backend=Backend(url="x")), Config(backend=Backend(url="x"))
    assert one.session.participant.metadata is not two.session.participant.metadata
