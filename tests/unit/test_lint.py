"""The tools' rules hold over the whole tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def check(*command: str | Path) -> None:
    """Runs a tool at the root; what it found is the failure's text."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)


def shell_scripts() -> list[Path]:
    """Every script of ours that bash or sh runs."""
    files = [path for top in ("scripts", ".ci") for path in (ROOT / top).rglob("*") if path.is_file()]
    return [path for path in files if path.read_bytes().startswith((b"#!/usr/bin/env bash", b"#!/bin/sh"))]


def test_ruff() -> None:
    check(sys.executable, "-m", "ruff", "check", ".")


@pytest.mark.timeout(600)
def test_mypy_strict() -> None:
    check(sys.executable, "-m", "mypy", "--strict")


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck() -> None:
    scripts = shell_scripts()
    assert scripts
    check("shellcheck", "-x", *scripts)
