"""What of YAML is read, what is refused, and that every refusal has its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ingestd.config import reader
from ingestd.config.faults import Faults, Place
from ingestd.config.reader import parse_yaml
from ingestd.config.tree import Leaf, Mapping
from tests.unit.config_case import BACKEND, ConfigCase

LOADERS = [yaml.SafeLoader, *([yaml.CSafeLoader] if yaml.__with_libyaml__ else [])]


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__)
def case(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ConfigCase:
    """The same with both parsers: a device may have no libyaml."""
    monkeypatch.setattr(reader, "LOADER", request.param)
    return ConfigCase(tmp_path)


def value(text: str) -> Any:
    """What `key: TEXT` is read as; the faults' lines where it is refused."""
    faults = Faults()
    tree = parse_yaml(f"key: {text}\n".encode(), Place(0, "f"), faults)
    if len(faults):
        return faults.lines()
    assert isinstance(tree, Mapping)
    node = tree.entries["key"].node
    assert isinstance(node, Leaf)
    return node.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("12", 12),
        ("-7", -7),
        ("0", 0),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.0e+3", 1000.0),
        ("true", True),
        ("no", False),
        ("text", "text"),
        ("'12'", "12"),
        ("!!str 12", "12"),
        ("2026-01-31", "2026-01-31"),
        ("=", "="),
        ('"\\u00e4"', "ä"),
        ("9007199254740991", 2**53 - 1),
    ],
)
def test_values(case: ConfigCase, text: str, expected: object) -> None:
    assert value(text) == expected
    assert type(value(text)) is type(expected)


@pytest.mark.parametrize(
    "text",
    [
        "0x1F",
        "010",
        "1:30",
        "1_000",
        "0b11",
        ".inf",
        ".nan",
        "1.0e+999",
        "9007199254740992",
        "9" * 5000,
        "!!int x",
    ],
)
def test_numbers_that_would_surprise_are_refused(case: ConfigCase, text: str) -> None:
    (line,) = value(text)
    assert line.startswith("f:1: key: is ")
    assert "write a plain decimal number, or put it in quotes" in line


@pytest.mark.parametrize(
    "text",
    ["! 12", "! [a]", "!!binary aGk=", "!foo x", "!!python/name:os.system x", "!!set {a}", "!!omap [a: 1]"],
)
def test_tags_are_refused(case: ConfigCase, text: str) -> None:
    assert "remove the tag" in value(text)[0]


def test_a_duplicate_key_names_both_lines(case: ConfigCase) -> None:
    assert case.fault(BACKEND + "log:\n  level: info\n  level: debug\n") == (
        "ingestd.yaml:4: log.level: is given twice, first in line 3; remove one of them"
    )


def test_a_duplicate_section_is_a_fault(case: ConfigCase) -> None:
    assert "backend: is given twice, first in line 1" in case.fault(BACKEND + BACKEND)


def test_anchors_and_aliases_are_refused(case: ConfigCase) -> None:
    faults = case.faults(BACKEND + "session:\n  room_id: &a x\n  region: *a\n")
    assert faults == [
        "ingestd.yaml:3: session.room_id: has the anchor &a; remove it and write values out",
        "ingestd.yaml:4: session.region: is the alias *a; write the value out",
    ]


def test_a_bomb_of_aliases_is_refused_at_once(case: ConfigCase) -> None:
    levels = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert any("alias" in fault for fault in case.faults("\n".join(levels)))


def test_merge_keys_are_refused(case: ConfigCase) -> None:
    assert "merge key <<" in case.fault(BACKEND + "log:\n  <<: {level: debug}\n")


def test_a_quoted_merge_sign_is_a_plain_key(case: ConfigCase) -> None:
    config = case.load(BACKEND + "session: {participant: {metadata: {'<<': x, y: <<}}}")
    assert config.session.participant.metadata == {"<<": "x", "y": "<<"}


def test_keys_are_what_is_written_whatever_yaml_makes_of_them(case: ConfigCase) -> None:
    config = case.load(BACKEND + "session: {participant: {metadata: {no: a, 1: b, 1.50: c, null: d}}}")
    assert config.session.participant.metadata == {"no": "a", "1": "b", "1.50": "c", "null": "d"}


@pytest.mark.parametrize("text", ["? [a, b]\n: c\n", "{a: b}: c\n", "? *a\n: c\n"])
def test_keys_that_are_not_text_are_refused(case: ConfigCase, text: str) -> None:
    faults = case.faults(BACKEND + text)
    assert faults[0].startswith("ingestd.yaml:2: has a key that is not plain text")


