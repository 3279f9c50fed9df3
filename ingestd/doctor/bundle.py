"""A file for support: what doctor found and what is needed to understand it, known secrets taken out."""

from __future__ import annotations

import io
import json
import os
import platform
import sys
import tarfile
import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment

from ingestd import __version__
from ingestd.config.schema import Config
from ingestd.config.secret import read_token
from ingestd.core.check import Check
from ingestd.doctor import report
from ingestd.doctor.configured import configured
from ingestd.doctor.redact import Redactor
from ingestd.doctor.situation import HOOKS_UNIT, UNIT, Situation
from ingestd.errors import ConfigError
from ingestd.system.programs import output_of

_JOURNAL_LINES: Final = 2000
_LARGEST_BYTES: Final = 4 * 1024 * 1024
_UNITS: Final = (UNIT, HOOKS_UNIT)
_LIBRARIES: Final = ("websocket-client", "pyalsaaudio", "PyYAML", "systemd-python")
_FILES: Final = (
    "/proc/asound/cards",
    "/proc/asound/pcm",
    "/proc/asound/version",
    "/proc/version",
    "/etc/os-release",
    "/etc/debian_version",
)
_PROPERTIES: Final = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,FragmentPath,DropInPaths,Result,NRestarts,ExecMainCode,"
    "ExecMainStatus,ActiveEnterTimestamp,InactiveEnterTimestamp,User,TasksCurrent,MemoryCurrent,CPUUsageNSec"
)
_COMMANDS: Final = {
    "ip-addr.json": ("ip", "-j", "addr"),
    "ip-route.json": ("ip", "-j", "route"),
    "ip-route6.json": ("ip", "-j", "-6", "route"),
    # Not `status`, which shows every process with its arguments.
    "systemctl.txt": ("systemctl", "show", "--no-pager", f"--property={_PROPERTIES}", *_UNITS),
    "timedatectl.txt": ("timedatectl", "show"),
}


def write_bundle(path: Path, situation: Situation, checks: Sequence[Check]) -> None:
    """Writes a .tar.gz, mode 0600. Raises OSError, FileExistsError where there is something by that name."""
    files = configured(situation.path)
    redactor = Redactor([*_secrets(situation.config), *files.secrets])
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, text in _members(situation, checks, files.shown, redactor):
            content = text[:_LARGEST_BYTES].encode("utf-8", "replace")
            member = tarfile.TarInfo(f"ingestd-support/{name}")
            member.size, member.mode, member.mtime = len(content), 0o600, int(time.time())
            tar.addfile(member, io.BytesIO(content))


def _members(
    situation: Situation, checks: Sequence[Check], files: dict[str, Any], redactor: Redactor
) -> Iterator[tuple[str, str]]:
    yield "doctor.json", _json(redactor.value(report.as_json(checks)))
    yield "status.json", _json(redactor.value(situation.daemon.status if situation.daemon else None))
    yield "versions.json", _json(redactor.value(_versions()))
    yield "service.json", _json(redactor.value(situation.unit))
    yield "configuration.json", _json(redactor.value(files))
    for path in _FILES:
        if (text := _read(Path(path))) is not None:
            yield f"files{path}", redactor.text(text)
    for name, command in _COMMANDS.items():
        if (text := output_of(*command, failing=True)):
            yield name, redactor.text(text)
    units = [part for unit in _UNITS for part in ("--unit", unit)]
    shown = (f"--lines={_JOURNAL_LINES}", "--no-pager", "--output=short-iso-precise", "--quiet")
    journal = output_of("journalctl", *units, *shown, failing=True)
    if journal:
        yield "journal.txt", redactor.text(_end_of(journal))


def _end_of(text: str) -> str:
    """Whole lines only: of a secret that was cut in two nobody would know the rest."""
    return text if len(text) <= _LARGEST_BYTES else text[-_LARGEST_BYTES:].partition("\n")[2]


def _secrets(config: Config | None) -> Iterator[str]:
    """What is known to be one, as it is and as it stands in a URL."""
    for proxy in [*getproxies_environment().values(), *_configured_proxy(config)]:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        for part in (parts.username, parts.password):
            if part:
                yield from (part, unquote(part))
    if config is None:
        return
    # Of the last good configuration, too; `configured` knows those that the files name now.
    files = [config.backend.token_file, *(hook.hmac_secret_file for hook in config.hooks if hook.hmac_secret_file)]
    for file in files:
        try:
            yield read_token(file).reveal()
        except ConfigError:
            continue


def _configured_proxy(config: Config | None) -> list[str]:
    return [config.backend.proxy.reveal()] if config and config.backend.proxy else []


def _versions() -> dict[str, Any]:
    libraries: dict[str, str | None] = {}
    for name in _LIBRARIES:
        try:
            libraries[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            libraries[name] = None
    machine = platform.uname()
    return {
        "ingestd": __version__,
        "python": sys.version,
        "libraries": libraries,
        "kernel": f"{machine.system} {machine.release} {machine.version} {machine.machine}",
    }


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return None


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
