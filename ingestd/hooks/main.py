"""ingestd-hooks: runs programs for the room's messages and for what happens to the device, beside ingestd."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ingestd.config import load_config
from ingestd.config.arguments import DEFAULT_CONFIG, parser
from ingestd.config.lastgood import LastGood
from ingestd.config.load import Valid, files_of, read_config
from ingestd.core.catalog import fields_of
from ingestd.core.remedies_for_parts import LAST_GOOD, NOT_KEPT
from ingestd.errors import ConfigError
from ingestd.hooks import process
from ingestd.hooks.handlers import warnings
from ingestd.hooks.service import Service
from ingestd.system import journal
from ingestd.system.access import Reader, hindrance, hindrances, reader_of
from ingestd.system.journal import LOG
from ingestd.system.state_files import state_directory, write_state

EXIT_CONFIG: Final = 78  # EX_CONFIG


def main(argv: Sequence[str] | None = None) -> int:
    """Until it is told to stop; the exit statuses are in `_arguments`."""
    arguments = _arguments(argv)
    path: Path = arguments.config
    try:
        return _check(path) if arguments.check else _run(path)
    except ConfigError as error:
        for fault in error.faults:
            sys.stderr.write(f"{fault}\n")
        count = len(error.faults)
        sys.stderr.write(f"ingestd-hooks: {count} fault{'s' * (count != 1)} in the configuration\n")
        return EXIT_CONFIG


def _run(path: Path) -> int:
    """Raises ConfigError where neither the configuration nor the last good one can be used."""
    folder = state_directory()
    last_good = LastGood(folder, write_state)
    faults: list[str] = []
    try:
        valid = read_config(path)
    except ConfigError as error:
        faults = error.faults
        valid = _last_good(last_good, faults)
    journal.set_up(valid.config.log.level, "ingestd-hooks")
    process.hide_memory()
    process.adopt_orphans()
    if faults:
        LOG.error(
            "%s can't be used: the handlers are those of the last good configuration, of %s; mend what the next lines "
            "name, try it by 'ingestd-hooks --config %s --check', then reload the service",
            path,
            last_good.since(),
            path,
            extra=fields_of(LAST_GOOD[0]),
        )
        for fault in faults:
            LOG.error("%s", fault)
    elif warning := last_good.keep(valid.tree):
        LOG.warning("%s", warning, extra=fields_of(NOT_KEPT[0]))
    return Service(path, valid.config, last_good, folder, faults).run()


def _last_good(last_good: LastGood, faults: list[str]) -> Valid:
    """What to run on where the configuration has these faults. Raises ConfigError with them."""
    try:
        valid = last_good.load()
    except ConfigError as error:
        raise ConfigError([*faults, *error.faults]) from None
    if valid is None:
        raise ConfigError(faults)
    return valid


def _check(path: Path) -> int:
    """Root, who may read everything, asks for the service's user too. Raises ConfigError."""
    reader = reader_of("ingestd-hooks.service", "ingestd-hooks", "ingestd") if path == DEFAULT_CONFIG else Reader(None)
    hidden = [str(one) for one in hindrances(reader, files_of(path))]
    try:
        config = load_config(path)
    except ConfigError as error:
        raise ConfigError([*error.faults, *hidden]) from None
    if hidden:
        raise ConfigError(hidden)
    for warning in warnings(config):
        sys.stderr.write(f"{warning}\n")
    for secret in dict.fromkeys(hook.hmac_secret_file for hook in config.hooks):
        if secret is not None and secret.exists() and (kept := hindrance(reader, secret)) is not None:
            sys.stderr.write(f"{kept} (until then its messages are refused)\n")
    count = len(config.hooks)
    sys.stdout.write(f"{path}: good; {count} handler{'s' * (count != 1)}\n")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    return parser(
        prog="ingestd-hooks",
        description="Runs programs for messages of the room and for changes of state, as `hooks` of ingestd's "
        "configuration says. SIGHUP reads it anew.",
        epilog="Exit status: 0 after a clean stop, 78 where neither the configuration nor the last good one can be "
        "used.",
    ).parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
