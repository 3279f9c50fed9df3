"""What was run before, kept over restarts: a file in the state directory, written before a program is started."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Final

from ingestd.config.files import Unreadable, read_small
from ingestd.hooks.seen import Seen
from ingestd.system.journal import LOG
from ingestd.system.state_files import write_state

FILE: Final = "seen.json"
_MAX_BYTES: Final = 4 * 1024 * 1024
_RISK: Final = "messages younger than their handler's max_age_s may run again"


class Memory:
    """One thread. `folder` None: nothing outlives the process.

    Where what was run is lost, or can't be kept, a handler runs on as far as its max_age_s bounds what may run again.
    With max_age_s: null all of the room's history could: of that nothing is run that can't be known as new.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / FILE if folder is not None else None
        self._warned: str | None = None
        self.seen = self._load()

    def _load(self) -> Seen:
        if self._path is None:
            return self._lost("there is no state directory ($STATE_DIRECTORY)")
        if not _is_there(self._path):
            return Seen()
        try:
            return Seen.load(read_small(self._path, _MAX_BYTES)[0])
        except (Unreadable, ValueError, RecursionError) as error:
            return self._lost(f"{self._path} can't be used ({error})")

    def _lost(self, why: str) -> Seen:
        """Nothing is known of what was sent until now, by this device's clock or that of when the file was written."""
        LOG.warning("%s: %s; where that is null, what was sent before now is not run", why, _RISK)
        lost_s = time.time()
        with contextlib.suppress(OSError, ValueError):
            if self._path is not None:
                lost_s = max(lost_s, self._path.stat().st_mtime)  # a clock without a battery is slow after a boot
        return Seen(lost_s)

    def save(self) -> bool:
        """Writes it. False where that fails: then what no max_age_s bounds is not to be run. Each failure is told."""
        warning = write_state(self._path, self.seen.dump()) if self._path is not None else None
        if warning is not None and warning != self._warned:
            LOG.warning(
                "%s; after a restart %s; where that is null nothing is run until it can be written", warning, _RISK
            )
        self._warned = warning
        return warning is None


def _is_there(path: Path) -> bool:
    """False where it certainly is not."""
    try:
        path.lstat()
    except OSError as error:
        return not isinstance(error, FileNotFoundError)
    return True
