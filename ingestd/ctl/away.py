"""Why no ingestd answers on the control socket, and what helps. Pure."""

from __future__ import annotations

from pathlib import Path

from ingestd.ctl.paint import one_line


def no_answer(socket: Path, error: OSError) -> str:
    """What happened."""
    return one_line(f"no answer on {socket}: {error.strerror or error}")


def remedy(error: OSError) -> str:
    """What it means, and what a person can do."""
    match error:
        case PermissionError():
            return (
                "Only root and the group ingestd may ask: use sudo, or `sudo usermod -aG ingestd $USER` "
                "and log in anew."
            )
        case TimeoutError():
            return (
                "ingestd is there, but hangs; its watchdog restarts it. "
                "See `systemctl status ingestd` and `journalctl -u ingestd`."
            )
        case FileNotFoundError() | ConnectionRefusedError():
            return (
                "ingestd does not run, or its control.socket is another (--socket): see `systemctl status ingestd` "
                "and `journalctl -u ingestd`."
            )
        case _:
            return (
                "Is ingestd running (`systemctl status ingestd`), and are you root or in the group ingestd? "
                "`journalctl -u ingestd` says more."
            )
