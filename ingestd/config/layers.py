"""The layers of a configuration: one file, then conf.d/*.yaml beside it, merged key by key."""

from __future__ import annotations

from collections.abc import Mapping as Contents
from collections.abc import Set as AbstractSet
from pathlib import Path

from ingestd.config.faults import Faults, Place
from ingestd.config.reader import parse_yaml, read_yaml
from ingestd.config.tree import Mapping, merge

DROP_INS = "conf.d"


def read_layers(
    path: Path, faults: Faults, groups: AbstractSet[str], written: str, instead: Contents[Path, bytes] | None = None
) -> tuple[Mapping, bool]:
    """The merged tree of the file at `path` and its conf.d, and whether every file could be read.

    `groups` are the dotted paths that are merged and not replaced; `written` tells how to come by a file where there
    is none; `instead` holds what a file is to be taken for, by its path.
    """
    merged = _read_one(path, 0, faults, written, instead or {})
    complete = merged is not None
    if merged is None:
        merged = Mapping(Place(0, str(path)), {})
    for order, drop_in in enumerate(drop_ins(path.parent / DROP_INS, faults), start=1):
        tree = _read_one(drop_in, order, faults, written, instead or {})
        if tree is None:
            complete = False
        else:
            merged = merge(merged, tree, lambda below: ".".join(map(str, below)) in groups)
    return merged, complete


def _read_one(path: Path, order: int, faults: Faults, written: str, instead: Contents[Path, bytes]) -> Mapping | None:
    if path in instead:
        return parse_yaml(instead[path], Place(order, str(path)), faults)
    return read_yaml(path, order, faults, written)


def drop_ins(directory: Path, faults: Faults) -> list[Path]:
    """The files to read in `directory`, by name; hidden ones are an editor's."""
    try:
        names = sorted(entry.name for entry in directory.iterdir() if not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        if directory.exists():
            faults.add(Place(1, str(directory)), (), "is not a directory; remove it or make it one")
        return []
    except OSError as error:
        text = f"can't be listed: {error.strerror}; let the service's group read and enter it (chmod 750)"
        faults.add(Place(1, str(directory)), (), text)
        return []
    for name in names:
        if name.endswith((".yml", ".YAML", ".YML")):
            faults.add(
                Place(1, str(directory / name)), (), "is not read for its name; rename it to end in .yaml"
            )
    return [directory / name for name in names if name.endswith(".yaml")]
