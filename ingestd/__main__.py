"""The command `ingestd`: reads the configuration, then runs until it is told to stop."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ingestd import __version__
from ingestd.config import Config, load_config, read_token
from ingestd.config.schema import Mixer
from ingestd.errors import BackendError, ConfigError, StartError
from ingestd.system import journal

DEFAULT_CONFIG: Final = Path("/etc/ingestd/ingestd.yaml")
EXIT_CONFIG: Final = 78  # EX_CONFIG, sysexits.h


def main(argv: Sequence[str] | None = None) -> int:
    """Exit 0 after a clean stop, 78 where the configuration can't be used, 70 after a bug of ours."""
    arguments = _parser().parse_args(argv)
    try:
        config = load_config(arguments.config)
    except ConfigError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        count = len(error.faults)
        print(f"ingestd: {count} fault{'s' * (count != 1)} in the configuration", file=sys.stderr)
        return EXIT_CONFIG
    if arguments.check:
        return _check_files(arguments.config, config)
    journal.set_up(config.log.level)
    # Imported after the configuration was read, so that --check needs neither ALSA nor systemd.
    from ingestd.audio.alsa import AlsaSink, AlsaSource, MixerLevel
    from ingestd.daemon import Daemon

    def level(mixer: Mixer | None) -> MixerLevel | None:
        return MixerLevel(mixer.control, mixer.level_percent) if mixer else None

    capture, playback = config.audio.capture, config.audio.playback
    try:
        daemon = Daemon(
            config,
            AlsaSource(capture.device, capture.channel, level(capture.mixer)),
            AlsaSink(playback.device, level(playback.mixer)),
        )
    except (BackendError, StartError) as error:
        print(f"{arguments.config}: {error}", file=sys.stderr)
        return EXIT_CONFIG
    return daemon.run()


def _check_files(path: Path, config: Config) -> int:
    """What the configuration names is there: a CA that can't be loaded is a fault, a token may still come."""
    from ingestd.net.backend import tls_of

    try:
        tls_of(config.backend)
    except BackendError as error:
        print(f"{path}: {error}", file=sys.stderr)
        return EXIT_CONFIG
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
