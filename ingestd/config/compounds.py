"""The kinds that hold others: what may be null, lists, and groups of any keys."""

from __future__ import annotations

from ingestd.config.faults import Refused, quoted
from ingestd.config.kind import At, Kind, T_co
from ingestd.config.scalars import Text
from ingestd.config.tree import Broken, Leaf, Mapping, Node, Sequence, is_null

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class OrNull(Kind[T_co | None]):
    """Another kind, or null."""

    def __init__(self, kind: Kind[T_co]) -> None:
        self.kind = kind
        self.expected = f"null or {kind.expected}"

    def read(self, node: Node, at: At) -> T_co | None:
        if is_null(node):
            return None
        return self.kind.read(node, at)


class ListOf(Kind[tuple[T_co, ...]]):
    """A list of another kind, without repetitions where `unique`. Null is the empty list."""

    def __init__(self, kind: Kind[T_co], expected: str, *, unique: bool = False, shortest: int = 0) -> None:
        self.kind = kind
        self.expected = expected
        self._unique = unique
        self._shortest = shortest

    def read(self, node: Node, at: At) -> tuple[T_co, ...]:
        if is_null(node):
            node = Sequence(node.place, ())
        if not isinstance(node, Sequence):
            raise Refused(f"is {node}; give {self.expected}")
        if len(node.items) < self._shortest:
            raise Refused(f"is an empty list; give {self.expected}")
        items: list[T_co] = []
        seen: set[object] = set()
        for index, item in enumerate(node.items):
            here = at.below(index)
            faults = len(at.faults)
            value = self.kind.read_or_none(item, here)
            if len(at.faults) > faults or value is None or isinstance(item, Broken):
                continue
            if self._unique and value in seen:
                here.fault(item.place, f"lists {quoted(str(value))} a second time; remove it")
                continue
            if self._unique:
                seen.add(value)
            items.append(value)
        return tuple(items)


class Command(ListOf[str]):
    """A program by its absolute path, and its arguments."""

    def __init__(self) -> None:
        argument = Text(longest=4096, shortest=0, multiline=True)
        super().__init__(argument, "a list: [/path/of/program, argument, …]", shortest=1)

    def read(self, node: Node, at: At) -> tuple[str, ...]:
        words = super().read(node, at)
        if isinstance(node, Sequence) and isinstance(node.items[0], Leaf):
            program = node.items[0]
            path = program.value
            if isinstance(path, str) and not (path.startswith("/") and len(path) > 1 and path.isprintable()):
                at.below(0).fault(program.place, f"is {program}; give the program's absolute path, from / on")
        return words


class JsonObject(Kind[dict[str, Json]]):
    """Any group of keys with values JSON can hold. Null is the empty group."""

    expected = "a group of keys"

    def read(self, node: Node, at: At) -> dict[str, Json]:
        if is_null(node):
            return {}
        if not isinstance(node, Mapping):
            raise self.wrong(node)
        return {key: plain(entry.node, at.below(key)) for key, entry in node.entries.items()}


def plain(node: Node, at: At) -> Json:
    """The tree as JSON values; words that YAML alone takes for true or false are noted as faults."""
    if isinstance(node, Mapping):
        return {key: plain(entry.node, at.below(key)) for key, entry in node.entries.items()}
    if isinstance(node, Sequence):
        return [plain(item, at.below(index)) for index, item in enumerate(node.items)]
    if isinstance(node, Broken):
        return None
    if isinstance(node.value, bool) and node.text.lower() not in ("true", "false"):
        at.fault(node.place, f"is {node}; write true or false, or put it in quotes: '{node.text}'")
    return node.value
