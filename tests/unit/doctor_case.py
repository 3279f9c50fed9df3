"""A situation for doctor's checks: a configuration in a folder of the test's, and no daemon."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ingestd.config.schema import Config
from ingestd.core.check import Check, Verdict
from ingestd.doctor.situation import Situation, Wishes, look


def jwt(**claims: Any) -> str:
    """A token that says so; signed by nobody."""
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    coded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return ".".join((*coded, "c2lnbmF0dXJl"))


def situation(folder: Path, url: str = "https://localhost/", token: str = "t0ken", **more: Any) -> Situation:
    """`more` goes into the configuration, group by group."""
    (folder / "token").write_text(token)
    (folder / "token").chmod(0o600)
    backend = {"url": url, "token_file": str(folder / "token"), **more.pop("backend", {})}
    tree = {"backend": backend, "session": {"room_id": "abcd"}, "control": {"socket": str(folder / "sock")}, **more}
    path = folder / "ingestd.yaml"
    path.write_text(json.dumps(tree, indent=1))
    return replace(look(path, None, Wishes(), unit=lambda: None), state_directory=folder)


@contextmanager
def folder_for_all() -> Iterator[Path]:
    """A folder that everybody may enter; pytest's own are closed to others."""
    with TemporaryDirectory(prefix="ingestd-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def config_of(given: Situation) -> Config:
    assert given.config is not None
    return given.config


def by_name(checks: Any) -> dict[str, Check]:
    """The last of each name."""
    return {check.name: check for check in checks}


def failed(checks: Any) -> list[str]:
    """The names of what failed."""
    return [check.name for check in checks if check.verdict is Verdict.FAILED]
