"""What a kind of value is: it reads a node of the file, or says what it expected instead."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from ingestd.config.faults import Faults, KeyPath, Place, Refused
from ingestd.config.tree import Broken, Leaf, Node

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class At:
    """Where reading has got to, and where its faults go."""

    path: KeyPath
    faults: Faults
    known: tuple[str, ...]
    """The dotted paths of all keys there are, for "did you mean"."""
    complete: bool
    """False where a file could not be read: then nothing can be called missing."""

    def below(self, part: str | int) -> At:
        """The same, one level down."""
        return replace(self, path=(*self.path, part))

    def fault(self, place: Place, text: str) -> None:
        """Notes a fault of the value here."""
        self.faults.add(place, self.path, text)


class AlreadyTold(Refused):
    """One value can't be used, and the fault is noted."""


class Kind(Generic[T_co]):
    """Reads values of one kind."""

    expected: str
    """Completes "give …" in faults, and is the type in the reference."""

    def read(self, node: Node, at: At) -> T_co:
        """Returns the value of `node`. Raises `Refused` where it has none of this kind."""
        raise NotImplementedError

    def read_or_none(self, node: Node, at: At) -> T_co | None:
        """Like `read`, but notes a refusal as a fault and returns None."""
        try:
            if isinstance(node, Broken):
                raise AlreadyTold
            return self.read(node, at)
        except AlreadyTold:
            pass
        except Refused as refused:
            at.fault(node.place, str(refused))
        return None

    def wrong(self, node: Node) -> Refused:
        """The refusal of a node of another type."""
        return Refused(f"is {node}; give {self.expected}")


class Scalar(Kind[T_co]):
    """A kind whose values are single values of YAML."""

    def read(self, node: Node, at: At) -> T_co:  # noqa: ARG002 (lists and groups need it)
        if not isinstance(node, Leaf):
            raise self.wrong(node)
        return self.of(node)

    def of(self, leaf: Leaf) -> T_co:
        """Returns the value of `leaf`. Raises `Refused`."""
        raise NotImplementedError


def text_of(leaf: Leaf, expected: str, *, private: bool = False) -> str:
    """The text of a leaf, with advice where YAML made something else of it. Raises `Refused`.

    With `private` no fault shows the value.
    """
    if isinstance(leaf.value, str):
        return leaf.value
    if leaf.value is None:
        hint = f" (null as text goes in quotes: '{leaf.text}')" if leaf.text.lower() == "null" else ""
        raise Refused(f"is empty; give {expected}{hint}")
    if private:
        raise Refused(f"is not text; give {expected}")
    raise Refused(f"is {leaf}; put it in quotes to make it text: '{leaf.text}'")