def test_keys_with_anchors_or_tags_are_refused(case: ConfigCase) -> None:
    faults = case.faults(BACKEND + "log:\n  &a level: info\n  !!str level: info\n")
    assert [fault.split(": ")[0] for fault in faults] == ["ingestd.yaml:3", "ingestd.yaml:4"]


def test_deep_nesting_is_refused_before_anything_recurses(case: ConfigCase) -> None:
    assert "nested more than 20 deep" in case.fault("[" * 100_000)
    assert "nested more than 20 deep" in case.fault("{a: " * 60_000)
    assert "nested more than 20 deep" in case.fault("\n".join(" " * n + "a:" for n in range(40)))


def test_a_large_file_is_refused(case: ConfigCase) -> None:
    assert "larger than 262144 bytes" in case.fault(BACKEND + "#" * 262_144)
    case.load(BACKEND + "#" * (262_144 - len(BACKEND)))


@pytest.mark.parametrize(
    ("content", "line"), [(b"a: 1\nb: \xe4\n", 2), (b"\xff\xfea\0:\0", 1), ("a: ä".encode("utf-16"), 1)]
)
def test_what_is_not_utf8_names_the_line(case: ConfigCase, content: bytes, line: int) -> None:
    assert case.fault(content) == f"ingestd.yaml:{line}: is not UTF-8; save the file in that encoding"


def test_a_byte_order_mark_is_ignored(case: ConfigCase) -> None:
    case.load("\ufeff" + BACKEND)


def test_control_characters_are_refused(case: ConfigCase) -> None:
    assert case.fault("a: 1\nb: \x1b[31m\n").startswith("ingestd.yaml:2: holds the control character '\\x1b'")


@pytest.mark.parametrize(
    "text", ["log:\n\tlevel: info\n", "log:\n  \tlevel: info\n", "log: \n\t\n  level: x\n  \tb: c\n"]
)
def test_tabs_are_called_tabs(case: ConfigCase, text: str) -> None:
    assert "tab where YAML wants spaces; indent with spaces" in case.fault(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1, 2\nb: 3\n", 2),
        ("a: 'x\n", 2),
        ("a: b: c\n", 1),
        ("a:\n  b: 1\n c: 2\n", 3),
        ("%YAML 9.0\n---\na: 1\n", 1),
        ("a: @x\n", 1),
        ("a: !t!x y\n", 1),
    ],
)
def test_broken_syntax_names_the_line(case: ConfigCase, text: str, line: int) -> None:
    fault = case.fault(text)
    assert fault.startswith(f"ingestd.yaml:{line}: is not YAML: ")
    assert "; check the indentation and quotes" in fault


@pytest.mark.parametrize(
    "text", ['a: "\\UFFFFFFFF"\n', f"%YAML {'9' * 5000}.0\n---\na: 1\n", 'a: "\\ud800"\n']
)
def test_what_makes_the_parsers_themselves_stumble(case: ConfigCase, text: str) -> None:
    assert case.faults(text)


def test_half_a_surrogate_pair_is_refused_wherever_it_stands(case: ConfigCase) -> None:
    assert case.faults(BACKEND + 'session: {room_id: "\\ud83d"}\n')
    assert case.faults(BACKEND + 'session: {participant: {metadata: {"\\ud83d": 1}}}\n')


def test_a_second_document_is_refused(case: ConfigCase) -> None:
    assert case.fault(BACKEND + "---\nlog: {level: info}\n").startswith(
        "ingestd.yaml:2: starts a second document"
    )


@pytest.mark.parametrize("text", ["eyJhbGciOiJIUzI1NiJ9.e30.x\n", "- eyJhbGciOiJIUzI1NiJ9\n"])
def test_a_file_that_holds_no_keys_is_not_shown(case: ConfigCase, text: str) -> None:
    fault = case.fault(text)
    assert "instead of keys" in fault
    assert "eyJ" not in fault


def test_strange_keys_are_shown_in_one_printable_line(case: ConfigCase) -> None:
    (fault,) = case.faults(BACKEND + '"a\\nb\\e[31m": 1\n')
    assert fault.isprintable()
    (fault,) = case.faults(BACKEND + f"? {'k' * 2000}\n: 1\n")
    assert len(fault) < 400
