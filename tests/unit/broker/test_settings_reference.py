"""etc/broker.yaml and the definitions say the same."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingestd.broker.settings import SETTINGS, Settings, VideoSdk, read_settings
from ingestd.config.groups import Setting
from ingestd.errors import ConfigError

REFERENCE = (Path(__file__).parents[3] / "etc/broker.yaml").read_text()
LEAVES = [setting for setting in SETTINGS if not setting.group]
TLS = "listen.tls."


def uncommented() -> str:
    """The reference with every default put in force."""
    return re.sub(r"^( *)#(?=[a-z_]+:)", r"\1", REFERENCE, flags=re.MULTILINE)


def examples() -> list[str]:
    """The examples in the comments, each a file of its own."""
    found = re.findall(r"Example:\n((?: *#     .*\n)+)", REFERENCE)
    return [re.sub(r"^ *#     ", "", block, flags=re.MULTILINE) for block in found]


def value(tree: Any, path: str) -> Any:
    """The value at a dotted path. Raises KeyError."""
    for key in path.split("."):
        tree = tree[key]
    return tree


def filled(text: str) -> str:
    """With what has to be given."""
    return text.replace("  api_key:\n", "  api_key: a-key\n")


def read(tmp_path: Path, text: str, drop_in: str | None = None) -> Settings:
    """The settings of a file, and of one in conf.d over it."""
    path = tmp_path / "broker.yaml"
    path.write_text(text)
    if drop_in is not None:
        (tmp_path / "conf.d").mkdir()
        (tmp_path / "conf.d" / "example.yaml").write_text(drop_in)
    return read_settings(path)


def test_the_reference_as_shipped_lacks_only_the_account(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, REFERENCE)
    assert caught.value.faults == [
        f"{tmp_path}/broker.yaml: needs videosdk.api_key, with the secret in videosdk.api_secret_file; "
        "or videosdk.token_file"
    ]


def test_the_reference_with_every_default_in_force_is_the_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, filled(uncommented())) == Settings(videosdk=VideoSdk(api_key="a-key"))


@pytest.mark.parametrize("setting", [one for one in LEAVES if not one.path.startswith(TLS)], ids=lambda s: s.path)
def test_every_key_stands_in_the_reference_with_its_default(setting: Setting) -> None:
    found = value(yaml.safe_load(uncommented()), setting.path)
    if setting.path == "listen.address":
        assert str(Settings().listen.address) == found
    elif setting.path == "storage.url":
        assert Settings().storage.url.reveal() == found
    else:
        assert found == setting.default


@pytest.mark.parametrize("setting", [one for one in LEAVES if one.path.startswith(TLS)], ids=lambda s: s.path)
def test_the_keys_of_the_certificate_stand_in_an_example(setting: Setting) -> None:
    (with_tls,) = [tree for tree in map(yaml.safe_load, examples()) if "tls" in tree.get("listen", {})]
    assert value(with_tls, setting.path)


@pytest.mark.parametrize("number", range(len(examples())))
def test_every_example_works_as_a_file_of_conf_d(tmp_path: Path, number: int) -> None:
    assert read(tmp_path, filled(REFERENCE), examples()[number]) != read_settings_of(filled(REFERENCE), tmp_path)


def read_settings_of(text: str, tmp_path: Path) -> Settings:
    """The settings of a file alone."""
    (tmp_path / "alone").mkdir()
    return read(tmp_path / "alone", text)


def test_no_key_of_the_reference_is_unknown() -> None:
    known = {setting.path for setting in SETTINGS}

    def walk(node: Any, prefix: str) -> None:
        for key, inner in node.items():
            assert prefix + key in known
            if isinstance(inner, dict):
                walk(inner, prefix + key + ".")

    walk(yaml.safe_load(uncommented()), "")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.path)
def test_every_key_is_documented_in_one_line_with_its_unit(setting: Setting) -> None:
    assert setting.doc.endswith(".")
    assert "\n" not in setting.doc
    if setting.path.endswith("_s"):
        assert "Seconds" in setting.doc
