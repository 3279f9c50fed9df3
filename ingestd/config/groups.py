"""How a settings class is declared, read from a file, and listed for the reference.

Each field of a class is declared once, with `setting`: default, one line of documentation, the kind of its
value. Everything else (reading, checking, "did you mean", the man page) is taken from there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from ingestd.config.compounds import Json, ListOf, OrNull, plain
from ingestd.config.kind import At, Kind
from ingestd.config.suggest import advice
from ingestd.config.tree import Mapping, Node, is_null

T = TypeVar("T")


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED: Final = _Required()
"""The default of a setting that has none."""


def setting(default: T | _Required, doc: str, kind: Kind[T]) -> T:
    """Declares one field of a settings class. `doc` is one line, with the unit where there is one."""
    metadata = {"kind": kind, "doc": doc, "default": default}
    if isinstance(default, _Required):
        return cast(T, dataclasses.field(metadata=metadata))
    if isinstance(default, dict):
        return cast(T, dataclasses.field(default_factory=default.copy, metadata=metadata))
    return dataclasses.field(default=default, metadata=metadata)


def group(cls: type[T], doc: str) -> T:
    """Declares a field that is itself a settings class, always present."""
    metadata = {"kind": Group(cls), "doc": doc, "default": None}
    if any(f.metadata.get("default") is REQUIRED for f in dataclasses.fields(cast(Any, cls))):
        return cast(T, dataclasses.field(metadata=metadata))
    return dataclasses.field(default_factory=cls, metadata=metadata)


class Group(Kind[T]):
    """A group of keys read into a settings class.

    `check` looks at a whole value and yields what is wrong with it. With `others`, keys the class doesn't
    have go into its field of that name instead of being faults.
    """

    expected = "a group of keys"

    def __init__(
        self, cls: type[T], check: Callable[[T], Iterable[str]] | None = None, others: str | None = None
    ) -> None:
        self.cls = cast(Any, cls)
        self._check = check
        self.others = others
        self.fields: dict[str, dataclasses.Field[Any]] = {
            field.name: field for field in dataclasses.fields(self.cls) if "kind" in field.metadata
        }

    def read(self, node: Node, at: At) -> T:
        if is_null(node):  # a heading whose keys are all commented out
            node = Mapping(node.place, {})
        if not isinstance(node, Mapping):
            raise self.wrong(node)
        before = len(at.faults)
        values: dict[str, Any] = {}
        others: dict[str, Json] = {}
        for key, entry in node.entries.items():
            here = at.below(key)
            if key in self.fields:
                self._read_field(values, key, entry.node, here)
            elif self.others is not None:
                others[key] = plain(entry.node, here)
            else:
                hint = "remove it" if at.faults.crowded else advice(at.path, key, at.known)
                here.fault(entry.place, f"is not a key ingestd knows; {hint}")
        for name, field in self.fields.items():
            if name not in values:
                values[name] = self._absent(field, node, at.below(name))
        if self.others is not None:
            values[self.others] = others
        built = cast(T, self.cls(**values))
        if self._check is not None and at.complete and len(at.faults) == before:
            for problem in self._check(built):
                at.fault(node.place, problem)
        return built

    def _read_field(self, values: dict[str, Any], name: str, node: Node, here: At) -> None:
        kind: Kind[Any] = self.fields[name].metadata["kind"]
        # What stands in for a refused value is never handed out: it only lets the rest be looked at too.
        values[name] = kind.read_or_none(node, here)
        if values[name] is None and isinstance(kind, Group):
            values[name] = kind.read(Mapping(node.place, {}), dataclasses.replace(here, complete=False))

    def _absent(self, field: dataclasses.Field[Any], node: Mapping, here: At) -> Any:
        kind: Kind[Any] = field.metadata["kind"]
        if isinstance(kind, Group):
            return kind.read(Mapping(node.place._replace(line=0), {}), here)
        if field.metadata["default"] is REQUIRED:
            if here.complete:
                where = "" if node.place.line else f" under '{here.path[-2]}:'" if len(here.path) > 1 else ""
                here.fault(node.place, f"is missing; add it{where}: {kind.expected}")
            return None
        default = field.metadata["default"]
        return dict(default) if isinstance(default, dict) else default


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of the configuration, as a reference shows it."""

    path: str
    """Dotted; `hooks[].exec` is a key of every item of the list `hooks`."""
    type: str
    default: Json
    """As it would stand in the file; None also where the key is required, or a group."""
    doc: str
    required: bool
    group: bool
    """True for a heading that other keys stand under and that is always there."""


def settings(cls: type[Any], prefix: str = "") -> Iterator[Setting]:
    """All keys of a settings class and of the groups below it, in the order of their declaration."""
    for field in dataclasses.fields(cls):
        if "kind" not in field.metadata:
            continue
        kind: Kind[Any] = field.metadata["kind"]
        path = prefix + field.name
        default = field.metadata["default"]
        required = default is REQUIRED
        shown = None if required else _as_json(default)
        yield Setting(path, kind.expected, shown, field.metadata["doc"], required, isinstance(kind, Group))
        inner: Kind[Any] = kind.kind if isinstance(kind, (OrNull, ListOf)) else kind
        if isinstance(inner, Group):
            yield from settings(inner.cls, path + ("[]." if isinstance(kind, ListOf) else "."))


def _as_json(value: Any) -> Json:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [_as_json(item) for item in value]
    return cast(Json, value)
