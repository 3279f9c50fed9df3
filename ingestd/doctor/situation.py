"""What every check starts from: the configuration, whether the daemon runs, and who it runs as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ingestd.config import Config
from ingestd.config.lastgood import NAME, LastGood
from ingestd.config.load import read_config
from ingestd.control.client import ControlClient
from ingestd.control.protocol import RpcError
from ingestd.core.check import Check, from_json
from ingestd.core.lifecycle import IN_THE_ROOM
from ingestd.errors import ConfigError
from ingestd.system.state_files import state_directory
from ingestd.system.units import properties_of
from ingestd.system.user import User, user_named

UNIT: Final = "ingestd.service"
HOOKS_UNIT: Final = "ingestd-hooks.service"
_STATE_DIRECTORY: Final = Path("/var/lib/ingestd")
_SOCKET: Final = Path("/run/ingestd/control.sock")
_USER: Final = "ingestd"
_ANSWER_S: Final = 5.0
_PROPERTIES: Final = (
    "LoadState,ActiveState,SubState,UnitFileState,Result,NRestarts,ExecMainStatus,User,SupplementaryGroups,"
    "ConditionResult,ConditionTimestampMonotonic,ProtectHome"
)
_RUNNING: Final = ("active", "reloading", "deactivating")
_IN_THE_ROOM: Final = {state.value for state in IN_THE_ROOM}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the person asked for beyond what costs nothing."""

    session: bool = True
    """Ask the backend for a session."""
    tone: bool = False
    """Play a tone."""
    call: bool = False
    """Join the room for a moment."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """What answered on the control socket."""

    status: dict[str, Any] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()

    @property
    def in_the_room(self) -> bool:
        """A session of its own is open."""
        return self.status.get("state") in _IN_THE_ROOM


@dataclass(frozen=True, slots=True)
class Situation:
    """Looked at once, before the first check."""

    path: Path
    """The configuration file's."""
    config: Config | None
    """What can be gone by: the file's, else the last good one; None where there is neither."""
    faults: tuple[str, ...]
    """Of the file."""
    last_good: Path | None
    """Where `config` comes from, if not from the file."""
    state_directory: Path
    socket: Path
    """Where somebody listens; where nobody does, the one asked first."""
    sockets: tuple[Path, ...]
    """Those asked, the likeliest first."""
    daemon: Daemon | None
    """None where none answers;"""
    no_answer: OSError | RpcError | None
    """why, if so."""
    unit: dict[str, str] | None
    """The service's properties, as `systemctl show` names them; None where systemd does not run or answer."""
    user: User | None
    """Whom the daemon runs as; None where there is no such user on this machine."""
    wishes: Wishes = Wishes()

    @property
    def somebody_listens(self) -> bool:
        """It answers, or this user may not ask it, or it hangs."""
        return self.daemon is not None or _somebody_there(self.no_answer)

    @property
    def service_runs(self) -> bool:
        """systemd says so; False too where nobody can be asked."""
        known = self.unit or {}
        starting = known.get("ActiveState") == "activating" and "auto-restart" not in known.get("SubState", "")
        return starting or known.get("ActiveState") in _RUNNING

    @property
    def daemon_may_run(self) -> bool:
        """The devices are not to be touched then, nor the room."""
        return self.somebody_listens or self.service_runs


def look(
    path: Path, socket: Path | None, wishes: Wishes, unit: Callable[[], dict[str, str] | None] | None = None
) -> Situation:
    """Takes a few seconds at most. `unit` asks systemd (tests: nobody).

    `socket`: None for the configuration's, or where none answers there for those that a daemon may have which has not
    taken the configuration over.
    """
    state = state_directory() or _STATE_DIRECTORY
    config, faults, last_good = _configuration(path, state)
    sockets = (socket,) if socket else _sockets(config, state)
    socket, daemon, no_answer = _first_answer(sockets)
    properties = (unit or unit_properties)()
    known = properties or {}
    user = user_named(known.get("User") or _USER, known.get("SupplementaryGroups", "audio").split())
    return Situation(
        path, config, faults, last_good, state, socket, sockets, daemon, no_answer, properties, user, wishes
    )


def _configuration(path: Path, state: Path) -> tuple[Config | None, tuple[str, ...], Path | None]:
    try:
        return read_config(path).config, (), None
    except ConfigError as error:
        faults = tuple(error.faults)
    kept = _last_good(state)
    return (kept, faults, state / NAME) if kept else (None, faults, None)


def _last_good(state: Path) -> Config | None:
    try:
        valid = LastGood(state, lambda _path, _content: None).load()
    except ConfigError:
        return None
    return valid.config if valid else None


def _sockets(config: Config | None, state: Path) -> tuple[Path, ...]:
    """Where a daemon may answer, the likeliest first: it may run on the last good configuration."""
    found = [each.control.socket for each in (config, _last_good(state)) if each is not None]
    return tuple(dict.fromkeys([*found[:1], _SOCKET, *found[1:]]))


def _first_answer(sockets: tuple[Path, ...]) -> tuple[Path, Daemon | None, OSError | RpcError | None]:
    """The first where somebody listens, else the first of all; who answered there, or why nobody did."""
    asked = []
    for socket in sockets:
        asked.append((socket, *_daemon(socket)))
        if _somebody_there(asked[-1][2]):
            return asked[-1]
    return asked[0]


def _somebody_there(error: OSError | RpcError | None) -> bool:
    return not isinstance(error, FileNotFoundError | ConnectionRefusedError | NotADirectoryError)


def _daemon(socket: Path) -> tuple[Daemon | None, OSError | RpcError | None]:
    try:
        with ControlClient(socket, _ANSWER_S) as client:
            status = client.call("status")
            try:
                answer = client.call("doctor")
                return Daemon(status, tuple(from_json(one) for one in answer["checks"])), None
            except (RpcError, ValueError, KeyError, TypeError):  # another version, which knows no such method
                return Daemon(status), None
    except (OSError, RpcError) as error:
        return None, error


def unit_properties(unit: str = UNIT) -> dict[str, str] | None:
    """Of a service, as systemd has them; None where it does not run here or does not answer."""
    return properties_of(unit, _PROPERTIES)
