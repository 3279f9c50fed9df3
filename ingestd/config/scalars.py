"""The kinds of single values: text, paths, numbers, words."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ingestd.config.faults import Refused, quoted
from ingestd.config.kind import Scalar, T_co, text_of
from ingestd.config.tree import Leaf

_CHANNELS: tuple[Literal["mix"], Literal["left"], Literal["right"]] = ("mix", "left", "right")


class Text(Scalar[str]):
    """Text of `shortest` to `longest` characters, no control characters (`multiline`: no NUL)."""

    def __init__(
        self,
        expected: str = "text",
        *,
        longest: int = 1024,
        multiline: bool = False,
        shortest: int = 1,
    ) -> None:
        self.expected = expected
        self._longest = longest
        self._shortest = shortest
        self._multiline = multiline

    def of(self, leaf: Leaf) -> str:
        text = text_of(leaf, self.expected)
        if len(text) < self._shortest:
            raise Refused(f"is empty text; give {self.expected}")
        if len(text) > self._longest:
            raise Refused(f"is {len(text)} characters long; give {self.expected}, at most {self._longest}")
        if "\0" in text or not (self._multiline or all(map(_visible, text))):
            raise Refused(f"is {quoted(text)}, with a control character in it; remove that")
        return text


def _visible(character: str) -> bool:
    return not (character < " " or "\x7f" <= character <= "\x9f")


class AbsolutePath(Scalar[Path]):
    """The absolute path of a file. Faults don't show a `private` one: people paste the secret there."""

    def __init__(
        self, expected: str = "an absolute path", *, private: bool = False, longest: int = 4095
    ) -> None:
        self.expected = expected
        self._private = private
        self._longest = longest

    def of(self, leaf: Leaf) -> Path:
        text = text_of(leaf, self.expected, private=self._private)
        if not text.startswith("/") or not all(map(_visible, text)):
            found = "not an absolute path" if self._private else quoted(text)
            secret = "; the secret itself belongs into the file" if self._private else ""
            raise Refused(f"is {found}; give {self.expected}, from / on{secret}")
        if (size := len(text.encode())) > self._longest:
            raise Refused(f"is {size} bytes long; give {self.expected} of at most {self._longest}")
        return Path(text)


class Number(Scalar[float]):
    """A number from `low` to `high`; `above` is a bound that is itself out of range."""

    def __init__(self, *, high: float, unit: str, low: float | None = None, above: float = 0) -> None:
        self._low, self._above, self._high = low, above, high
        bounds = f"from {low:g}" if low is not None else f"above {above:g} and up"
        self.expected = f"a number {bounds} to {high:.12g} ({unit})"

    def of(self, leaf: Leaf) -> float:
        number = _number_of(leaf, self.expected)
        too_low = number <= self._above if self._low is None else number < self._low
        if too_low or number > self._high:
            raise Refused(f"is {leaf.text}; give {self.expected}")
        return float(number)


class WholeNumber(Scalar[int]):
    """A whole number from `low` to `high`."""

    def __init__(self, *, low: int, high: int, unit: str) -> None:
        self._low, self._high = low, high
        self.expected = f"a whole number from {low} to {high} ({unit})"

    def of(self, leaf: Leaf) -> int:
        number = _number_of(leaf, self.expected)
        if isinstance(number, float) or not self._low <= number <= self._high:
            raise Refused(f"is {leaf.text}; give {self.expected}")
        return number


def _number_of(leaf: Leaf, expected: str) -> int | float:
    if isinstance(leaf.value, bool) or leaf.value is None:
        raise Refused(f"is {leaf}; give {expected}")
    if isinstance(leaf.value, str):
        looks_right = leaf.value.strip().lstrip("-").replace(".", "", 1).isdecimal()
        raise Refused(f"is {leaf}; give {expected}{', without quotes' if looks_right else ''}")
    return leaf.value


class Flag(Scalar[bool]):
    """True or false."""

    expected = "true or false"

    def of(self, leaf: Leaf) -> bool:
        if not isinstance(leaf.value, bool):
            raise self.wrong(leaf)
        return leaf.value


class Choice(Scalar[T_co]):
    """One of a few words."""

    def __init__(self, *words: T_co) -> None:
        self._words = words
        self.expected = f"one of {', '.join(map(str, words))}"

    def of(self, leaf: Leaf) -> T_co:
        for word in self._words:
            if leaf.value == word:
                return word
        from difflib import get_close_matches  # only needed once something is wrong

        near = get_close_matches(leaf.text[:64].lower(), map(str, self._words), n=1, cutoff=0.5)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise Refused(f"is {leaf}; give {self.expected}{meant}")


class Channel(Scalar[Literal["mix", "left", "right"] | int]):
    """Which channels of a recording are sent."""

    expected = "one of mix, left, right, or the number of a channel from 1 to 64"

    def of(self, leaf: Leaf) -> Literal["mix", "left", "right"] | int:
        value = leaf.value
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 64:
            return value
        for word in _CHANNELS:
            if value == word:
                return word
        if value == 0 and not isinstance(value, bool):
            raise Refused("is 0; channels count from 1: give 1 for the first")
        plain = isinstance(value, str) and value.isdecimal()
        raise Refused(f"is {leaf}; give {self.expected}{', without quotes' if plain else ''}")
