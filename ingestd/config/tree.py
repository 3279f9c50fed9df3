"""A configuration file as a tree in which every value knows the file and line it was written in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ingestd.config.faults import KeyPath, Place, quoted


@dataclass(frozen=True, slots=True)
class Leaf:
    """A single value: what YAML makes of it, and the text as it was written."""

    place: Place
    value: bool | int | float | str | None
    text: str

    def __str__(self) -> str:
        if self.value is None:
            return "empty"
        if isinstance(self.value, bool):
            plain = "true" if self.value else "false"
            return plain if self.text.lower() == plain else f"{self.text}, which YAML reads as {plain}"
        if isinstance(self.value, str):
            return f"the text {quoted(self.value)}" if self.value else "empty text"
        return f"the number {self.text}"


@dataclass(frozen=True, slots=True)
class Broken:
    """A value whose fault has been told already; whoever meets it says nothing more."""

    place: Place

    def __str__(self) -> str:
        return "unreadable"


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    place: Place
    items: tuple[Node, ...]

    def __str__(self) -> str:
        return "a list"


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a mapping with its value; the place is the key's."""

    place: Place
    node: Node


@dataclass(frozen=True, slots=True)
class Mapping:
    """A group of keys. Its place is the line of the key that opens it."""

    place: Place
    entries: dict[str, Entry]

    def __str__(self) -> str:
        return "a group of keys"


Node = Leaf | Broken | Sequence | Mapping


def is_null(node: Node) -> bool:
    """True for `key: null`, `key: ~` and `key:` with nothing after it."""
    return isinstance(node, Leaf) and node.value is None


def merge(base: Mapping, over: Mapping, is_group: Callable[[KeyPath], bool], path: KeyPath = ()) -> Mapping:
    """Lays `over` on `base`, key by key; a list or a single value replaces what was there, null included.

    Only where `is_group(path)` does null leave the base alone: under a section heading whose keys are all
    commented out, YAML sees null, and that must not wipe the section.
    """
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        below = (*path, key)
        old = entries.get(key)
        if old is not None and isinstance(old.node, Mapping):
            if isinstance(entry.node, Mapping):
                entries[key] = Entry(old.place, merge(old.node, entry.node, is_group, below))
                continue
            if is_null(entry.node) and is_group(below):
                continue
        entries[key] = entry
    return Mapping(base.place, entries)


def graft(tree: Mapping, path: tuple[str, ...], donor: Mapping) -> Mapping:
    """`tree` with the value at `path` as `donor` has it; without it where `donor` has none."""
    key, *below = path
    entries = dict(tree.entries)
    theirs = donor.entries.get(key)
    if below:
        ours = _group(entries.get(key), tree.place)
        entries[key] = Entry(ours.place, graft(ours, tuple(below), _group(theirs, donor.place)))
    elif theirs is None:
        entries.pop(key, None)
    else:
        entries[key] = theirs
    return Mapping(tree.place, entries)


def _group(entry: Entry | None, around: Place) -> Mapping:
    """The group at a key; an empty one where there is none, or a bare heading."""
    if entry is not None and isinstance(entry.node, Mapping):
        return entry.node
    return Mapping(entry.place if entry else around, {})


def locate(tree: Node, path: KeyPath) -> Place:
    """The place of the value at `path`, or of the nearest group around it that was written down."""
    node = tree
    for part in path:
        if isinstance(node, Mapping) and isinstance(part, str) and part in node.entries:
            node = node.entries[part].node
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        else:
            break
    return node.place
