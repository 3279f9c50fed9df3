"""Whatever a file holds, loading it gives a configuration or faults, and nothing else."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.config import Config, load_config, read_token, reader
from ingestd.config.schema import SETTINGS
from ingestd.errors import ConfigError
from tests.unit.config_case import ConfigCase

LOADERS = [yaml.SafeLoader, *([yaml.CSafeLoader] if yaml.__with_libyaml__ else [])]
KEYS = sorted({setting.path.rpartition(".")[2].removesuffix("[]") for setting in SETTINGS})
SCRAPS = [
    *(f"{key}:" for key in KEYS),
    *" \n\t:-?[]{},&*!|>'\"%@#~=",
    "\n  ",
    "<<: ",
    "!!str ",
    "&a ",
    "*a",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "\\ud800",
    "\\UFFFFFFFF",
    "\ufeff",
    "\x85",
    "\u2028",
    "null",
    "yes",
    "0x1F",
    "1:30",
    "1e999",
    ".nan",
    "${hostname}",
    "${",
    "https://h",
]
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(SCRAPS)
)
keys = st.sampled_from(KEYS) | st.text(max_size=8)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6),
    max_leaves=25,
)
shaped = st.fixed_dictionaries(
    {}, optional={s.path: trees for s in SETTINGS if s.group and "." not in s.path}
)


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__, autouse=True)
def parser(request: pytest.FixtureRequest) -> Iterator[None]:
    """Both parsers: a device may have no libyaml."""
    before, reader.LOADER = reader.LOADER, request.param
    yield
    reader.LOADER = before


def check(main: bytes, drop_in: bytes = b"") -> None:
    with tempfile.TemporaryDirectory() as directory:
        case = ConfigCase(Path(directory))
        case.write(main)
        if drop_in:
            case.write(drop_in, "conf.d/a.yaml")
        try:
            config = load_config(case.main, case.identity)
        except ConfigError as error:
            faults = error.faults
        else:
            assert isinstance(config, Config)
            return
        assert faults
        for line in faults:
            assert line.isprintable(), line
            line.encode()


def dump(tree: object) -> bytes:
    return yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass")


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_bytes(content: bytes) -> None:
    check(content)


@given(st.lists(st.sampled_from(SCRAPS), max_size=30).map("".join))
@settings(max_examples=300, deadline=None)
def test_any_scraps_of_yaml(text: str) -> None:
    check(text.encode())


@given(trees)
@settings(max_examples=150, deadline=None)
def test_any_tree(tree: object) -> None:
    check(dump(tree))


@given(shaped, shaped)
@settings(max_examples=150, deadline=None)
def test_any_tree_under_the_right_headings(main: dict[str, object], drop_in: dict[str, object]) -> None:
    check(dump(main), dump(drop_in))


@given(st.binary(max_size=60))
@settings(max_examples=100, deadline=None)
def test_any_token_file(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "token"
        path.write_bytes(content)
        try:
            token = read_token(path).reveal()
        except ConfigError:
            return
        assert token == content.strip().decode("ascii")
        assert token.isprintable()
        assert " " not in token
