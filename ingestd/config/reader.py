"""Turns the bytes of one YAML file into a tree with places, and refuses what would surprise somebody.

The parser's events are read instead of `yaml.compose`d nodes: events come one by one, so that a file nested
ten thousand deep is refused before anything recurses into it.
"""

from __future__ import annotations

import codecs
import math
import re
from pathlib import Path
from typing import Any

import yaml

from ingestd.config.faults import Faults, KeyPath, Place, quoted
from ingestd.config.files import Absent, Unreadable, read_small
from ingestd.config.tree import Broken, Entry, Leaf, Mapping, Node, Sequence

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
LARGEST_INTEGER = 2**53 - 1
"""Beyond it, JSON readers round (RFC 8259 §6)."""

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_TAG = "tag:yaml.org,2002:"
_UNPRINTABLE = yaml.reader.Reader.NON_PRINTABLE
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FRACTION = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_TEXT_TAGS = ("str", "timestamp", "value")
"""A date is text here, as in YAML 1.2; so is a lone `=`."""
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class _Unusable(Exception):  # noqa: N818 (it only unwinds: the fault is told already)
    """The rest of the file can't be read; the fault has been told."""


def read_yaml(path: Path, order: int, faults: Faults, written: str) -> Mapping | None:
    """Reads one file, the `order`-th to be read. Faults go to `faults`; None where nothing of it can be used.

    `written` tells how to come by a file. One of comments alone is an empty mapping; one with nothing in it is what a
    power cut leaves, and a fault.
    """
    name = str(path) if str(path).isprintable() else repr(str(path))[1:-1]
    whole = Place(order, name)
    try:
        content, _ = read_small(path, MAX_BYTES)
    except Unreadable as error:
        absent = isinstance(error, Absent) and not order
        faults.add(whole, (), f"does not exist; {written}, or correct the name" if absent else str(error))
        return None
    if not content.removeprefix(codecs.BOM_UTF8).strip():
        remedy = "write it anew, or remove it" if order else f"remove it, then {written}"
        faults.add(whole, (), f"is empty, as by a power cut; {remedy}")
        return None
    return parse_yaml(content, whole, faults)


