"""The command `ingestd`: reads the configuration, then runs until it is told to stop."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ingestd import __version__
from ingestd.config import Config, load_config, read_token
from ingestd.config.lastgood import LastGood
from ingestd.config.load import Valid, read_config
from ingestd.config.reload import Reloader
from ingestd.config.schema import Mixer
from ingestd.errors import BackendError, ConfigError, StartError
from ingestd.system import journal
from ingestd.system.state_files import state_directory, write_state

if TYPE_CHECKING:
    from ingestd.daemon import Daemon

DEFAULT_CONFIG: Final = Path("/etc/ingestd/ingestd.yaml")
EXIT_TRY_LATER: Final = 75  # EX_TEMPFAIL, sysexits.h
EXIT_CONFIG: Final = 78  # EX_CONFIG


def main(argv: Sequence[str] | None = None) -> int:
    """Until it is told to stop; the exit statuses are in `_parser`."""
    arguments = _parser().parse_args(argv)
    if arguments.check:
        return _check(arguments.config)
    last_good = LastGood(state_directory(), write_state)
    faults: list[str] = []
    status = EXIT_CONFIG
    for built in (_from_file, _from_last_good):
        try:
            daemon = built(arguments.config, last_good, faults)
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
    valid = read_config(path)
    _check_tls(path, valid.config)
    daemon = _built(path, path, valid, last_good, [])
    if warning := last_good.keep(valid.tree):
        journal.LOG.warning("%s", warning)
    return daemon


def _from_last_good(path: Path, last_good: LastGood, faults: list[str]) -> Daemon | None:
    """The daemon as the last good configuration has it, and every fault logged; None where nothing was kept.

    Files that it names and that can't be loaded are no reason to end: they are added to `faults`, and looked for again
    by every attempt. Raises ConfigError, StartError.
    """
    valid = last_good.load()
    if valid is None or last_good.path is None:
        return None
    try:
        _check_tls(last_good.path, valid.config)
    except ConfigError as error:
        faults += error.faults
    daemon = _built(path, last_good.path, valid, last_good, faults)
    journal.LOG.error(
        "%s can't be used: this device runs on the last good configuration, of %s; mend what the next lines name, "
        "try it by 'ingestd --config %s --check', then reload the service",
        path,
        last_good.since(),
        path,
    )
    for fault in faults:
        journal.LOG.error("%s", fault)
    return daemon


def _check_tls(source: Path, config: Config) -> None:
    """Raises ConfigError where the certificates that the configuration at `source` names can't be loaded."""
    from ingestd.planning import tls_files

    try:
        tls_files(config).context()
    except BackendError as error:
        raise ConfigError([f"{source}: {error}"]) from None


def _built(path: Path, source: Path, valid: Valid, last_good: LastGood, faults: Sequence[str]) -> Daemon:
    """`valid` is of `source`; `faults`: why it is not what is at `path`. Raises StartError where it can't be had."""
    config = valid.config
    journal.set_up(config.log.level)
    # Imported after the configuration was read, so that --check needs neither ALSA nor systemd.
    from ingestd.audio.alsa import AlsaSink, AlsaSource, MixerLevel
    from ingestd.daemon import Daemon

    def level(mixer: Mixer | None) -> MixerLevel | None:
        return MixerLevel(mixer.control, mixer.level_percent) if mixer else None

    capture, playback = config.audio.capture, config.audio.playback
    try:
        return Daemon(
            config,
            AlsaSource(capture.device, capture.channel, level(capture.mixer)),
            AlsaSink(playback.device, level(playback.mixer)),
            path=path,
            reloader=Reloader(path, last_good, valid),
            mended_by=faults,
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
    """What the configuration names is there: a CA that can't be loaded is a fault, a token may still come."""
    try:
        config = load_config(path)
        _check_tls(path, config)
    except ConfigError as error:
        return _refused(error.faults)
    try:
        read_token(config.backend.token_file)
    except ConfigError as error:
        print(f"{error} (ingestd starts, and reads it anew for every session)", file=sys.stderr)
    print(f"{path}: good")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ingestd",
        description="Keeps this device in a VideoSDK room: microphone and speaker over one connection.",
        epilog="Exit status: 0 after a clean stop, 78 where neither the configuration nor the last good one can be "
        "used, 75 where one can but the daemon can't start at present, 70 for a bug.",
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--check", action="store_true", help="check the configuration and its conf.d, then exit")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
