"""The last good configuration loses nothing, survives what a disk may do to it, and is never half used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.config import reader
from ingestd.config.faults import Faults, Place
from ingestd.config.lastgood import LARGEST_BYTES, LastGood
from ingestd.config.load import Valid, read_config
from ingestd.config.reader import LARGEST_INTEGER, MAX_DEPTH, parse_yaml
from ingestd.config.tree import Broken, Entry, Leaf, Mapping, Node, Sequence
from ingestd.config.writer import write_yaml
from ingestd.errors import ConfigError
from ingestd.system.state_files import write_state
from tests.unit.config_case import BACKEND, ConfigCase

LOADERS = [yaml.SafeLoader, *([yaml.CSafeLoader] if yaml.__with_libyaml__ else [])]
FULL = """\
backend:
  url: https://broker.example/sessions?key=s3cret
  proxy: http://user:hunter2@proxy.example:3128
  client_cert: {cert_file: /c, key_file: "/k\u00e4y"}
session:
  room_id: '1234'
  participant:
    name: "${hostname} $${ \U0001f600 \\u2028"
    metadata:
      deviceId: "${serial}"
      odd: "\\u0085 \\x01\\0\\n"
      "<<": 1
      yes: [1, 1.5, 1.0e+20, null, true, "no", 2026-01-01, "=", ""]
  agent: {id: a, type: voice, 007: {x: [[], {}]}}
  max_age_s: 1.0e-3
