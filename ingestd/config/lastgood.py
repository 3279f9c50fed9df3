"""The last good configuration: kept in the state directory for the boot that finds none it can use."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ingestd.config.files import Unreadable, read_small
from ingestd.errors import ConfigError

if TYPE_CHECKING:
    from ingestd.config.identity import Identity
    from ingestd.config.load import Valid
    from ingestd.config.tree import Mapping

NAME: Final = "last-good.yaml"
LARGEST_BYTES: Final = 4 * 1024 * 1024
"""The main file and all of conf.d together, once they are one file."""

_ABOUT: Final = b"""\
# The configuration that ingestd last ran on, conf.d included. ingestd writes it, and runs on it where the
# configuration itself can't be used. Changes belong there: this file with a change in it counts as damaged.
"""
_SUM: Final = b"# sha256 of all that follows: "


class LastGood:
    """The file itself. One thread at a time; may wait for the disk.

    `directory` is the state directory, None where nothing is kept; `write` puts bytes in place of a file in one
    step, and returns None or a warning.
    """

    def __init__(self, directory: Path | None, write: Callable[[Path, bytes], str | None]) -> None:
        self.path = directory / NAME if directory else None
        self._write = write

    def keep(self, tree: Mapping) -> str | None:
        """Keeps what the daemon was built from (`Valid.tree`). None, or a warning for the log."""
        from ingestd.config.writer import write_yaml

        return None if self.path is None else self.keep_text(write_yaml(tree))

    def keep_text(self, body: bytes) -> str | None:
        """The same for a tree that is written already."""
        if self.path is None:
            return None
        content = _ABOUT + _SUM + _sum_of(body) + b"\n" + body
        if len(content) > LARGEST_BYTES:
            return f"the configuration is not kept in {self.path}: it is larger than {LARGEST_BYTES} bytes in all"
        return self._write(self.path, content)

    def load(self, identity: Identity | None = None) -> Valid | None:
        """Reads it; None where there is none. Raises ConfigError, which names it, where it can't be used.

        Placeholders are filled in as `load_config` does.
        """
        from ingestd.config.faults import Faults, Place
        from ingestd.config.load import check_tree
        from ingestd.config.reader import parse_yaml

        if self.path is None:
            return None
        try:
            self.path.lstat()
            content, _ = read_small(self.path, LARGEST_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError([f"{self.path}: can't be read: {error.strerror or error}"]) from None
        except Unreadable as error:
            raise ConfigError([f"{self.path}: {error}"]) from None
        head, _, rest = content.partition(_SUM)
        written, _, body = rest.partition(b"\n")
        if written != _sum_of(body):
            raise ConfigError(
                [f"{self.path}: is damaged, or was changed by hand; mend the configuration, which replaces it"]
            )
        faults = Faults()
        # The lines of the head are blank lines here, so that places name the lines of the file.
        tree = parse_yaml(b"\n" * (head.count(b"\n") + 1) + body, Place(0, str(self.path)), faults)
        if tree is None:
            raise ConfigError(faults.lines())
        return check_tree(tree, faults, identity)

    def since(self) -> str:
        """When that configuration was first run on, for people; by this machine's clock of then."""
        if self.path is not None:
            from datetime import datetime

            with contextlib.suppress(OSError, OverflowError, ValueError):
                return datetime.fromtimestamp(self.path.stat().st_mtime).astimezone().isoformat(" ", "seconds")
        return "an unknown time"


def _sum_of(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode("ascii")
