"""Reads the configuration: the main file, then conf.d/*.yaml beside it."""

from __future__ import annotations

import os
from collections.abc import Mapping as Contents
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from ingestd.config.faults import Faults, KeyPath
from ingestd.config.identity import Identity, expand_participant
from ingestd.config.kind import At
from ingestd.config.layers import DROP_INS, drop_ins, read_layers
from ingestd.config.schema import CONFIG, SETTINGS, Config
from ingestd.config.tree import Mapping, locate

_KNOWN = tuple(setting.path for setting in SETTINGS)
_GROUPS = frozenset(setting.path for setting in SETTINGS if setting.group)
WRITTEN = "write one by `ingestctl setup` or from /usr/share/ingestd/ingestd.yaml"
"""How to come by a configuration."""
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
    tree, complete = read_tree(path, faults)
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


def files_of(path: Path) -> list[Path]:
    """What `read_config` looks at and is there: the file, the folder beside it, the files in that."""
    folder = path.parent / DROP_INS
    # Path.exists raises where a folder is closed.
    return [one for one in (path, folder, *drop_ins(folder, Faults())) if os.path.exists(one)]


def read_tree(path: Path, faults: Faults, instead: Contents[Path, bytes] | None = None) -> tuple[Mapping, bool]:
    """`read_layers` of the daemon's configuration."""
    return read_layers(path, faults, _GROUPS, WRITTEN, instead)
