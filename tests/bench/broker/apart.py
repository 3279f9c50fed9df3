"""A part of the bench in a process of its own: an order goes in as JSON, what came of it comes out."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.bench.installed import REPO
from tests.rig.process import end, spawn


class Apart:
    """Begins at once. One thread, which lives as long as the process should."""

    def __init__(self, module: str, order: Any) -> None:
        """`module` is run; it reads `order` from its standard input."""
        self._module = module
        command = [sys.executable, "-m", module]
        self._process = spawn(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, cwd=REPO)
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode())
        self._process.stdin.close()
        self._process.stdin = None

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def result(self, within_s: float) -> Any:
        """Waits for its end; raises RuntimeError where it failed or takes longer."""
        try:
            out, _ = self._process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            end(self._process)
            raise RuntimeError(f"{self._module} did not end within {within_s:g} s") from None
        if self._process.returncode:
            raise RuntimeError(f"{self._module} ended with {self._process.returncode}")
        return json.loads(out)
