"""The configuration with other values for some keys: checked as a whole, and which files that takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ingestd.config.edit import Keys, edited
from ingestd.config.faults import Faults, Place, Refused
from ingestd.config.files import Unreadable, read_small
from ingestd.config.kind import At
from ingestd.config.load import check_tree, read_tree
from ingestd.config.reader import MAX_BYTES, parse_yaml
from ingestd.config.schema import CONFIG, SETTINGS, Config
from ingestd.config.starting import starting_content
from ingestd.config.tree import Leaf, Node, graft
from ingestd.config.tree import Mapping as Group
from ingestd.errors import ConfigError

_DEFAULTS: Final = {setting.path: setting.default for setting in SETTINGS}
_SOUND: Final = b"backend: {url: 'https://localhost/', auth_scheme: raw}\nsession: {room_id: a}\n\
audio: {capture: {device: a}, playback: {device: a}}\n"
"""Values without a fault for the keys that somebody is about to set."""


class ChangedConfig:
    """The configuration at `path` and in its conf.d, for whoever sets keys that hold text. One thread."""

    def __init__(self, path: Path, settable: tuple[str, ...]) -> None:
        """Reads it; a file that is not there counts as the reference.

        Raises ConfigError where it has a fault in anything but the keys `settable` (dotted).
        """
        self.path = path
        self.new = not path.exists() and not path.is_symlink()
        """Whether the file is yet to be made."""
        self._read: dict[Path, bytes] = {path: starting_content()} if self.new else {}
        faults = Faults()
        self._tree, _ = read_tree(path, faults, self._read)
        faults.raise_if_any()
        donor = parse_yaml(_SOUND, Place(0, ""), Faults())
        if donor is None:
            raise AssertionError("the sound values are no YAML")
        mended = self._tree
        for key in settable:
            mended = graft(mended, _keys(key), donor)
        self.fixed = check_tree(mended, faults, None).config
        """The configuration, good but for the keys that are yet to be set."""

    def value(self, key: str) -> str | None:
        """What holds now for a dotted key, its default where nobody wrote one; None for null."""
        node = self._node(key)
        if isinstance(node, Leaf):
            return None if node.value is None else node.value if isinstance(node.value, str) else node.text
        default = _DEFAULTS[key]
        return default if isinstance(default, str) else None

    def file_of(self, key: str) -> Path:
        """The file that decides what holds for a key: the main one, or one of conf.d that overrides it."""
        node = self._node(key)
        return Path(node.place.file) if node is not None and node.place.order else self.path

    def contents(self, values: Mapping[str, str | None]) -> dict[Path, bytes]:
        """What each file is to hold, for `values` by dotted key to hold; those that stay as they are are left out.

        Raises ConfigError with what is in the way.
        """
        by_file: dict[Path, dict[Keys, str | None]] = {}
        for key, value in values.items():
            if value != self.value(key):
                by_file.setdefault(self.file_of(key), {})[_keys(key)] = value
        return {path: edited(self.content(path), wanted, path) for path, wanted in by_file.items()}

    def content(self, path: Path) -> bytes:
        """What one of the files held when it was first asked for. Raises ConfigError."""
        if path not in self._read:
            try:
                self._read[path] = read_small(path, MAX_BYTES)[0]
            except Unreadable as error:
                raise ConfigError([f"{path}: {error}"]) from None
        return self._read[path]

    def config(self, contents: Mapping[Path, bytes], values: Mapping[str, str | None]) -> Config:
        """The configuration that such files make. Raises ConfigError, also where one of `values` would not hold."""
        faults = Faults()
        tree, complete = read_tree(self.path, faults, {**self._read, **contents})
        valid = check_tree(tree, faults, None, complete=complete)
        for key, value in values.items():
            node = _found(tree, key)
            held = node.value if isinstance(node, Leaf) else _DEFAULTS[key]
            if held != value:
                where = node.place if node is not None else self.path
                raise ConfigError([f"{where}: {key}: would not be what was asked for; set it by hand"])
        return valid.config

    def _node(self, key: str) -> Node | None:
        return _found(self._tree, key)


def problem(key: str, value: str | None) -> str | None:
    """What is wrong with a value for a dotted key, as the configuration's own checks say it; None for nothing."""
    if value is not None and not _encodable(value):
        return "has a character in it that is no text; write it anew"
    kind: Any = CONFIG
    for name in _keys(key):
        kind = kind.fields[name].metadata["kind"]
    try:
        kind.read(Leaf(Place(0, ""), value, "" if value is None else value), At((), Faults(), (), complete=True))
    except Refused as refused:
        return str(refused)
    return None


def _encodable(text: str) -> bool:
    """False for half a surrogate pair, which is how Python shows bytes that are no UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _keys(key: str) -> Keys:
    return tuple(key.split("."))


def _found(tree: Group, key: str) -> Node | None:
    node: Node = tree
    for part in _keys(key):
        if not isinstance(node, Group) or part not in node.entries:
            return None
        node = node.entries[part].node
    return node
