"""Sets single keys in the text of a configuration file, and leaves every other character as somebody wrote it.

YAML's marks say where a value stands. What comes out is read anew and compared before anybody gets it, so that a way
of writing which isn't known here is refused, never spoiled.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from ingestd.config import tree
from ingestd.config.faults import Faults, Place, dotted
from ingestd.config.reader import parse_yaml
from ingestd.errors import ConfigError

Keys = tuple[str, ...]
"""Where a value stands, like ("audio", "capture", "device")."""

_LINE_END: Final = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]|\Z")
_BLOCK_COMMENT: Final = re.compile(r"[|>][^\s#]*[ \t]+(#.*)")
"""The comment behind the head of a block scalar."""


def edited(content: bytes, values: Mapping[Keys, str | None], path: Path) -> bytes:
    """`content`, of the file at `path`, with these values (None is null) in place of the old ones, or added.

    Raises ConfigError where the file can't be read, or is written in a way that can't be changed safely.
    """
    before = _values(_read(content, path))
    bom = codecs.BOM_UTF8 if content.startswith(codecs.BOM_UTF8) else b""
    text = content.removeprefix(bom).decode()
    for keys in _in_turn(values):
        try:
            text = _with(text, keys, values[keys])
        except (yaml.YAMLError, _Unknown):
            raise _refusal(path, keys, values[keys]) from None
        _put(before, keys, values[keys])
    after = bom + text.encode()
    try:
        same = repr(_sorted(_values(_read(after, path)))) == repr(_sorted(before))  # 1, 1.0 and true are not the same
    except ConfigError:
        same = False
    if not same:
        raise _refusal(path, *next(iter(values.items())))
    return after


class _Unknown(Exception):  # noqa: N818 (never leaves this module)
    """The place of a key is written in a way that isn't known here."""


def _in_turn(values: Iterable[Keys]) -> list[Keys]:
    """Group by group; within one from the end, as each new key comes first below its heading."""
    groups = list(dict.fromkeys(keys[0] for keys in values))
    from_the_end = list(values)[::-1]
    return [keys for group in groups for keys in from_the_end if keys[0] == group]


def _refusal(path: Path, keys: Keys, value: str | None) -> ConfigError:
    return ConfigError(
        [
            f"{path}: {dotted(keys)} can't be set without risk to what stands around it; nothing was changed: "
            f"write it by hand: {keys[-1]}: {_written(value)}"
        ]
    )


def _read(content: bytes, path: Path) -> tree.Mapping:
    faults = Faults()
    found = parse_yaml(content, Place(0, str(path)), faults)
    if found is None or len(faults):
        raise ConfigError(faults.lines())
    return found


def _values(node: tree.Node) -> Any:
    """The tree without its places, as plain values."""
    if isinstance(node, tree.Mapping):
        return {key: _values(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, tree.Sequence):
        return [_values(item) for item in node.items]
    return node.value if isinstance(node, tree.Leaf) else None


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _put(values: dict[str, Any], keys: Keys, value: str | None) -> None:
    for key in keys[:-1]:
        if not isinstance(values.get(key), dict):
            values[key] = {}
        values = values[key]
    values[keys[-1]] = value


def _with(text: str, keys: Keys, value: str | None) -> str:
    """`text` with one value set. Raises YAMLError, _Unknown."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return _inserted(text, _end_of_document(text), _block(keys, value, "", _newline(text)))
    group, heading = root, None
    for depth, key in enumerate(keys):
        found = next(((at, node) for at, node in group.value if at.value == key), None)
        if found is None:
            return _with_key(text, group, heading, keys[depth:], value)
        heading, node = found
        if depth == len(keys) - 1:
            return _with_scalar(text, node, _written(value))
        if isinstance(node, yaml.MappingNode):
            group = node
        elif node.tag == "tag:yaml.org,2002:null":
            return _with_group(text, group, heading, node, keys[depth + 1 :], value)
        else:
            raise _Unknown
    raise AssertionError("no keys")


def _with_scalar(text: str, node: Any, written: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _Unknown
    start, end = node.start_mark.index, node.end_mark.index
    if start == end:  # `key:` with nothing behind it, or in braces a key alone
        return text[:start] + (" " if text[start - 1] == ":" else ": ") + written + text[end:]
    old = text[start:end]
    if node.style in ("|", ">"):
        end = start + len(old.rstrip())
        if comment := _BLOCK_COMMENT.match(old):
            written = f"{written}  {comment[1].rstrip()}"
    return text[:start] + written + text[end:]


def _with_group(text: str, around: Any, heading: Any, node: Any, keys: Keys, value: str | None) -> str:
    """With the keys below a heading that has nothing below it."""
    if around.flow_style or node.start_mark.index != node.end_mark.index:
        return _with_scalar(text, node, "{" + _flow(keys, value) + "}")
    indent = " " * (heading.start_mark.column + 2)
    return _inserted(text, _line_after(text, heading.end_mark.index), _block(keys, value, indent, _newline(text)))


def _with_key(text: str, group: Any, heading: Any, keys: Keys, value: str | None) -> str:
    """With the keys in a group that lacks the first of them."""
    first = group.value[0][0] if group.value else None
    if group.flow_style:
        if first is None:
            at = text.rindex("}", group.start_mark.index, group.end_mark.index)
            return text[:at] + _flow(keys, value) + text[at:]
        at = first.start_mark.index
        gap = text[text.rindex("{", 0, at) + 1 : at]
        quote = first.style or ""
        return text[:at] + _flow(keys, value, quote) + "," + (gap if gap.isspace() else " ") + text[at:]
    indent = " " * group.value[0][0].start_mark.column
    at = _end_of_document(text) if heading is None else _line_after(text, heading.end_mark.index)
    return _inserted(text, at, _block(keys, value, indent, _newline(text)))


def _inserted(text: str, at: int, lines: str) -> str:
    """With whole lines at the start of a line, or behind a last one that no line end closes."""
    opening = "" if at == 0 or text[at - 1] in "\n\r\x85\u2028\u2029" else _newline(text)
    return text[:at] + opening + lines + text[at:]


def _end_of_document(text: str) -> int:
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.DocumentEndEvent) and event.explicit:
            return len(text) if event.start_mark is None else event.start_mark.index
    return len(text)


def _line_after(text: str, at: int) -> int:
    found = _LINE_END.search(text, at)
    return found.end() if found else len(text)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _block(keys: Keys, value: str | None, indent: str, newline: str) -> str:
    lines = [f"{indent}{'  ' * depth}{key}:" for depth, key in enumerate(keys)]
    return newline.join(lines) + f" {_written(value)}{newline}"


def _flow(keys: Keys, value: str | None, quote: str = "") -> str:
    shown = f"{quote}{keys[0]}{quote}: "
    return shown + (_written(value) if len(keys) == 1 else "{" + _flow(keys[1:], value, quote) + "}")


def _written(value: str | None) -> str:
    """A value in quotes, so that no text is taken for anything else. Pure; may be shown to people."""
    if value is None:
        return "null"
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
