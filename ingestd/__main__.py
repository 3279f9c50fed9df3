"""The command `ingestd`: reads the configuration, then runs until it is told to stop."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ingestd import plain_hashes  # noqa: F401 - before anything that imports hashlib
from ingestd.config.apart import Apart, read_apart, read_file
from ingestd.config.arguments import DEFAULT_CONFIG, config_alone, parser
from ingestd.config.lastgood import LastGood
from ingestd.config.reload import Reloader
from ingestd.core.catalog import fields_of
from ingestd.core.remedies_for_parts import LAST_GOOD, NOT_KEPT
from ingestd.errors import BackendError, ConfigError, MetricsError, StartError
from ingestd.system import journal
from ingestd.system.state_files import runtime_directory, state_directory, write_state

if TYPE_CHECKING:
    import argparse

    from ingestd.config.schema import Config, Mixer
    from ingestd.daemon import Daemon
    from ingestd.system.access import Reader

EXIT_TRY_LATER: Final = 75  # EX_TEMPFAIL, sysexits.h
EXIT_CONFIG: Final = 78  # EX_CONFIG


def main(argv: Sequence[str] | None = None) -> int:
    """Until it is told to stop; the exit statuses are in `_arguments`."""
    argv = sys.argv[1:] if argv is None else argv
    if (path := config_alone(argv)) is None:
        arguments = _arguments(argv)
        path = arguments.config
        if arguments.check:
            return _check(path)
    last_good = LastGood(state_directory(), write_state)
    faults: list[str] = []
    status = EXIT_CONFIG
    for built in (_from_file, _from_last_good):
        try:
            daemon = built(path, last_good, faults)
        except ConfigError as error:
            faults += error.faults
        except StartError as error:
            faults.append(str(error))
            status = EXIT_TRY_LATER  # there is a good configuration: what is in its way may be gone by then
        else:
            if daemon is not None:
                return daemon.run()
    return _refused(faults, status)


def _from_file(path: Path, last_good: LastGood, _faults: list[str]) -> Daemon:
    """The daemon as the configuration has it, which is then the last good one. Raises ConfigError, StartError."""
    found = read_file(path)
    _check_tls(path, found.config)
    daemon = _built(path, path, found, last_good, [])
    if warning := last_good.keep_text(found.text):
        journal.LOG.warning("%s", warning, extra=fields_of(NOT_KEPT[0]))
    return daemon


def _from_last_good(path: Path, last_good: LastGood, faults: list[str]) -> Daemon | None:
    """The daemon as the last good configuration has it, and every fault logged; None where nothing was kept.

    Files that it names and that can't be loaded are no reason to end: they are added to `faults`, and looked for again
    by every attempt. Raises ConfigError, StartError.
    """
    if (found := read_apart(last_good.load)) is None or last_good.path is None:
        return None
    try:
        _check_tls(last_good.path, found.config)
    except ConfigError as error:
        faults += error.faults
    daemon = _built(path, last_good.path, found, last_good, faults)
    journal.LOG.error(
        "%s can't be used: this device runs on the last good configuration, of %s; mend what the next lines name, "
        "try it by 'ingestd --config %s --check', then reload the service",
        path,
        last_good.since(),
        path,
        extra=fields_of(LAST_GOOD[0]),
    )
    for fault in faults:
        journal.LOG.error("%s", fault)
    return daemon


def _check_tls(source: Path, config: Config) -> None:
    """Raises ConfigError where the certificates that the configuration at `source` names can't be loaded."""
    from ingestd.planning import tls_files

    try:
        tls_files(config).check()
    except BackendError as error:
        raise ConfigError([f"{source}: {error}"]) from None


def _check_metrics(source: Path, config: Config) -> None:
    """Raises ConfigError where figures are asked for without the library that writes them; the call goes without it."""
    from ingestd.metrics import library

    if config.metrics.listen is None:
        return
    try:
        library.check()
    except MetricsError as error:
        raise ConfigError([f"{source}: {error}"]) from None


def _built(path: Path, source: Path, found: Apart, last_good: LastGood, faults: Sequence[str]) -> Daemon:
    """`found` is of `source`; `faults`: why it is not what is at `path`. Raises StartError where it can't be had."""
    config = found.config
    journal.set_up(config.log.level)
    # Imported here, as --check needs neither ALSA nor systemd.
    from ingestd.audio.alsa import AlsaSink, MixerLevel, source_of
    from ingestd.daemon import Daemon

    def level(mixer: Mixer | None) -> MixerLevel | None:
        return MixerLevel(mixer.control, mixer.level_percent) if mixer else None

    capture, playback = config.audio.capture, config.audio.playback
    try:
        return Daemon(
            config,
            source_of(capture.device, capture.channel, level(capture.mixer)),
            AlsaSink(playback.device, level(playback.mixer)),
            path=path,
            reloader=Reloader(path, last_good, found),
            mended_by=faults,
            state=(state_directory(), runtime_directory()),
        )
    except StartError as error:
        raise StartError(f"{source}: {error}") from None


def _refused(faults: list[str], status: int = EXIT_CONFIG) -> int:
    for fault in faults:
        print(fault, file=sys.stderr)
    count = f"{len(faults)} fault{'s' * (len(faults) != 1)}"
    if status == EXIT_CONFIG:
        print(f"ingestd: {count} in the configuration", file=sys.stderr)
    else:
        print(f"ingestd: {count}; the configuration can be used, so a later start may succeed", file=sys.stderr)
    return status


def _check(path: Path) -> int:
    """What the configuration names is there: a CA that can't be loaded is a fault, a token may still come.

    Root, who may read everything, asks for the daemon's user too, where it is the file that the service reads.
    """
    from ingestd.config.load import files_of, load_config
    from ingestd.planning import certificate_files
    from ingestd.system.access import Reader, hindrances, reader_of

    reader = reader_of("ingestd.service", "ingestd", "ingestd") if path == DEFAULT_CONFIG else Reader(None)
    faults: list[str] = []
    named: list[Path] = []
    try:
        config = load_config(path)
        named = certificate_files(config)
        _check_tls(path, config)
        _check_metrics(path, config)
    except ConfigError as error:
        faults = error.faults
    faults += [str(one) for one in hindrances(reader, [*files_of(path), *named])]
    if faults:
        return _refused(faults)
    _check_token(config.backend.token_file, reader)
    print(f"{path}: good")
    return 0


def _check_token(path: Path, reader: Reader) -> None:
    """Says what is wrong with it, which is no fault of the configuration."""
    from ingestd.config.secret import awaits_the_service, read_token
    from ingestd.system.access import hindrance, may_look

    later = "(ingestd starts, and reads it anew for every session)"
    try:
        read_token(path)
    except ConfigError as error:
        if awaits_the_service(path):
            print(f"{path}: a credential of systemd's, which is there while the service runs")
        elif os.geteuid() != 0 and not may_look(path):
            print(f"{path}: this user may not read the token, so it was not looked at; run it as root", file=sys.stderr)
        else:
            print(f"{error} {later}", file=sys.stderr)
    else:
        if hidden := hindrance(reader, path):
            print(f"{hidden} {later}", file=sys.stderr)


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    return parser(
        prog="ingestd",
        description="Keeps this device in a VideoSDK room: microphone and speaker over one connection.",
        epilog="Exit status: 0 after a clean stop, 78 where neither the configuration nor the last good one can be "
        "used, 75 where one can but the daemon can't start at present, 70 for a bug.",
    ).parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
