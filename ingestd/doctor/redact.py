"""Takes secrets out of texts, configurations and other values before they leave the device. Pure.

What is known to be a secret goes wherever it stands; what merely looks like one goes too: better a figure too few.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

REMOVED: Final = "<removed>"
_LEAST_CHARS: Final = 4
"""A shorter secret, struck out everywhere, would leave no text; where it stands in a URL or after its name it goes."""

_WITH_BLANKS: Final = r"passw(?:or)?d|passphrase|pwd|psk|pin"
_NAMED: Final = rf"secret|token|{_WITH_BLANKS}|api[_-]?key|private[_-]?key|credential|authorization|cookie"
_NAME: Final = re.compile(rf"{_NAMED.replace('|pin', '')}|(?:key|pass|pin|auth|hmac)$|(?:^|[_.-])ref$", re.I)
_OF_A_FILE: Final = re.compile(r"_(?:file|scheme|path)$", re.I)
_WORD: Final = r"[^\s\"',;&<\\]"
_STRING: Final = r"(?P<quote>\\*[\"'])(?:(?!(?<!\\)(?P=quote))[^\n])*(?P=quote)?"
"""Also within another one, where its quotes have a backslash each; one that does not end, up to the line's end."""
_LINE: Final = rf"(?!{REMOVED})[^\s<][^\n]*"
_NO_PROSE: Final = rf"(?={_WORD}*[\dA-Z_+/=!@#$%^*-]|{_WORD}{{12}}|{_WORD}+\s*(?:[\"',;&<}}\\]|$))"
"""After `token:` there may be a sentence about one."""


def _called(names: str) -> str:
    return rf"(?i:{names})(?![\w.-])(?:\\*[\"'])?"


_PATTERNS: Final = (
    # Anything with the three parts of a JWT; of one that was cut short, its first.
    (re.compile(r"eyJ[\w-]{6,}(?:\.[\w-]*){0,2}"), REMOVED),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:(?!-----END)[\s\S]){0,20000}"), REMOVED),
    # Headers: what follows has blanks, commas and quotes of its own.
    (re.compile(rf"({_called('authorization|cookie')}\s*[=:]\s*){_LINE}"), rf"\1{REMOVED}"),
    (re.compile(r"\b(Bearer|Basic)\s+[^\s\"',;]+", re.I), rf"\1 {REMOVED}"),
    (re.compile(r"://[^\s\"']{0,1000}@"), f"://{REMOVED}@"),
    (re.compile(r"([?&][^=&\s#\"']{1,64}=)[^&\s#\"'<]+"), rf"\1{REMOVED}"),
    (re.compile(rf"\b(ref[=:]\s*)(?!{REMOVED}){_WORD}+", re.I), rf"\1{REMOVED}"),
    # Names with a value: a string, or else what may have blanks in it.
    (re.compile(rf"({_called(_NAMED)}\s*[=:]\s*){_STRING}"), rf"\1{REMOVED}"),
    (re.compile(rf"({_called(_WITH_BLANKS)}\s*[=:]\s*){_LINE}"), rf"\1{REMOVED}"),
    (re.compile(rf"({_called(f'{_NAMED}|key|pass|auth|hmac')}\s*=\s*){_LINE}"), rf"\1{REMOVED}"),
    (re.compile(rf"({_called(_NAMED)}:\s*){_NO_PROSE}{_WORD}+", re.M), rf"\1{REMOVED}"),
    # A program's arguments.
    (re.compile(r"((?<!\S)(?:-[uU]\s*|--(?:proxy-)?user[\s=]))[^\s:]+:\S+"), rf"\1{REMOVED}"),
    (re.compile(rf"((?<!\S)--[\w-]*(?:{_NAMED}|bearer)\s+){_WORD}\S*", re.I), rf"\1{REMOVED}"),
    # Values that a fault of the configuration quotes: whoever mistook the key may have put anything there.
    (re.compile(rf"(\bis (?:the text )?|\bto make it text: |\blists ){_STRING}"), rf"\1{REMOVED}"),
    (re.compile(r"(\bis the number )[^\s;]+"), rf"\1{REMOVED}"),
)


class Redactor:
    """Knows this device's secrets."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # The longest first: one may hold another.
        self._secrets = sorted({secret for secret in secrets if len(secret) >= _LEAST_CHARS}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The same text without them."""
        text = self.known(text)
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
        return text

    def known(self, text: str) -> str:
        """The same text without those that are known to be secrets; all else stays as it is."""
        for secret in self._secrets:
            text = text.replace(secret, REMOVED)
        return text

    def value(self, value: Any) -> Any:
        """The same JSON value: what stands under the name of a secret goes whole, of all other texts what is one."""
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._under(str(key), one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return self._items(value)
        return self.text(value) if isinstance(value, str) else value

    def _under(self, name: str, value: Any) -> Any:
        hidden = value is not None and not isinstance(value, bool) and is_secret_name(name)
        return REMOVED if hidden else self.value(value)

    def _items(self, values: Iterable[Any]) -> list[Any]:
        """Arguments of a program: `--token X` is two items."""
        out: list[Any] = []
        hidden = False
        for value in values:
            out.append(REMOVED if hidden else self.value(value))
            option = isinstance(value, str) and value.startswith("-") and "=" not in value
            hidden = option and is_secret_name(value)
        return out


def is_secret_name(name: str) -> bool:
    """Whether what goes by that name is a secret; the name of its file is none."""
    return bool(_NAME.search(name)) and not _OF_A_FILE.search(name)

