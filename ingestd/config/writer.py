"""Writes a tree as a YAML file that the reader turns into the same tree, less the places."""

from __future__ import annotations

import math
from typing import Any

import yaml

from ingestd.config.tree import Broken, Leaf, Mapping, Node


def write_yaml(tree: Mapping) -> bytes:
    """The content of the file, plain ASCII. `tree` has no fault."""
    # No line is folded; text outside ASCII is escaped, as some of it (U+2028) ends lines in YAML.
    text: str = yaml.safe_dump(_plain(tree), sort_keys=False, width=math.inf, allow_unicode=False)
    return text.encode("ascii")


def _plain(node: Node) -> Any:
    if isinstance(node, Mapping):
        return {key: _plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Leaf):
        return node.value
    if isinstance(node, Broken):
        raise ValueError(f"{node.place}: a tree with a fault is not to be written")
    return [_plain(item) for item in node.items]
