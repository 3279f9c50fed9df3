"""Child processes that end with their test, whichever way it ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, TypeVar

T = TypeVar("T")
Stream = int | IO[bytes] | None
"""As subprocess takes it; None is this process's own."""


def spawn(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    stdin: Stream = subprocess.DEVNULL,
    stdout: Stream = subprocess.DEVNULL,
    stderr: Stream = subprocess.DEVNULL,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a process that the kernel kills when the thread which called this is gone.

    `env` adds to this process's environment. Call from a thread that lives as long as the child should.
    """
    guard = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
    return subprocess.Popen(
        [*guard, *map(str, command)],
        env={**os.environ, **(env or {})},
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=cwd,
    )


def end(process: subprocess.Popen[bytes], timeout: float = 5.0) -> int:
    """Ends a process (TERM, then KILL), closes its pipes and returns its exit status."""
    if process.poll() is None:
        process.terminate()
    try:
        status = process.wait(timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        status = process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    return status


def wait_until(condition: Callable[[], T], timeout: float, what: str, every: float = 0.01) -> T:
    """Polls until `condition()` is true, and returns what it gave; raises TimeoutError that names `what`."""
    deadline = time.monotonic() + timeout
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s for {what}")
        time.sleep(every)
    return result


def state_of(pid: int) -> str:
    """As in proc_pid_stat(5): T is stopped, Z dead and not waited for; empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""