audio:
messaging: {subscribe: [A, "b c"]}
hooks: [{topic: R, exec: [/bin/r, '', "a\\nb \\n"], allow_senders: []}]
metrics: {listen: '[::1]:9465'}
"""
HERE = Place(0, "x")


@pytest.fixture
def case(tmp_path: Path) -> ConfigCase:
    (tmp_path / "etc").mkdir()
    return ConfigCase(tmp_path / "etc")


@pytest.fixture
def last_good(tmp_path: Path) -> LastGood:
    (tmp_path / "state").mkdir()
    return LastGood(tmp_path / "state", write_state)


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__)
def parser(request: pytest.FixtureRequest) -> Iterator[None]:
    """Both parsers: a device may have no libyaml."""
    before, reader.LOADER = reader.LOADER, request.param
    yield
    reader.LOADER = before


def read(case: ConfigCase, text: str) -> Valid:
    case.write(text)
    return read_config(case.main, case.identity)


def kept_at(last_good: LastGood) -> Path:
    assert last_good.path is not None
    return last_good.path


def tree_of(value: Any) -> Node:
    if isinstance(value, dict):
        return Mapping(HERE, {key: Entry(HERE, tree_of(inner)) for key, inner in value.items()})
    if isinstance(value, list):
        return Sequence(HERE, tuple(map(tree_of, value)))
    return Leaf(HERE, value, str(value))


def plain(node: Node) -> Any:
    """Values with their types, as 1 == 1.0 == True."""
    if isinstance(node, Mapping):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    assert isinstance(node, Leaf)
    return type(node.value), repr(node.value)


texts = st.text(st.characters(codec="utf-8"), max_size=30) | st.sampled_from(
    ["<<", "=", "~", "null", "yes", "No", "on", "1:30", "0x1F", "1e5", ".nan", "2026-01-01", "- a", "a: b", "#", "|",
     "\x85", "\u2028", "\ufeff", "\x00", "\n a\n\nb ", "x " * 100, "\U0001f600" * 300, "---", "!!str", "&a", "*a"]
)  # fmt: skip
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-LARGEST_INTEGER, LARGEST_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
trees = st.dictionaries(
    texts,
    st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=12
    ),
    max_size=4,
)


@pytest.mark.usefixtures("parser")
@given(trees)
@settings(max_examples=300, deadline=None)
def test_any_tree_is_read_back_as_it_was(values: dict[str, Any]) -> None:
    tree = tree_of(values)
    assert isinstance(tree, Mapping)
    faults = Faults()
    again = parse_yaml(write_yaml(tree), HERE, faults)
    assert faults.lines() == []
    assert again is not None
    assert plain(again) == plain(tree)


def test_a_tree_with_a_fault_is_not_written() -> None:
    with pytest.raises(ValueError, match="fault"):
        write_yaml(Mapping(HERE, {"a": Entry(HERE, Broken(HERE))}))


@pytest.mark.usefixtures("parser")
def test_what_is_kept_gives_the_same_configuration(case: ConfigCase, last_good: LastGood) -> None:
    case.write("session: {region: us002, participant: {metadata: {more: 1}}}\naudio:\n", "conf.d/a.yaml")
    valid = read(case, FULL)
    assert last_good.keep(valid.tree) is None
    again = last_good.load(case.identity)
    assert again is not None
    assert again.config == valid.config
    assert plain(again.tree) == plain(valid.tree)


def test_placeholders_are_kept_as_they_were_written(case: ConfigCase, last_good: LastGood) -> None:
    last_good.keep(read(case, FULL).tree)
    case.serial.write_bytes(b"another\0")
    again = last_good.load(case.identity)
    assert again is not None
    assert again.config.session.participant.metadata["deviceId"] == "another"


def test_a_conf_d_beside_it_is_not_read(case: ConfigCase, last_good: LastGood) -> None:
    valid = read(case, BACKEND)
    last_good.keep(valid.tree)
    drop_in = kept_at(last_good).parent / "conf.d/a.yaml"
    drop_in.parent.mkdir()
    drop_in.write_text("log: {level: debug}")
    assert last_good.load(case.identity) == (valid.config, last_good.load(case.identity).tree)  # type: ignore[union-attr]


def test_it_says_what_it_is_and_is_its_owners_alone(case: ConfigCase, last_good: LastGood) -> None:
    last_good.keep(read(case, FULL).tree)
    path = kept_at(last_good)
    assert path.read_text("ascii").startswith("# The configuration that ingestd last ran on")
    assert path.stat().st_mode & 0o777 == 0o600


def test_keeping_the_same_again_writes_nothing(case: ConfigCase, last_good: LastGood) -> None:
    last_good.keep(read(case, FULL).tree)
    os.utime(kept_at(last_good), (1_000_000_000, 1_000_000_000))
    last_good.keep(read(case, "# another comment\n" + FULL).tree)
    assert kept_at(last_good).stat().st_mtime == 1_000_000_000
    assert last_good.since().startswith("2001-09-09 ")


def test_where_there_is_no_state_directory_nothing_is_kept(case: ConfigCase) -> None:
    nowhere = LastGood(None, write_state)
    assert nowhere.keep(read(case, FULL).tree) is None
    assert nowhere.load(case.identity) is None
    assert nowhere.since() == "an unknown time"


def test_where_nothing_was_kept_there_is_none(last_good: LastGood) -> None:
    assert last_good.load() is None
    assert last_good.since() == "an unknown time"


def test_a_folder_that_refuses_is_a_warning(case: ConfigCase, tmp_path: Path) -> None:
    warning = LastGood(tmp_path / "absent", write_state).keep(read(case, FULL).tree)
    assert warning is not None
    assert f"can't write {tmp_path}/absent/last-good.yaml" in warning


def test_one_that_could_not_be_read_back_is_not_kept(case: ConfigCase, last_good: LastGood) -> None:
    size = LARGEST_BYTES // 20
    for number in range(20):
        case.write(f"session: {{participant: {{metadata: {{m{number}: '{'x' * size}'}}}}}}", f"conf.d/{number}.yaml")
    warning = last_good.keep(read(case, BACKEND).tree)
    assert warning is not None
    assert "larger than" in warning
    assert last_good.load() is None


def test_many_files_that_are_too_large_for_one_are_kept(case: ConfigCase, last_good: LastGood) -> None:
    for number in range(3):
        case.write(f"session: {{participant: {{metadata: {{m{number}: '{'ä' * 60_000}'}}}}}}", f"conf.d/{number}.yaml")
    valid = read(case, BACKEND)
    assert last_good.keep(valid.tree) is None
    again = last_good.load(case.identity)
    assert again is not None
    assert again.config == valid.config


def test_the_deepest_that_is_read_is_kept(case: ConfigCase, last_good: LastGood) -> None:
    depth = MAX_DEPTH - 3
    valid = read(case, BACKEND + f"session: {{participant: {{metadata: {'{a: ' * depth}1{'}' * depth}}}}}")
    last_good.keep(valid.tree)
    again = last_good.load(case.identity)
    assert again is not None
    assert again.config == valid.config


def damaged(last_good: LastGood) -> str:
    with pytest.raises(ConfigError) as caught:
        last_good.load()
    (fault,) = caught.value.faults
    return fault


def test_cut_off_anywhere_it_is_damaged_and_named(case: ConfigCase, last_good: LastGood) -> None:
    last_good.keep(read(case, FULL).tree)
    path = kept_at(last_good)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert damaged(last_good) == (
            f"{path}: is damaged, or was changed by hand; mend the configuration, which replaces it"
        )


@pytest.mark.parametrize("content", [b"\0" * 4096, b"\xff" * 100, b"backend: {url: 'https://h'}\n"])
def test_one_that_holds_something_else_is_damaged(last_good: LastGood, content: bytes) -> None:
    kept_at(last_good).write_bytes(content)
    assert "is damaged" in damaged(last_good)


def test_one_bit_that_flipped_is_found(case: ConfigCase, last_good: LastGood) -> None:
    last_good.keep(read(case, FULL).tree)
    path = kept_at(last_good)
    path.write_bytes(path.read_bytes().replace(b"us", b"uS").replace(b"1234", b"1235"))
    assert "is damaged" in damaged(last_good)


def test_a_folder_or_a_loop_in_its_place_is_named(last_good: LastGood) -> None:
    path = kept_at(last_good)
    path.mkdir()
    assert damaged(last_good).startswith(f"{path}: is a directory")
    path.rmdir()
    path.symlink_to(path)
    assert damaged(last_good).startswith(f"{path}: can't be read")


def test_one_by_another_version_names_the_line(case: ConfigCase, last_good: LastGood) -> None:
    valid = read(case, BACKEND)
    last_good.keep(Mapping(HERE, {**valid.tree.entries, "later": Entry(HERE, Leaf(HERE, 1, "1"))}))
    path = kept_at(last_good)
    line = path.read_text().splitlines().index("later: 1") + 1
    assert damaged(last_good).startswith(f"{path}:{line}: later: is not a key ingestd knows")


@pytest.mark.usefixtures("parser")
def test_a_configuration_cut_off_anywhere_is_refused_or_good_by_itself(case: ConfigCase) -> None:
    text = FULL.encode()
    refused = 0
    for length in range(len(text)):
        case.write(text[:length])
        try:
            read_config(case.main, case.identity)
        except ConfigError:
            refused += 1
    assert 100 < refused < len(text)
