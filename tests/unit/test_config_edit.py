"""A configuration file with single values set: whatever style it is written in, all else stays as it was."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.config.edit import edited
from ingestd.config.schema import SETTINGS
from ingestd.errors import ConfigError
from tests.unit.yaml_styles import LEAVES, Written, files

PATH = Path("ingestd.yaml")
REFERENCE = (Path(__file__).parents[2] / "etc/ingestd.yaml").read_bytes()
KEYS = [
    ("backend", "url"),
    ("backend", "auth_scheme"),
    ("session", "room_id"),
    ("audio", "capture", "device"),
    ("audio", "playback", "device"),
]
TEXTS = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=32), max_size=12) | st.sampled_from(
    ["true", "null", "~", "1e3", "a: b", "- x", "# no", "'", '"\\"', "plughw:CARD=Mic,DEV=0", "\u2028", "é\U0001f600"]
)
WANTED = st.dictionaries(st.sampled_from(KEYS), TEXTS | st.none(), min_size=1)
KEY_LINE = re.compile(r"\s*[\"']?[a-z_]+[\"']?:(\s|$)")
Wanted = dict[tuple[str, ...], str | None]


def words(line: str) -> list[str]:
    return re.findall(r"[a-z_]+", line)


def set_in(values: dict[str, Any], keys: tuple[str, ...], value: str | None) -> None:
    for key in keys[:-1]:
        values[key] = values.get(key) or {}
        values = values[key]
    values[keys[-1]] = value


def is_within(parts: list[str], whole: list[str]) -> bool:
    rest = iter(whole)
    return all(part in rest for part in parts)


@settings(max_examples=300, deadline=None)
@given(files(), WANTED)
def test_a_file_of_any_style_keeps_all_but_the_values_set(written: Written, wanted: Wanted) -> None:
    after = edited(written.text.encode(), wanted, PATH).decode()
    expected = yaml.safe_load(written.text) or {}
    for keys, value in wanted.items():
        set_in(expected, keys, value)
    assert yaml.safe_load(after.removeprefix("\ufeff")) == expected
    rest = after
    for comment in written.comments:
        _, found, rest = rest.partition(comment)
        assert found, f"{comment} is gone from {after!r}"
    touched = {name for keys in wanted for name in keys}
    untouched = [
        line
        for line in written.text.splitlines()
        if KEY_LINE.match(line) and "{" not in line and not touched & set(words(line))
    ]
    assert is_within(untouched, after.splitlines()), after
    assert ("\r\n" in after) >= ("\r\n" in written.text)
    assert after.startswith("\ufeff") == written.text.startswith("\ufeff")


@settings(max_examples=100, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "backend": st.fixed_dictionaries({}, optional={"url": TEXTS, "proxy": TEXTS}),
            "session": st.fixed_dictionaries({}, optional={"room_id": TEXTS | st.none(), "region": TEXTS}),
            "hooks": st.lists(st.fixed_dictionaries({"exec": st.lists(TEXTS)}), max_size=2),
        },
    ),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, '"', "'"]),
    st.sampled_from([10, 80]),
    WANTED,
)
def test_what_another_program_wrote_is_edited_too(
    values: dict[str, Any], flow: bool | None, style: str | None, width: int, wanted: Wanted
) -> None:
    file = io.StringIO()
    yaml.safe_dump(values, file, default_flow_style=flow, default_style=style, width=width, allow_unicode=True)
    expected = yaml.safe_load(file.getvalue())
    after = edited(file.getvalue().encode(), wanted, PATH)
    for keys, value in wanted.items():
        set_in(expected, keys, value)
    assert yaml.safe_load(after) == expected


def test_the_reference_filled_in_is_the_reference_with_a_few_lines_changed() -> None:
    wanted: Wanted = {
        ("backend", "url"): "https://x.example/s",
        ("session", "room_id"): "room",
        ("audio", "capture", "device"): "plughw:CARD=Mic,DEV=0",
    }
    after = edited(REFERENCE, wanted, PATH).decode().splitlines()
    before = REFERENCE.decode().splitlines()
    assert len(after) == len(before) + 1
    assert [line for line in after if line not in before] == [
        '  url: "https://x.example/s"',
        '  room_id: "room"',
        '    device: "plughw:CARD=Mic,DEV=0"',
    ]
    assert [line for line in before if line not in after] == ["  url:", "  room_id:"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("backend:\n  url: old # why\n", 'backend:\n  url: "new" # why\n'),
        ("backend: {url: old, proxy: p}\n", 'backend: {url: "new", proxy: p}\n'),
        ("backend: {url}\n", 'backend: {url: "new"}\n'),
        ("backend: {}\n", 'backend: {url: "new"}\n'),
        ("backend:   # none\naudio: {}\n", 'backend:   # none\n  url: "new"\naudio: {}\n'),
        ("backend: ~ # none\n", 'backend: {url: "new"} # none\n'),
        ("log: {level: info}", 'log: {level: info}\nbackend:\n  url: "new"\n'),
        ("log: {level: info}\n...\n# after", 'log: {level: info}\nbackend:\n  url: "new"\n...\n# after'),
        ('{"log": {"level": "info"}}', '{"backend": {"url": "new"}, "log": {"level": "info"}}'),
        ("backend:\n  url: |  # why\n    old\n\n  proxy: p\n", 'backend:\n  url: "new"  # why\n\n  proxy: p\n'),
        ("backend:\n    # about p\n    proxy: p\n", 'backend:\n    url: "new"\n    # about p\n    proxy: p\n'),
    ],
)
def test_the_place_and_the_style(before: str, after: str) -> None:
    assert edited(before.encode(), {("backend", "url"): "new"}, PATH).decode() == after


@pytest.mark.parametrize(
    "text",
    ["? backend\n: url: old\n", "backend: 5\n", "backend: [url]\n", "backend:\n  ? url\n", "backend: {url: {a: b}}\n"],
)
def test_what_is_written_in_a_way_that_is_not_known_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="nothing was changed: write it by hand: "):
        edited(text.encode(), {("backend", "url"): "new", ("backend", "auth_scheme"): "raw"}, PATH)


@pytest.mark.parametrize("text", ["backend: [\n", "a: &x 1\nb: *x\n", "a: 1\na: 2\n", "\xff", "- x\n"])
def test_a_file_with_a_fault_is_not_touched(text: str) -> None:
    with pytest.raises(ConfigError, match=r"ingestd\.yaml:"):
        edited(text.encode("latin-1"), {("backend", "url"): "new"}, PATH)


def test_every_leaf_of_the_styles_is_a_key_there_is() -> None:
    assert set(LEAVES) <= {setting.path for setting in SETTINGS}
