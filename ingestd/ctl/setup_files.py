"""ingestctl setup, its end: what is to be written is shown, and then written whole or not at all."""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ingestd.config import Secret, read_token
from ingestd.config.change import ChangedConfig
from ingestd.core.credential import is_credential, renewing
from ingestd.ctl.command import DEFAULT_CONFIG, CommandError, say
from ingestd.ctl.paint import one_line
from ingestd.ctl.setup_backend import Answers, without_query
from ingestd.errors import ConfigError
from ingestd.system.state_files import replace_file

_OWN_TOKEN: Final = Path("/etc/ingestd/token")  # the default of backend.token_file
_GROUP: Final = "ingestd"
_NEW_CONFIG_MODE: Final = 0o644
_FOLDER_MODE: Final = 0o755


def check_writable(paths: Iterable[Path]) -> None:
    """Raises CommandError where one of the files could not be replaced; asked before somebody types answers."""
    for path in paths:
        folder = _target(path).parent
        if not folder.exists():
            folder = folder.parent  # it is made
        if not folder.is_dir():
            raise CommandError(f"can't write {path}: {folder} is no folder; make it (install -d {folder})")
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            raise CommandError(f"can't write {path}: {folder} is read-only; mount it writable (mount -o remount,rw)")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise CommandError(f"can't write {path}: this user may not write in {folder}; run it by sudo, or as root")


def why_kept(files: ChangedConfig) -> str | None:
    """Why setup writes no token where the configuration has it, and what to do; None where it may."""
    path = files.fixed.backend.token_file
    if is_credential(path):
        commands = "\n".join(f"    {line}" for line in renewing(path))
        return f"{path} is a credential of systemd's; for another token, as root:\n{commands}"
    if path == _OWN_TOKEN and _target(files.path) != _target(DEFAULT_CONFIG):
        return (
            f"{path} is the token of this very device, and {files.path} is not its configuration: name another file in "
            "there (backend.token_file); or set an image up from inside (chroot FOLDER ingestctl setup --no-try)"
        )
    return None


def present_token(files: ChangedConfig) -> Secret | None:
    """The token that is there, where this user may read it."""
    try:
        return read_token(files.fixed.backend.token_file)
    except ConfigError:
        return None


def show(files: ChangedConfig, contents: dict[Path, bytes], answers: Answers) -> None:
    """What is about to be written, without secrets."""
    say("\nThis is to be written:")
    before = without_query({key: files.value(key) for key in answers.values})
    after = without_query(answers.values)
    for path in contents:
        say(f"  {one_line(path)}{' (new)' if path == files.path and files.new else ''}")
        for key, value in answers.values.items():
            if files.file_of(key) == path and value != files.value(key):
                say(f"    {key}: {_shown(before[key])} -> {_shown(after[key])}")
        if path != files.path:
            say(f"    (it is laid over {one_line(files.path)}, where these keys would not count)")
    if answers.token is not None:
        say(f"  {one_line(files.fixed.backend.token_file)}: the token, for {_readers()}")


def write(files: ChangedConfig, contents: dict[Path, bytes], answers: Answers) -> None:
    """Writes the token, then the configuration; the configuration's old files stay as FILE.bak.

    Raises CommandError, which says what was written until then.
    """
    done: list[str] = []
    path = files.fixed.backend.token_file
    try:
        if answers.token is not None:
            _write_token(path, answers.token)
            done.append(str(path))
        for path, content in contents.items():
            _write_config(path, None if path == files.path and files.new else files.content(path), content)
            done.append(str(path))
    except (OSError, ConfigError) as error:
        reason = str(error) if isinstance(error, ConfigError) else f"can't write {path}: {error.strerror or error}"
        so_far = f"written before: {', '.join(done)}" if done else "nothing was changed"
        raise CommandError(f"{reason}; {so_far}") from None
    say("\nWritten." if done else "All of it is there already; nothing was written.")


def _write_config(path: Path, old: bytes | None, content: bytes) -> None:
    """Raises OSError; ConfigError where somebody else changed it meanwhile."""
    target = _target(path)
    if old is None:
        _make_folder(target.parent)
        if target.exists():
            raise ConfigError([f"{path}: was made by somebody else meanwhile; begin again"])
        replace_file(target, content, _NEW_CONFIG_MODE)
        return
    if target.read_bytes() != old:
        raise ConfigError([f"{path}: was changed by somebody else meanwhile; begin again"])
    status = target.stat()
    owned = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    replace_file(target.with_name(f"{target.name}.bak"), old, *owned)
    replace_file(target, content, *owned)


def _write_token(path: Path, token: Secret) -> None:
    """Readable for root and the daemon's group, where there is one; else for its owner. Raises OSError."""
    target = _target(path)
    _make_folder(target.parent)
    content = token.reveal().encode() + b"\n"
    group = _group()
    if group is None:
        replace_file(target, content)
    else:
        replace_file(target, content, 0o640, os.geteuid(), group)


def _target(path: Path) -> Path:
    """The file itself, where the path is a link to it."""
    return Path(os.path.realpath(path))


def _make_folder(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(_FOLDER_MODE)


def _group() -> int | None:
    try:
        return grp.getgrnam(_GROUP).gr_gid
    except KeyError:
        return None


def _readers() -> str:
    return "its owner alone (mode 600)" if _group() is None else f"root and the group {_GROUP} (mode 640)"


def _shown(value: str | None) -> str:
    return "none" if value is None else one_line(value, 100)
