"""The command `ingestd`: reads the configuration, then runs until it is told to stop."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ingestd import __version__
from ingestd.config import load_config, read_token
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
EXIT_CONFIG: Final = 78  # EX_CONFIG, sysexits.h


def main(argv: Sequence[str] | None = None) -> int:
    """Exit 0 after a clean stop, 78 where no configuration can be used, 70 after a bug of ours."""
    arguments = _parser().parse_args(argv)
    if arguments.check:
        return _check(arguments.config)
    last_good = LastGood(state_directory(), write_state)
    faults: list[str] = []
    daemon = _from_file(arguments.config, last_good, faults) or _from_last_good(arguments.config, last_good, faults)
    if daemon is None:
        return _refused(faults)
    return daemon.run()


def _from_file(path: Path, last_good: LastGood, faults: list[str]) -> Daemon | None:
    """The daemon as the configuration has it, which is then the last good one. None adds to `faults` why not."""
    try:
        valid = read_config(path)
        daemon = _built(path, valid, last_good, [])
    except ConfigError as error:
        faults += error.faults
        return None
    except (BackendError, StartError) as error:
        faults.append(f"{path}: {error}")
        return None
    if warning := last_good.keep(valid.tree):
        journal.LOG.warning("%s", warning)
    return daemon


def _from_last_good(path: Path, last_good: LastGood, faults: list[str]) -> Daemon | None:
    """The daemon as the last good configuration has it, and every fault logged. None adds to `faults` why not."""
    try:
        valid = last_good.load()
        if valid is None:
            return None
        daemon = _built(path, valid, last_good, faults)
    except ConfigError as error:
        faults += error.faults
        return None
    except (BackendError, StartError) as error:
        faults.append(f"{last_good.path}: {error}")
        return None
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


def _built(path: Path, valid: Valid, last_good: LastGood, faults: Sequence[str]) -> Daemon:
    """`faults`: why `valid` is not what is at `path`. Raises BackendError or StartError where it can't be had."""
    config = valid.config
    journal.set_up(config.log.level)
    # Imported after the configuration was read, so that --check needs neither ALSA nor systemd.
    from ingestd.audio.alsa import AlsaSink, AlsaSource, MixerLevel
    from ingestd.daemon import Daemon

    def level(mixer: Mixer | None) -> MixerLevel | None:
        return MixerLevel(mixer.control, mixer.level_percent) if mixer else None

    capture, playback = config.audio.capture, config.audio.playback
    return Daemon(
        config,
        AlsaSource(capture.device, capture.channel, level(capture.mixer)),
        AlsaSink(playback.device, level(playback.mixer)),
        path=path,
        reloader=Reloader(path, last_good, valid),
        mended_by=faults,
    )


def _refused(faults: list[str]) -> int:
    for fault in faults:
        print(fault, file=sys.stderr)
    count = len(faults)
    print(f"ingestd: {count} fault{'s' * (count != 1)} in the configuration", file=sys.stderr)
    return EXIT_CONFIG


def _check(path: Path) -> int:
    """What the configuration names is there: a CA that can't be loaded is a fault, a token may still come."""
    from ingestd.net.backend import tls_of

    try:
        config = load_config(path)
        tls_of(config.backend)
    except ConfigError as error:
        return _refused(error.faults)
    except BackendError as error:
        return _refused([f"{path}: {error}"])
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
        epilog="Exit status: 0 after a clean stop, 78 for a bad configuration, 70 for a bug.",
    )
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--check", action="store_true", help="check the configuration and its conf.d, then exit")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
