"""ingestctl setup, once all is written: the daemon is to take it over, if somebody says so."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from ingestd.control.client import ControlClient
from ingestd.control.protocol import RpcError
from ingestd.ctl.command import DEFAULT_CONFIG, DEFAULT_SOCKET, CommandError, say
from ingestd.ctl.dialogue import Dialogue
from ingestd.ctl.listening import daemon_status
from ingestd.ctl.paint import one_line
from ingestd.system.programs import output_of, systemd_runs

_UNIT: Final = "ingestd"
_HOOKS: Final = "ingestd-hooks"
_SYSTEMCTL_S: Final = 60.0


def socket_of(config: Path, configured: Path) -> Path:
    """Where the daemon answers: where the configuration has it, or at the default until it takes that over."""
    if config != DEFAULT_CONFIG or daemon_status(configured) is not None or daemon_status(DEFAULT_SOCKET) is None:
        return configured
    return DEFAULT_SOCKET


def offer(talk: Dialogue, config: Path, socket: Path, devices_changed: bool, agreed: bool | None) -> None:
    """Reloads, restarts or starts the daemon where somebody wants that, or says how. Raises CommandError.

    `devices_changed`: sound devices wait for a restart. `agreed`: whether somebody wants it; None is asked.
    """
    ours = config == DEFAULT_CONFIG and systemd_runs()
    if daemon_status(socket) is not None:
        if devices_changed and ours:
            restart = ["systemctl", "restart", _UNIT]
            question = "Restart the service now, as other sound devices want? The call is away for seconds."
            _do(_wanted(talk, question, agreed), restart)
        elif devices_changed:
            say("Restart ingestd, as other sound devices want that.")
        else:
            _reload(_wanted(talk, "Let the running ingestd read it now?", agreed), socket)
    elif ours:
        wanted = _wanted(talk, "Start the service now, and at every boot?", agreed)
        _do(wanted, ["systemctl", "enable", "--now", _UNIT])
        if wanted and _is_enabled(_HOOKS):  # it was left alone so far, as this one was
            _run(["systemctl", "start", _HOOKS])
    else:
        say(f"Start it: ingestd --config {one_line(config)}")


def _wanted(talk: Dialogue, question: str, agreed: bool | None) -> bool:
    return talk.confirm(question, default=True) if agreed is None else agreed


def _reload(wanted: bool, socket: Path) -> None:
    if not wanted:
        say("Let it read that: ingestctl reload")
        return
    try:
        with ControlClient(socket) as client:
            said = client.call("reload")
    except (OSError, RpcError) as error:
        raise CommandError(f"it is written, but ingestd did not take it over: {one_line(error)}") from None
    say(one_line(said))


def _do(wanted: bool, command: list[str]) -> None:
    """Lets systemctl do it, or says how."""
    if not wanted:
        say(f"Later: {' '.join(command)}")
        return
    _run(command)
    say("Done; `ingestctl status` shows what it does.")


def _run(command: list[str]) -> None:
    """Lets systemctl do it; the last word is the unit. Raises CommandError."""
    try:
        done = subprocess.run(command, check=False, timeout=_SYSTEMCTL_S)  # noqa: S603 - no shell; the words are ours
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CommandError(f"it is written, but {' '.join(command)} failed: {one_line(error)}") from None
    if done.returncode:
        raise CommandError(f"it is written, but {' '.join(command)} failed; see `journalctl -u {command[-1]}`")


def _is_enabled(unit: str) -> bool:
    """Whether it starts at every boot; not, where systemctl can't say so."""
    return output_of("systemctl", "is-enabled", unit) is not None
