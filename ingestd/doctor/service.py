"""The service around the daemon: its unit, its control socket, what it writes to the journal."""

from __future__ import annotations

import errno
import grp
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Final

from ingestd.core.check import Check, failed, ok, skipped, warning
from ingestd.doctor.situation import HOOKS_UNIT, UNIT, Situation, unit_properties
from ingestd.system.programs import output_of

_WORDY_LINES: Final = 600
"""An hour's lines of the journal; more fill a small device's flash within months."""
_BAD_CONFIGURATION: Final = "78"


def units(situation: Situation) -> Iterator[Check]:
    """The daemon's, and that of the hooks where there are any."""
    yield from unit(situation.unit)
    if situation.unit is not None and situation.config is not None and situation.config.hooks:
        yield from unit(unit_properties(HOOKS_UNIT), "hooks service", HOOKS_UNIT)


def unit(properties: dict[str, str] | None, name: str = "service", called: str = UNIT) -> Iterator[Check]:
    """Whether the service runs, and will after the next boot; `properties` as `systemctl show` names them."""
    if properties is None:
        yield skipped(name, "systemd does not run here, or does not answer")
        return
    if properties.get("LoadState") != "loaded":
        said = f"systemd has no unit {called} ({properties.get('LoadState') or 'unknown'})"
        yield warning(name, said, "install it: the package brings it (`apt install ./ingestd_VERSION_all.deb`)")
        return
    state, sub = properties.get("ActiveState", ""), properties.get("SubState", "")
    restarts = properties.get("NRestarts", "0")
    again = f", restarted {restarts} times" if restarts not in ("", "0") else ""
    if state in ("active", "reloading"):
        yield ok(name, f"{called} runs ({sub}){again}")
    elif state == "inactive" and _left_alone(properties):
        said = f"{called} was not started: a condition of its unit is not met; is the device filled in?"
        yield warning(name, said, f"`ingestctl setup`; `systemctl status {called}` names the condition")
    elif state == "inactive":
        yield warning(name, f"{called} is stopped", f"`systemctl start {called}`")
    elif properties.get("ExecMainStatus") == _BAD_CONFIGURATION:
        remedy = f"`journalctl -u {called} -n 20` says why: mend that, then `systemctl start {called}`"
        yield failed(name, f"{called} ended (78): its configuration can't be used", remedy)
    else:
        result = properties.get("Result") or "unknown"
        yield failed(name, f"{called} is {state} ({sub}): {result}{again}", _see(called))
    if properties.get("UnitFileState") not in ("enabled", "enabled-runtime", "static", "alias"):
        yield warning(name, f"{called} does not start at boot", f"`systemctl enable {called}`")


def _left_alone(properties: dict[str, str]) -> bool:
    """systemd was to start it, and a condition kept it from that (org.freedesktop.systemd1(5))."""
    tried = properties.get("ConditionTimestampMonotonic", "0") != "0"
    return tried and properties.get("ConditionResult") == "no"


def control_socket(situation: Situation) -> Iterator[Check]:
    """There where the daemon runs, for its group and nobody else."""
    name, path, error = "control socket", situation.socket, situation.no_answer
    if situation.daemon is not None:
        yield _permissions(name, path)
        if path != situation.sockets[0]:
            said = f"the daemon answers on {path}, and control.socket is {situation.sockets[0]}: it runs on another"
            remedy = f"`journalctl -u {UNIT} -n 20` says why; else it waits for `systemctl restart {UNIT}`"
            yield warning(name, f"{said} configuration", remedy)
    elif situation.service_runs and not situation.somebody_listens:
        asked = ", ".join(map(str, situation.sockets))
        said = f"systemd says that {UNIT} runs, and nobody answers on {asked}; devices and room were left alone"
        yield failed(name, said, f"{_see(UNIT)}; give its socket by `--socket`, or `systemctl restart {UNIT}`")
    elif not situation.daemon_may_run:
        yield skipped(name, f"no ingestd answers on {path}: it is stopped, or has another control.socket")
    elif isinstance(error, PermissionError):
        remedy = "run it as root, or join the daemon's group: `usermod -aG ingestd USER`, then log in anew"
        yield warning(name, f"this user may not talk to the daemon on {path}", remedy)
    elif isinstance(error, TimeoutError | BlockingIOError):
        remedy = f"{_see(UNIT)}; then `systemctl restart {UNIT}`"
        yield failed(name, f"the daemon does not answer on {path}: it hangs", remedy)
    else:
        told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        yield failed(name, f"what listens on {path} is no ingestd that works: {told}", _see(UNIT))


def _see(unit: str) -> str:
    return f"see `systemctl status {unit}` and `journalctl -u {unit} -e`"


def _permissions(name: str, path: Path) -> Check:
    try:
        status = path.stat()
    except OSError as error:
        return warning(name, f"{path}: {os.strerror(error.errno or errno.EIO)}", f"`systemctl restart {UNIT}`")
    if status.st_mode & (stat.S_IROTH | stat.S_IWOTH):
        said = f"{path}: every user of this machine may command the daemon"
        return warning(name, said, f"chmod 660 {quote(str(path))}, and see who changed it")
    return ok(name, f"{path}, for the group {_group(status.st_gid)}")


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def journal(properties: dict[str, str] | None) -> Iterator[Check]:
    """How much the daemon writes."""
    name = "journal"
    if properties is None:
        yield skipped(name, "systemd does not run here, or does not answer")
        return
    most = f"--lines={20 * _WORDY_LINES}"
    lines = output_of("journalctl", "--unit", UNIT, "--since=-1h", "--output=cat", "--quiet", "--no-pager", most)
    if lines is None:
        yield skipped(name, "journalctl does not answer, or not this user: root may ask, and the group systemd-journal")
        return
    yield judged_rate(name, lines.count("\n"))


def judged_rate(name: str, lines: int) -> Check:
    """What an hour's lines say."""
    if lines > _WORDY_LINES:
        said = f"{lines} lines of the daemon within an hour, which wears flash out"
        return warning(name, said, "see what repeats (`journalctl -u ingestd`); log.level: info or warning")
    return ok(name, f"{lines} lines of the daemon within an hour")