def parse_yaml(content: bytes, whole: Place, faults: Faults) -> Mapping | None:
    """Parses the content of the file at `whole`, like `read_yaml`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        faults.add(whole._replace(line=line), (), "is not UTF-8; save the file in that encoding")
        return None
    if bad := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        where = whole._replace(line=line)
        faults.add(where, (), f"holds the control character {quoted(bad.group())}; remove it")
        return None
    parser = None
    try:
        parser = LOADER(text)
        return _Builder(parser, whole, faults).document()
    except _Unusable:
        return None
    except yaml.MarkedYAMLError as error:
        faults.add(*_syntax_fault(error, text, whole))
        return None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # The parser in Python raises ValueError for "\UFFFFFFFF" and for a version of 5000 digits.
        faults.add(whole, (), f"is not YAML: {str(error).splitlines()[0][:100]}; correct or remove that text")
        return None
    finally:
        if parser is not None:
            parser.dispose()


def _syntax_fault(error: yaml.MarkedYAMLError, text: str, whole: Place) -> tuple[Place, KeyPath, str]:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return whole, (), f"is not YAML: {error.problem}; check the indentation and quotes"
    lines = text.splitlines()
    row = lines[mark.line] if mark.line < len(lines) else ""
    place = whole._replace(line=mark.line + 1)
    if row[mark.column : mark.column + 1] == "\t" or "\t" in row[: len(row) - len(row.lstrip())]:
        return place, (), "has a tab where YAML wants spaces; indent with spaces"
    problem = str(error.problem or error.context)
    return place, (), f"is not YAML: {problem}; check the indentation and quotes here and in the line above"


class _Builder:
    """Builds the tree of one document from the parser's events."""

    def __init__(self, parser: Any, whole: Place, faults: Faults) -> None:
        self._parser = parser
        self._whole = whole
        self._faults = faults

    def document(self) -> Mapping:
        self._parser.get_event()  # the stream's start
        if self._parser.check_event(yaml.StreamEndEvent):
            return Mapping(self._whole, {})
        self._parser.get_event()  # the document's start
        root = self._node((), self._whole)
        self._parser.get_event()  # the document's end
        if not self._parser.check_event(yaml.StreamEndEvent):
            place = self._place(self._parser.peek_event())
            self._stop(place, (), "starts a second document; a file holds one: remove the line '---'")
        if isinstance(root, Leaf) and root.value is None:
            return Mapping(self._whole, {})
        if isinstance(root, Mapping):
            return root
        # What it holds isn't shown: somebody may have named the token's file by mistake.
        kind = "text" if isinstance(root, Leaf) else "a list"
        self._stop(root.place, (), f"holds {kind} instead of keys; start it like 'backend:' or empty it")
        raise AssertionError("not reached")

    def _place(self, event: Any) -> Place:
        return self._whole._replace(line=event.start_mark.line + 1)

    def _stop(self, place: Place, path: KeyPath, text: str) -> None:
        self._faults.add(place, path, text)
        raise _Unusable

    def _node(self, path: KeyPath, opened: Place) -> Node:
        """The next node; `opened` is the place of the key or the list it stands under."""
        event = self._parser.get_event()
        place = self._place(event)
        if len(path) > MAX_DEPTH:
            self._stop(place, (), f"is nested more than {MAX_DEPTH} deep; write it flatter")
        if isinstance(event, yaml.AliasEvent):
            self._faults.add(place, path, f"is the alias *{event.anchor}; write the value out")
            return Broken(place)
        if event.anchor is not None:
            self._faults.add(place, path, f"has the anchor &{event.anchor}; remove it and write values out")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path, place)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not self._parser.check_event(yaml.SequenceEndEvent):
                items.append(self._node((*path, len(items)), self._place(self._parser.peek_event())))
            self._parser.get_event()
            node: Node = Sequence(opened, tuple(items))
            expected = "seq"
        else:
            node = Mapping(opened, self._entries(path))
            expected = "map"
        if event.tag not in (None, _TAG + expected):
            return self._refuse_tag(event, path, place)
        return node

    def _entries(self, path: KeyPath) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        while not self._parser.check_event(yaml.MappingEndEvent):
            at = self._parser.peek_event()
            place = self._place(at)
            if not isinstance(at, yaml.ScalarEvent):
                self._faults.add(place, path, "has a key that is not plain text; correct the line")
                self._node((*path, "?"), place)
                self._node((*path, "?"), place)
                continue
            self._parser.get_event()
            key = at.value
            below = (*path, key)
            node = self._node(below, place)
            if at.implicit[0] and key == "<<":
                self._faults.add(place, path, "has the merge key <<; write the keys out")
            elif at.anchor is not None or at.tag is not None:
                self._faults.add(place, below, "has an anchor or a tag on the key; write the key alone")
            elif not _encodable(key):
                self._faults.add(place, path, "has a key with half a surrogate pair; correct the escape")
            elif key in entries:
                first = entries[key].place.line
                self._faults.add(place, below, f"is given twice, first in line {first}; remove one of them")
            else:
                entries[key] = Entry(place, node)
        self._parser.get_event()
        return entries

    def _scalar(self, event: Any, path: KeyPath, place: Place) -> Node:
        tag = event.tag
        if tag is None:
            tag = self._parser.resolve(yaml.ScalarNode, event.value, event.implicit)
        text: str = event.value
        kind = tag.removeprefix(_TAG) if tag.startswith(_TAG) else ""
        if kind == "merge":  # `key: <<` is text anywhere but in a key
            kind = "str"
        if kind in _TEXT_TAGS:
            if _encodable(text):
                return Leaf(place, text, text)
            self._faults.add(place, path, "holds half a surrogate pair; correct the \\u escape")
            return Broken(place)
        if kind == "null":
            return Leaf(place, None, text)
        if kind == "bool" and text.lower() in _BOOLEANS:
            return Leaf(place, _BOOLEANS[text.lower()], text)
        if kind in ("int", "float"):
            number = _number(text)
            if number is not None:
                return Leaf(place, number, text)
            self._faults.add(
                place,
                path,
                f"is {quoted(text, 30)}, which YAML reads as a number; write a plain decimal number, "
                "or put it in quotes if it is text",
            )
            return Broken(place)
        return self._refuse_tag(event, path, place)

    def _refuse_tag(self, event: Any, path: KeyPath, place: Place) -> Broken:
        self._faults.add(place, path, f"has the tag {quoted(str(event.tag))}; remove the tag")
        return Broken(place)


def _number(text: str) -> int | float | None:
    """A plain decimal number; None for hexadecimal, octal, 1:30, 1_000, infinity and what JSON rounds."""
    if _DECIMAL.fullmatch(text):
        whole = int(text) if len(text) < 20 else LARGEST_INTEGER + 1
        return whole if abs(whole) <= LARGEST_INTEGER else None
    if _FRACTION.fullmatch(text):
        fraction = float(text)
        return fraction if math.isfinite(fraction) else None
    return None


def _encodable(text: str) -> bool:
    """False for text with half a surrogate pair: it can be neither printed nor sent."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
