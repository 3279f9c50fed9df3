"""Reads the configuration: the main file, then conf.d/*.yaml beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ingestd.config.faults import Faults, KeyPath, Place
from ingestd.config.identity import Identity, expand_participant
from ingestd.config.kind import At
from ingestd.config.reader import read_yaml
from ingestd.config.schema import CONFIG, SETTINGS, Config
from ingestd.config.tree import Mapping, locate, merge

DROP_INS = "conf.d"

_KNOWN = tuple(setting.path for setting in SETTINGS)
_GROUPS = frozenset(setting.path for setting in SETTINGS if setting.group)
_PARTICIPANT: KeyPath = ("session", "participant")


class Valid(NamedTuple):
    """A configuration without a fault."""

    config: Config
    """Placeholders filled in."""
    tree: Mapping
    """What it was read from: all files as one, placeholders as they were written."""


def load_config(path: Path, identity: Identity | None = None) -> Config:
    """`read_config`, where the tree is not asked for."""
    return read_config(path, identity).config


def read_config(path: Path, identity: Identity | None = None) -> Valid:
    """Reads the file at `path` and those in the directory conf.d beside it, which override it key by key.

    Placeholders of the participant are filled in from `identity` (this machine's, if None). No file the
    configuration names is opened. Raises `ConfigError` with every fault of all files, with file and line.
    """
    faults = Faults()
    tree, complete = _read_all(path, faults)
    return check_tree(tree, faults, identity, complete=complete)


def check_tree(tree: Mapping, faults: Faults, identity: Identity | None, *, complete: bool = True) -> Valid:
    """The configuration that `tree` is; without `complete` nothing is called missing.

    Raises `ConfigError` with what is in `faults` already and what is wrong with the tree.
    """
    config = CONFIG.read(tree, At((), faults, _KNOWN, complete))
    participant = expand_participant(
        config.session.participant,
        identity or Identity(),
        lambda below, text: faults.add(locate(tree, _PARTICIPANT + below), _PARTICIPANT + below, text),
    )
    faults.raise_if_any()
    return Valid(replace(config, session=replace(config.session, participant=participant)), tree)


def _read_all(path: Path, faults: Faults) -> tuple[Mapping, bool]:
    """The merged tree, and whether every file could be read."""
    merged = read_yaml(path, 0, faults)
    complete = merged is not None
    if merged is None:
        merged = Mapping(Place(0, str(path)), {})
    for order, drop_in in enumerate(_drop_ins(path.parent / DROP_INS, faults), start=1):
        tree = read_yaml(drop_in, order, faults)
        if tree is None:
            complete = False
        else:
            merged = merge(merged, tree, lambda below: ".".join(map(str, below)) in _GROUPS)
    return merged, complete


def _drop_ins(directory: Path, faults: Faults) -> list[Path]:
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
