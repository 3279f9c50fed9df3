"""What other programs of the system say, asked without a shell and not waited for long."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

ANSWER_S: Final = 5.0
_SYSTEMD: Final = Path("/run/systemd/system")


def output_of(*command: str, timeout_s: float = ANSWER_S, failing: bool = False) -> str | None:
    """What it writes to standard output; None where it is not there, fails or takes too long. Any thread.

    With `failing` what it wrote counts, whatever its exit status: `systemctl status` tells by that how a service is.
    """
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - no shell; the commands are this package's own
            [program, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace") if failing or done.returncode == 0 else None


def systemd_runs(directory: Path = _SYSTEMD) -> bool:
    """Whether systemd is what started this machine (sd_booted(3))."""
    return directory.is_dir()
