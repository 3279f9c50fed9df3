"""The files that the daemon lives by: configuration, certificates, token, state."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Final

from ingestd.config.load import files_of
from ingestd.config.schema import Config
from ingestd.config.secret import Secret, awaits_the_service, exposure, read_token
from ingestd.core.check import Check, failed, ok, skipped, warning
from ingestd.core.soundsettings import decode
from ingestd.doctor import jwt
from ingestd.doctor.situation import Situation
from ingestd.errors import BackendError, ConfigError
from ingestd.planning import certificate_files, tls_files
from ingestd.system.access import Reader, hindrance, hindrances, may_look, sees_homes
from ingestd.system.sound_state import FILE
from ingestd.system.user import may

_AS_ROOT: Final = "run it as root, or as the daemon's user"
_UNMUTE: Final = "start the daemon, then `ingestctl unmute`, if that is not wanted"
_LITTLE_BYTES: Final = 20 * 1024 * 1024


def configuration(situation: Situation) -> Iterator[Check]:
    """Every fault of it by file, line and key; the certificates it names."""
    if os.geteuid() != 0 and not may_look(situation.path):
        yield failed("configuration", f"this user may not read {situation.path}", _AS_ROOT)
        return
    for fault in situation.faults:
        what, _, remedy = fault.rpartition("; ")
        yield failed("configuration", what or fault, remedy if what else "correct it; `ingestd --check` tries it")
    hidden = hindrances(_reader(situation), files_of(situation.path))
    for one in hidden:
        yield failed("configuration", one.what, one.remedy)
    config = situation.config
    if config is None:
        return
    if situation.last_good is not None:
        said = f"what follows goes by the last good configuration, {situation.last_good}"
        yield warning("configuration", said, "mend what is named above; the daemon runs on the last good one meanwhile")
    elif not hidden:
        yield ok("configuration", f"{situation.path}: good")
    if config.backend.ca_file or config.backend.client_cert:
        yield _certificates(config, _reader(situation))


def _reader(situation: Situation) -> Reader:
    return Reader(situation.user, sees_homes(situation.unit or {}))


def _certificates(config: Config, reader: Reader) -> Check:
    try:
        tls_files(config).context()
    except BackendError as error:
        what, _, remedy = str(error).rpartition("; ")
        return failed("certificate files", what, remedy)
    if hidden := hindrances(reader, certificate_files(config)):
        return failed("certificate files", *hidden[0])
    return ok("certificate files", "those that backend.ca_file and backend.client_cert name can be loaded")


def readable_token(config: Config) -> Secret | None:
    """The token, where this user may read it and it is one."""
    try:
        return read_token(config.backend.token_file)
    except ConfigError:
        return None


def token(situation: Situation) -> Iterator[Check]:
    """There, readable for the daemon and for no stranger, and still good by its own dates. None of it is shown."""
    config = situation.config
    if config is None:
        yield skipped("token", "no configuration says where it is")
        return
    path = config.backend.token_file
    try:
        secret = read_token(path)
    except ConfigError as error:
        if awaits_the_service(path):
            yield skipped("token", f"{path} is a credential: it is there while the service runs", "start the service")
            return
        if os.geteuid() != 0 and not may_look(path):
            yield skipped("token", f"this user may not read {path}", _AS_ROOT)
            return
        what, _, remedy = str(error).rpartition("; ")
        yield failed("token", what or str(error), remedy if what else f"write the token alone into {path}")
        return
    if hidden := hindrance(_reader(situation), path):
        yield failed("token", *hidden)
    elif exposed := exposure(path):
        what, _, remedy = exposed.rpartition("; ")
        yield warning("token", what, remedy)
    else:
        yield ok("token", f"{path} holds one")
    yield jwt.judged(secret.reveal(), time.time(), path)


def state(situation: Situation) -> Iterator[Check]:
    """The state directory: writable for the daemon, with room on its disk."""
    name, path, user = "state directory", situation.state_directory, situation.user
    try:
        mount, space = os.statvfs(path), shutil.disk_usage(path)
    except PermissionError:
        yield skipped(name, f"this user may not look at {path}", _AS_ROOT)
        return
    except OSError as error:
        remedy = "nothing to do where the service was never started: its unit makes it (StateDirectory=ingestd)"
        yield warning(name, f"{path}: {error.strerror}; no last good configuration is kept", remedy)
        return
    lost = "the last good configuration, mute and gain are not kept"
    if mount.f_flag & os.ST_RDONLY:
        yield failed(name, f"{path} is on a read-only file system: {lost}", _remount(path))
    elif may(user, path, "w") is False:
        who = f"the daemon's user {user.name}" if user else "this user"
        owner, named = quote(user.name) if user else "USER", quote(str(path))
        yield failed(name, f"{who} may not write in {path}: {lost}", f"chown {owner} {named} && chmod 700 {named}")
    elif space.free < _LITTLE_BYTES or (mount.f_files and not mount.f_favail):
        free = f"{space.free // 1024} KiB" if mount.f_favail or not mount.f_files else "no inode"
        yield failed(name, f"{free} left on the disk of {path}: {lost}", "make room: `journalctl --vacuum-size=50M`")
    else:
        yield ok(name, f"{path}: {space.free // 1024 ** 2} MiB free")


def _remount(path: Path) -> str:
    look = f"see `findmnt -T {quote(str(path))}` and `dmesg`"
    return f"{look}: remount it writable, or mend the disk; or mount a writable one there"


def mute(situation: Situation) -> Iterator[Check]:
    """Whether the daemon will come up muted. What it cannot read, it takes for that too."""
    path = situation.state_directory / FILE
    try:
        muted = decode(path.read_bytes()).muted
    except FileNotFoundError:
        muted = False
    except PermissionError:
        yield skipped("mute", f"this user may not read {path}", _AS_ROOT)
        return
    except (OSError, ValueError):
        yield warning("mute", f"{path} can't be read, so the daemon will start muted", _UNMUTE)
        return
    if muted:
        yield warning("mute", "muted by software, which outlives restarts: the room will hear silence", _UNMUTE)
    else:
        yield ok("mute", "not muted by software")
